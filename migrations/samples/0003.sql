-- What a registry may hold before 0004, of what is new in 0003.
INSERT INTO users (id, username, name, password_hash, is_admin, created_at_ms, kind, project_id)
VALUES ('0190000000007000800000000000001a', 'ada', 'Ada', '', FALSE, 1700000000000, 'PERSON', NULL),
       ('0190000000007000800000000000001b', 'robot-1', 'ci', '', FALSE, 1700000000000, 'ROBOT', '01900000000070008000000000000001');
INSERT INTO identities (issuer, subject, user_id, created_at_ms)
VALUES ('https://id.example.org', '42', '0190000000007000800000000000001a', 1700000000000);
INSERT INTO members (id, project_id, user_id, role, source, created_at_ms)
VALUES ('0190000000007000800000000000001c', '01900000000070008000000000000001', '0190000000007000800000000000001a', 'DEVELOPER', 'OIDC', 1700000000000);
INSERT INTO invitations (id, user_id, secret_sha256, created_by_id, created_at_ms, expires_at_ms)
VALUES ('0190000000007000800000000000001d', '0190000000007000800000000000001a', 'y', '0190000000007000800000000000000a', 1700000000000, 1700000000001);
INSERT INTO protected_aliases (id, project_id, model_id, pattern, created_by_id, created_at_ms)
VALUES ('0190000000007000800000000000001e', '01900000000070008000000000000001', '', 'champion', '0190000000007000800000000000000a', 1700000000000);
INSERT INTO events (id, at_ms, actor_id, action, subject, detail, project_id, address, refused)
VALUES ('0190000000007000800000000000001f', 1700000000000, '0190000000007000800000000000001a', 'alias.set', 'sample/ocr', '{}', '01900000000070008000000000000001', '192.0.2.1', TRUE);
