-- The log stays append-only with one exception: the value of a tag becomes [redacted].
DROP TRIGGER events_are_not_changed;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
WHEN (OLD.action IN ('tag.set', 'tag.delete') AND NOT OLD.refused
          AND json_extract(NEW.detail, '$.value') = '[redacted]'
          AND json_remove(NEW.detail, '$.value') = json_remove(OLD.detail, '$.value')
          AND NEW.id IS OLD.id AND NEW.at_ms IS OLD.at_ms AND NEW.actor_id IS OLD.actor_id
          AND NEW.action IS OLD.action AND NEW.subject IS OLD.subject AND NEW.project_id IS OLD.project_id
          AND NEW.model_id IS OLD.model_id AND NEW.object_id IS OLD.object_id
          AND NEW.credential_id IS OLD.credential_id AND NEW.address IS OLD.address
          AND NEW.refused IS OLD.refused) IS NOT TRUE
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
