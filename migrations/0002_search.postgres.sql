-- Substring search over names. PostgreSQL: a trigram index (pg_trgm comes with the server).
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE TABLE names (
    object_id TEXT NOT NULL PRIMARY KEY,
    name      TEXT NOT NULL
);
CREATE INDEX names_index ON names USING gin (name gin_trgm_ops);
