-- A path is found by its Unicode normalisation form C, and written as it was sent: here where that is another text.
ALTER TABLE files ADD COLUMN sent_path TEXT COLLATE "C";
-- Of rows from before nobody knows how their paths were sent.
ALTER TABLE files ADD COLUMN form_known BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE uploads ADD COLUMN sent_path TEXT COLLATE "C";
