-- Uploads that may be interrupted and go on: which file there will be, and how many of its bytes are durable.
-- One is over when received is size; it stays until it expires, for who did not hear that it is.
CREATE TABLE uploads (
    id            TEXT   NOT NULL PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id), -- who began it, and alone may go on
    owner_id      TEXT   NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    path          TEXT   NOT NULL,
    size          BIGINT NOT NULL,
    received      BIGINT NOT NULL,
    sha256        TEXT, -- what the whole file must have
    metadata      TEXT   NOT NULL, -- as the client sent it
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX uploads_of_user ON uploads (user_id);
CREATE INDEX uploads_of_owner ON uploads (owner_id);
CREATE INDEX uploads_by_expiry ON uploads (expires_at_ms);
