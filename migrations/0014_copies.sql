-- Which object in the store is the copy of a blob, whose store it is, and since when a blob has been unused. The database
-- decides what goes: an object is removed only after its blob is, which the foreign key of files refuses as long as one
-- names it.

-- The registry itself. A store says whose it is by the id, which the first start gives.
CREATE TABLE registry (
    one                 BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    id                  TEXT,
    sweeps              BIGINT NOT NULL, -- how many there were: a clock that jumps makes none
    sweep_not_before_ms BIGINT NOT NULL
);
INSERT INTO registry (one, id, sweeps, sweep_not_before_ms) VALUES (1, NULL, 0, 0);

CREATE TABLE storages (
    name TEXT NOT NULL PRIMARY KEY,
    id   TEXT UNIQUE -- the folder's own, once one is known
);
INSERT INTO storages (name, id) VALUES ('default', NULL);

ALTER TABLE blobs ADD COLUMN unused_since_ms BIGINT;
ALTER TABLE blobs ADD COLUMN unused_since_sweep BIGINT;
CREATE INDEX blobs_unused ON blobs (unused_since_ms) WHERE unused_since_ms IS NOT NULL;

-- No foreign key to blobs: a row outlives its blob while the object is removed, and keys are never given again.
CREATE TABLE copies (
    key           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    storage       TEXT   NOT NULL REFERENCES storages (name),
    sha256        TEXT   NOT NULL,
    size          BIGINT NOT NULL,
    -- READY, the copy; SUSPECT, bytes that were found wrong once; LOST, twice; UNKNOWN, an object that no row named;
    -- DELETING, which nothing leaves but to GONE
    state         TEXT   NOT NULL CHECK (state IN ('READY', 'SUSPECT', 'LOST', 'UNKNOWN', 'DELETING', 'GONE')),
    since_ms      BIGINT NOT NULL,
    since_sweep   BIGINT NOT NULL,
    checked_at_ms BIGINT NOT NULL DEFAULT 0 -- when its bytes were last compared with the hash
);
CREATE UNIQUE INDEX copies_ready ON copies (sha256, storage) WHERE state = 'READY';
CREATE INDEX copies_of_blob ON copies (sha256);
CREATE INDEX copies_to_do ON copies (state, since_ms) WHERE state <> 'READY';
CREATE INDEX copies_by_check ON copies (checked_at_ms) WHERE state IN ('READY', 'SUSPECT', 'LOST');
INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
SELECT 'blobs/' || SUBSTR(sha256, 1, 2) || '/' || sha256, 'default', sha256, size, 'READY', created_at_ms, 0 FROM blobs;

-- Where an upload goes, so that those of a project can be counted. Those of before are over within a day.
ALTER TABLE uploads ADD COLUMN project_id TEXT;
CREATE INDEX uploads_of_project ON uploads (project_id);
