-- An upload that was interrupted, of a file of the sample's run.
INSERT INTO uploads (id, user_id, owner_id, path, size, received, sha256, metadata, created_at_ms, expires_at_ms)
VALUES ('0190000000007000800000000000003a', '0190000000007000800000000000000a', '0190000000007000800000000000002b', 'big.bin', 10, 4, NULL, '', 1700000000000, 1700000000000);
