-- A project whose files the server sends itself, and an upload that a server left.
UPDATE projects SET redirects_downloads = FALSE WHERE id = '01900000000070008000000000000001';
INSERT INTO open_uploads (key, storage, multipart, begun_at_ms) VALUES ('blobs/00/01900000000070008000000000000501', 'default', 'left', 1);
