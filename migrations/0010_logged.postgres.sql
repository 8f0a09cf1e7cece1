-- Points as they were logged, until they are moved to their histories: what many write is appended in one place, and
-- put where it is read from when it is read, or when there is much of it. total counts the points of the owner
-- that wait, with those of this row.
CREATE TABLE logged_points (
    owner_id TEXT   NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    total    BIGINT NOT NULL,
    points   TEXT   NOT NULL, -- JSON: [[name, step, timestamp_ms, the bits of the value as an integer], …]
    PRIMARY KEY (owner_id, total)
);
