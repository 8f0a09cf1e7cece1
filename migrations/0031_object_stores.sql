-- What one should know of object stores.

-- Whether clients get the files of a project from an object store themselves, where the server sends them there.
ALTER TABLE projects ADD COLUMN redirects_downloads BOOLEAN NOT NULL DEFAULT TRUE;

-- Uploads in parts that were begun in one go: those whose server died are ended by this, since an object store lists none.
CREATE TABLE open_uploads (
    key         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    storage     TEXT   NOT NULL REFERENCES storages (name),
    multipart   TEXT   NOT NULL, -- what the object store calls it
    begun_at_ms BIGINT NOT NULL
);
CREATE INDEX open_uploads_by_begin ON open_uploads (begun_at_ms, key);
