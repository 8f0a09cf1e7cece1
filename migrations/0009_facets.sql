-- What models are narrowed down by: the licence in the front matter of a card, and what an MLmodel file says that
-- a version can be loaded as.

-- NULL where nobody has read the card yet, '' where it names no licence.
ALTER TABLE models ADD COLUMN license TEXT COLLATE "C";
UPDATE models SET license = '' WHERE description NOT LIKE '---%';

-- By the bytes of the file, which never change. A file that says nothing has the one flavor '', so that it is
-- read once.
CREATE TABLE flavors (
    sha256 TEXT NOT NULL REFERENCES blobs (sha256) ON DELETE CASCADE,
    flavor TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (sha256, flavor)
);
