-- Several storages: objects that were moved to another one stay for a while where they were, and rules say what is moved.

-- RETIRING: there is a copy in another storage, and this one is on its way out. SQLite cannot change what a column takes.
CREATE TABLE copies_now (
    key           TEXT   NOT NULL PRIMARY KEY,
    storage       TEXT   NOT NULL REFERENCES storages (name),
    sha256        TEXT   NOT NULL,
    size          BIGINT NOT NULL,
    state         TEXT   NOT NULL
        CHECK (state IN ('READY', 'RETIRING', 'SUSPECT', 'LOST', 'UNKNOWN', 'DELETING', 'GONE')),
    since_ms      BIGINT NOT NULL,
    since_sweep   BIGINT NOT NULL,
    checked_at_ms BIGINT NOT NULL DEFAULT 0 -- when its bytes were last compared with the hash
);
INSERT INTO copies_now (key, storage, sha256, size, state, since_ms, since_sweep, checked_at_ms)
SELECT key, storage, sha256, size, state, since_ms, since_sweep, checked_at_ms FROM copies;
DROP TABLE copies;
ALTER TABLE copies_now RENAME TO copies;
CREATE UNIQUE INDEX copies_ready ON copies (sha256, storage) WHERE state = 'READY';
CREATE INDEX copies_of_blob ON copies (sha256);
CREATE INDEX copies_to_do ON copies (state, since_ms) WHERE state <> 'READY';
CREATE INDEX copies_by_check ON copies (checked_at_ms) WHERE state IN ('READY', 'SUSPECT', 'LOST');
-- What is damaged, what was found last first.
CREATE INDEX copies_damaged ON copies (since_ms, key) WHERE state IN ('SUSPECT', 'LOST');
-- What was compared with its hash the longest ago in a storage.
CREATE INDEX copies_by_check_in_storage ON copies (storage, checked_at_ms) WHERE state IN ('READY', 'SUSPECT', 'LOST');
CREATE INDEX copies_in_storage ON copies (storage, key) WHERE state = 'READY';

-- Which storage files belong in: that of the first rule that they match, or else the first of all. What is NULL is not
-- asked for.
CREATE TABLE storage_rules (
    position         BIGINT  NOT NULL PRIMARY KEY, -- from 0
    storage          TEXT    NOT NULL REFERENCES storages (name),
    project_id       TEXT REFERENCES projects (id) ON DELETE CASCADE,
    kind             TEXT CHECK (kind IN ('VERSION', 'RUN')),
    alias            TEXT, -- or stage
    is_unaliased     BOOLEAN NOT NULL,
    is_deprecated    BOOLEAN NOT NULL,
    older_than_days  BIGINT,
    not_fetched_days BIGINT,
    min_size         BIGINT  NOT NULL -- in bytes
);

-- Where the parts of an upload are: what takes uploads may have become another storage since.
ALTER TABLE staged_parts ADD COLUMN storage TEXT NOT NULL DEFAULT 'default';
