-- 0007 moves what 0005 brought.
SELECT 1;
