-- SQLite compares texts as bytes everywhere already.
SELECT 1;
