-- The log in one order for all who follow it. Ids are made before commits are, so a line can become visible behind one with
-- a greater id; the ids of transactions say from where on that can still happen.

-- What is added to ids of transactions: in a database that was restored elsewhere they begin anew.
ALTER TABLE registry ADD COLUMN feed_offset BIGINT NOT NULL DEFAULT 0;
CREATE FUNCTION position_of_event() RETURNS BIGINT LANGUAGE sql AS
    $$ SELECT feed_offset + pg_current_xact_id()::text::bigint FROM registry $$;
-- Lines of before are in the order of their ids.
ALTER TABLE events ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
ALTER TABLE events ALTER COLUMN position SET DEFAULT position_of_event();
CREATE INDEX events_by_position ON events (position, id);
