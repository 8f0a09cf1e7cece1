-- Webhooks: who is told of which events of the log, what each is sent, and how that went.

CREATE TABLE webhooks (
    id               TEXT    NOT NULL PRIMARY KEY,
    -- None: of the whole registry.
    project_id       TEXT    REFERENCES projects (id),
    name             TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    url              TEXT    NOT NULL,
    format           TEXT    NOT NULL,
    -- As they were named, a JSON list; `webhook_actions` has what they stand for.
    events           TEXT    NOT NULL,
    -- Patterns of names of models, a JSON list, and of aliases; empty for all.
    models           TEXT    NOT NULL,
    aliases          TEXT    NOT NULL,
    releases_only    BOOLEAN NOT NULL,
    state            TEXT    NOT NULL,
    state_reason     TEXT,
    -- Sealed: what is signed with; what is besides, until then; a header of the owner's.
    secret           TEXT,
    former_secret    TEXT,
    former_until_ms  BIGINT,
    header_name      TEXT,
    header_value     TEXT,
    -- Failures in a row, since when, and until when nothing is tried because of them.
    failures         BIGINT  NOT NULL DEFAULT 0,
    failing_since_ms BIGINT,
    paused_until_ms  BIGINT,
    created_by_id    TEXT    NOT NULL REFERENCES users (id),
    created_at_ms    BIGINT  NOT NULL,
    updated_at_ms    BIGINT  NOT NULL,
    deleted_at_ms    BIGINT
);
CREATE INDEX webhooks_of_project ON webhooks (project_id) WHERE deleted_at_ms IS NULL;
CREATE INDEX webhooks_of_user ON webhooks (created_by_id);

-- The actions of the log that a webhook is told of, and `refused` for all that were refused.
CREATE TABLE webhook_actions (
    webhook_id TEXT NOT NULL REFERENCES webhooks (id),
    action     TEXT NOT NULL,
    PRIMARY KEY (webhook_id, action)
);

-- The outbox: one row for each webhook and event, written with the event.
CREATE TABLE webhook_deliveries (
    -- In the order of events.
    id            TEXT   NOT NULL PRIMARY KEY,
    webhook_id    TEXT   NOT NULL REFERENCES webhooks (id),
    -- None of a test.
    event_id      TEXT,
    action        TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL,
    state         TEXT   NOT NULL DEFAULT 'PENDING',
    -- None until it is made, and the same in all attempts from then on.
    body          TEXT,
    -- When it is tried next; none when that is over. Whoever tries it first puts it off: what ends meanwhile is tried again.
    due_ms        BIGINT,
    attempts      BIGINT NOT NULL DEFAULT 0,
    -- Those since it was last asked for: by the event, or by somebody who has it sent again.
    tries         BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX webhook_deliveries_of_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX webhook_deliveries_unmade ON webhook_deliveries (webhook_id, id) WHERE body IS NULL AND due_ms IS NOT NULL;

CREATE TABLE webhook_attempts (
    delivery_id  TEXT   NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    number       BIGINT NOT NULL,
    at_ms        BIGINT NOT NULL,
    milliseconds BIGINT NOT NULL,
    -- Of the answer, and its beginning; none where there was none.
    status       BIGINT,
    answer       TEXT,
    -- Why there was no answer.
    error        TEXT,
    PRIMARY KEY (delivery_id, number)
);
