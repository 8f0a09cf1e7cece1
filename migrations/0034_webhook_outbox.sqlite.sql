-- What is logged is put into the outbox of the webhooks that are told of it, in the same transaction and statement.

CREATE TRIGGER events_are_told AFTER INSERT ON events BEGIN
    INSERT INTO webhook_deliveries (id, webhook_id, event_id, action, created_at_ms, due_ms)
    SELECT substr(NEW.id, 1, 16) || lower(hex(randomblob(8))), w.id, NEW.id, NEW.action, NEW.at_ms, NEW.at_ms
    FROM webhooks w
    WHERE (w.project_id = NEW.project_id OR w.project_id IS NULL) AND w.deleted_at_ms IS NULL AND w.state <> 'DISABLED'
      AND EXISTS (SELECT 1 FROM webhook_actions a
                  WHERE a.webhook_id = w.id AND a.action = CASE WHEN NEW.refused THEN 'refused' ELSE NEW.action END);
END;
