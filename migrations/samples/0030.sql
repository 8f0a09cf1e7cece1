-- A rule for a storage, which is the one that there is.
INSERT INTO storage_rules (position, storage, project_id, kind, alias, is_unaliased, is_deprecated, older_than_days, not_fetched_days, min_size)
VALUES (0, 'default', '01900000000070008000000000000001', 'VERSION', 'production', FALSE, FALSE, NULL, 180, 1048576);
