-- The log in one order for all who follow it: that in which its lines were written, which one writer does.

DROP TRIGGER events_are_not_changed;
-- Lines of before are in the order of their ids.
ALTER TABLE events ADD COLUMN position BIGINT;
UPDATE events SET position = 0;
CREATE INDEX events_by_position ON events (position, id);
CREATE TRIGGER events_have_a_position AFTER INSERT ON events BEGIN
    UPDATE events SET position = (SELECT COALESCE(MAX(position), 0) + 1 FROM events) WHERE id = NEW.id;
END;
-- As before, but for the position that a new line gets.
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
WHEN (NEW.id IS OLD.id AND NEW.at_ms IS OLD.at_ms AND NEW.actor_id IS OLD.actor_id
          AND NEW.action IS OLD.action AND NEW.subject IS OLD.subject AND NEW.project_id IS OLD.project_id
          AND NEW.model_id IS OLD.model_id AND NEW.object_id IS OLD.object_id
          AND NEW.credential_id IS OLD.credential_id AND NEW.address IS OLD.address
          AND NEW.refused IS OLD.refused
          AND ((OLD.position IS NULL AND NEW.detail IS OLD.detail)
               OR (NEW.position IS OLD.position AND OLD.action IN ('tag.set', 'tag.delete') AND NOT OLD.refused
                   AND json_extract(NEW.detail, '$.value') = '[redacted]'
                   AND json_remove(NEW.detail, '$.value') = json_remove(OLD.detail, '$.value')))) IS NOT TRUE
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
