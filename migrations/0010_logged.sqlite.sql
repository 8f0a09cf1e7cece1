-- Points as they were logged, until they are moved to their histories: what many write is appended in one place, and
-- put where it is read from when it is read, or when there is much of it. total counts the points of the owner
-- that wait, with those of this row.
CREATE TABLE logged_points (
    owner_id TEXT   NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    total    BIGINT NOT NULL,
    points   TEXT   NOT NULL, -- JSON: [[name, step, timestamp_ms, the bits of the value as an integer], …]
    PRIMARY KEY (owner_id, total)
) WITHOUT ROWID;

-- So are names: every name has a dozen trigrams, and the index is changed for many of them at once. Names above
-- `last` are looked through one by one.
CREATE TABLE names_indexed (last INTEGER NOT NULL);
INSERT INTO names_indexed (last) SELECT COALESCE(MAX(id), 0) FROM names;
DROP TRIGGER names_inserted;
DROP TRIGGER names_deleted;
DROP TRIGGER names_updated;
-- The id of a name that was deleted is given again where it was the highest.
CREATE TRIGGER names_inserted AFTER INSERT ON names
WHEN new.id NOT BETWEEN (SELECT last + 1 FROM names_indexed) AND (SELECT last + 255 FROM names_indexed) BEGIN
    INSERT INTO names_index (rowid, name)
    SELECT id, name FROM names WHERE id > (SELECT last FROM names_indexed) OR id = new.id;
    UPDATE names_indexed SET last = MAX(last, new.id, (SELECT MAX(id) FROM names));
END;
CREATE TRIGGER names_deleted AFTER DELETE ON names WHEN old.id <= (SELECT last FROM names_indexed) BEGIN
    INSERT INTO names_index (names_index, rowid, name) VALUES ('delete', old.id, old.name);
END;
CREATE TRIGGER names_updated AFTER UPDATE ON names WHEN old.id <= (SELECT last FROM names_indexed) BEGIN
    INSERT INTO names_index (names_index, rowid, name) VALUES ('delete', old.id, old.name);
    INSERT INTO names_index (rowid, name) VALUES (new.id, new.name);
END;
