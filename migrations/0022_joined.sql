-- Uploads of parts, which are put together at the end, and uploads whose length is said later (tus: concatenation and
-- creation-defer-length).
ALTER TABLE uploads ADD COLUMN concat TEXT; -- Upload-Concat as the client sent it
ALTER TABLE uploads ADD COLUMN final_id TEXT REFERENCES uploads (id) ON DELETE CASCADE; -- of a part: what it is put into
ALTER TABLE uploads ADD COLUMN part BIGINT; -- which part of that it is, from 0
ALTER TABLE uploads ADD COLUMN is_deferred BOOLEAN NOT NULL DEFAULT FALSE; -- the length is said later: size is what came
-- The file is at its place, or the part belongs to another upload. So far that was received = size.
ALTER TABLE uploads ADD COLUMN is_over BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE uploads SET is_over = TRUE WHERE received = size;
CREATE INDEX uploads_of_final ON uploads (final_id, part) WHERE final_id IS NOT NULL;
