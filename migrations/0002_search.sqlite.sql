-- Substring search over names. SQLite: an FTS5 trigram index over a table that triggers keep in step.
CREATE TABLE names (
    id        INTEGER PRIMARY KEY,
    object_id TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL
);
CREATE VIRTUAL TABLE names_index USING fts5 (name, content = 'names', content_rowid = 'id', tokenize = 'trigram');
CREATE TRIGGER names_inserted AFTER INSERT ON names BEGIN
    INSERT INTO names_index (rowid, name) VALUES (new.id, new.name);
END;
CREATE TRIGGER names_deleted AFTER DELETE ON names BEGIN
    INSERT INTO names_index (names_index, rowid, name) VALUES ('delete', old.id, old.name);
END;
CREATE TRIGGER names_updated AFTER UPDATE ON names BEGIN
    INSERT INTO names_index (names_index, rowid, name) VALUES ('delete', old.id, old.name);
    INSERT INTO names_index (rowid, name) VALUES (new.id, new.name);
END;
