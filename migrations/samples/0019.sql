-- An upload that is over: its file is the draft's.
INSERT INTO uploads (id, user_id, owner_id, path, size, received, sha256, metadata, created_at_ms, expires_at_ms, project_id)
VALUES ('01900000000070008000000000000304', '0190000000007000800000000000000a', '01900000000070008000000000000302', 'draft.txt', 6, 6, NULL, '', 1700000000000, 4102444800000, '01900000000070008000000000000001');
