-- A path is found by its Unicode normalisation form C, and written as it was sent: here where that is another text.
ALTER TABLE files ADD COLUMN sent_path TEXT COLLATE "C";
ALTER TABLE uploads ADD COLUMN sent_path TEXT COLLATE "C";
