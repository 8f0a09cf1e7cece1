-- A project whose files the server sends itself, and an upload that is under way until 2100: nobody ends it.
UPDATE projects SET redirects_downloads = FALSE WHERE id = '01900000000070008000000000000001';
INSERT INTO open_uploads (key, storage, multipart, begun_at_ms) VALUES ('blobs/00/01900000000070008000000000000501', 'default', 'left', 4102444800000);
