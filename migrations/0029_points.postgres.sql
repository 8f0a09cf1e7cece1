-- What is searched by is in the index as soon as it is made: else each search reads a list of all that is not, until the
-- database is vacuumed, and where that list is long every name is read instead.
ALTER INDEX names_index SET (fastupdate = off);
SELECT gin_clean_pending_list('names_index');

-- Points are written by the hundred, all of one run. That it is there is asked once for all of them, as a foreign key asks
-- it of each, which takes as long as writing them.
CREATE FUNCTION check_owners_of_points() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE
    owner TEXT;
BEGIN
    FOR owner IN SELECT DISTINCT owner_id FROM added LOOP
        PERFORM FROM objects WHERE id = owner FOR KEY SHARE;
        IF NOT FOUND THEN
            RAISE foreign_key_violation USING MESSAGE = 'points of what is not there: ' || owner;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER points_have_owners AFTER INSERT ON metric_points REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION check_owners_of_points();
CREATE FUNCTION remove_points() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM metric_points WHERE owner_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER points_go_with_owners AFTER DELETE ON objects FOR EACH ROW EXECUTE FUNCTION remove_points();
ALTER TABLE metric_points DROP CONSTRAINT metric_points_owner_id_fkey;
