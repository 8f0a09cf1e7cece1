-- Replicas: several servers on one database and one object store. What one of them kept in its memory is in rows, so that
-- any other goes on with it.

-- What signed addresses and the ids of uploads are signed with, in hexadecimal; the first start gives it.
ALTER TABLE registry ADD COLUMN secret TEXT;
-- The oldest schema whose programs understand this one. A later step that they would not understand raises it.
ALTER TABLE registry ADD COLUMN floor BIGINT NOT NULL DEFAULT 28;

-- How often somebody took an upload over, or ended it: who had it before has lost it.
ALTER TABLE uploads ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
-- Somebody writes to it, or died while they did.
ALTER TABLE uploads ADD COLUMN is_held BOOLEAN NOT NULL DEFAULT FALSE;
-- It was taken from somebody who wrote to it: its bytes are compared with their hash at the end.
ALTER TABLE uploads ADD COLUMN was_seized BOOLEAN NOT NULL DEFAULT FALSE;
-- What the object store has of it, as the store wrote it down (JSON).
ALTER TABLE uploads ADD COLUMN sent TEXT;
-- How many parts it comes in that are put together by their hashes, in any order and at the same time (MLflow); of others
-- none.
ALTER TABLE uploads ADD COLUMN part_count BIGINT;

-- What the object store called the parts of an upload that it has, which is needed to put them together.
CREATE TABLE sent_parts (
    upload_id TEXT   NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number    BIGINT NOT NULL, -- from 0
    tag       TEXT   NOT NULL,
    PRIMARY KEY (upload_id, number)
);

-- The parts of an upload with part_count, each an object of its own. One may come again with other bytes: whoever puts
-- them together says which are meant.
CREATE TABLE staged_parts (
    upload_id TEXT   NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    number    BIGINT NOT NULL, -- from 1
    sha256    TEXT   NOT NULL,
    size      BIGINT NOT NULL,
    key       TEXT   NOT NULL,
    PRIMARY KEY (upload_id, number, sha256)
);

-- The servers that are alive, by their heartbeat.
CREATE TABLE replicas (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL, -- of its machine
    program       TEXT   NOT NULL, -- its version
    schema        BIGINT NOT NULL, -- the last migration that it knows
    started_at_ms BIGINT NOT NULL,
    seen_at_ms    BIGINT NOT NULL
);

-- What somebody did too often, such as wrong passwords.
CREATE TABLE throttles (
    key     TEXT   NOT NULL PRIMARY KEY,
    times   BIGINT NOT NULL,
    last_ms BIGINT NOT NULL
);
CREATE INDEX throttles_by_last ON throttles (last_ms);
