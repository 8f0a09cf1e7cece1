-- The log stays append-only with one exception: the value of a tag becomes [redacted].
DROP TRIGGER events_are_append_only ON events;
CREATE TRIGGER events_are_append_only BEFORE DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_events();
CREATE FUNCTION is_redacted(was events, becomes events) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN was.action IN ('tag.set', 'tag.delete') AND NOT was.refused
        AND becomes.detail::jsonb ->> 'value' = '[redacted]'
        AND becomes.detail::jsonb - 'value' = was.detail::jsonb - 'value'
        AND to_jsonb(becomes) - 'detail' = to_jsonb(was) - 'detail';
END $$;
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
    FOR EACH ROW WHEN (is_redacted(OLD, NEW) IS NOT TRUE) EXECUTE FUNCTION refuse_change_of_events();
