-- What is searched by is in the index as soon as it is made: else each search reads a list of all that is not, until the
-- database is vacuumed, and where that list is long every name is read instead.
ALTER INDEX names_index SET (fastupdate = off);
SELECT gin_clean_pending_list('names_index');
