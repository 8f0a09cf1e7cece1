-- Several storages: objects that were moved to another one stay for a while where they were, and rules say what is moved.

-- RETIRING: there is a copy in another storage, and this one is on its way out.
ALTER TABLE copies DROP CONSTRAINT copies_state_check;
ALTER TABLE copies ADD CONSTRAINT copies_state_check
    CHECK (state IN ('READY', 'RETIRING', 'SUSPECT', 'LOST', 'UNKNOWN', 'DELETING', 'GONE'));
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
    alias            TEXT COLLATE "C", -- or stage
    is_unaliased     BOOLEAN NOT NULL,
    is_deprecated    BOOLEAN NOT NULL,
    older_than_days  BIGINT,
    not_fetched_days BIGINT,
    min_size         BIGINT  NOT NULL -- in bytes
);

-- Where the parts of an upload are: what takes uploads may have become another storage since.
ALTER TABLE staged_parts ADD COLUMN storage TEXT NOT NULL DEFAULT 'default';
