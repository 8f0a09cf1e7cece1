-- Objects that were deleted for good: what they have goes in pieces, as it may be millions of rows.
ALTER TABLE objects ADD COLUMN ended BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX objects_ended ON objects (id) WHERE ended;
