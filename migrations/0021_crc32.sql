-- The CRC-32 of each blob, which archives say of their members before the bytes. Those of before get theirs from the scrub,
-- which reads all bytes anyway.
ALTER TABLE blobs ADD COLUMN crc32 BIGINT;
