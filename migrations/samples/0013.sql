-- A draft with a file, whose bytes the published version of another model has, too; and bytes that no file names, as
-- one leaves them that was deleted.
INSERT INTO models (id, project_id, name, description, author_id, last_version, created_at_ms, updated_at_ms)
VALUES ('01900000000070008000000000000301', '01900000000070008000000000000001', 'files', '', '0190000000007000800000000000000a', 1, 1700000000000, 1700000000000);
INSERT INTO model_versions (id, model_id, project_id, version, precedence, prerelease, rank, number, state, description, author_id, created_at_ms, updated_at_ms)
VALUES ('01900000000070008000000000000302', '01900000000070008000000000000301', '01900000000070008000000000000001', '1.0.0', 'a1a0a0~', FALSE, '01a1a0a0~', 1, 'DRAFT', '', '0190000000007000800000000000000a', 1700000000000, 1700000000000);
INSERT INTO blobs (sha256, size, created_at_ms) VALUES
    ('7eb2ca55b87a4d45d66a63f76db11f9b4aa9106472a62b5865060f9fd8eadaaa', 6, 1700000000000),
    ('2a37b3fecb9e5b1ea21167eae81c526f9a1449a226ccb1ce87b83e068ae79f23', 7, 1700000000000);
INSERT INTO files (owner_id, path, sha256, size, content_type, author_id, created_at_ms) VALUES
    ('01900000000070008000000000000302', 'draft.txt', '7eb2ca55b87a4d45d66a63f76db11f9b4aa9106472a62b5865060f9fd8eadaaa', 6, 'text/plain', '0190000000007000800000000000000a', 1700000000000),
    ('01900000000070008000000000000302', 'empty.txt', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0, 'text/plain', '0190000000007000800000000000000a', 1700000000000);
-- An upload into it that may go on for long.
INSERT INTO uploads (id, user_id, owner_id, path, size, received, sha256, metadata, created_at_ms, expires_at_ms)
VALUES ('01900000000070008000000000000303', '0190000000007000800000000000000a', '01900000000070008000000000000302', 'later.txt', 6, 0, NULL, '', 1700000000000, 4102444800000);
