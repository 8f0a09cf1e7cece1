-- Lists are sorted by the values of tags, too: as bytes, like everything that has an order in a contract.
ALTER TABLE tags ALTER COLUMN value TYPE TEXT COLLATE "C";
