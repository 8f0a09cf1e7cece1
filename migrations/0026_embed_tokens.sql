-- Embed tokens: they stand in pages of other sites, and see one project as a stranger sees a public one.
CREATE TABLE embed_tokens (
    id              TEXT    NOT NULL PRIMARY KEY,
    project_id      TEXT    NOT NULL REFERENCES projects (id),
    name            TEXT    NOT NULL,
    secret_sha256   TEXT    NOT NULL UNIQUE,
    -- Whether they get the bytes of files, only the models of embed_token_models, only the operations of embed_token_operations.
    files           BOOLEAN NOT NULL,
    only_models     BOOLEAN NOT NULL,
    only_operations BOOLEAN NOT NULL,
    created_by_id   TEXT    NOT NULL REFERENCES users (id),
    created_at_ms   BIGINT  NOT NULL,
    expires_at_ms   BIGINT  NOT NULL,
    last_used_at_ms BIGINT,
    revoked_at_ms   BIGINT
);
CREATE INDEX embed_tokens_of_project ON embed_tokens (project_id);
CREATE INDEX embed_tokens_of_user ON embed_tokens (created_by_id);

CREATE TABLE embed_token_origins (
    token_id TEXT NOT NULL REFERENCES embed_tokens (id),
    origin   TEXT NOT NULL,
    PRIMARY KEY (token_id, origin)
);
CREATE INDEX embed_token_origins_by_origin ON embed_token_origins (origin);

CREATE TABLE embed_token_models (
    token_id TEXT NOT NULL REFERENCES embed_tokens (id),
    model_id TEXT NOT NULL REFERENCES models (id),
    PRIMARY KEY (token_id, model_id)
);
CREATE INDEX embed_token_models_of_model ON embed_token_models (model_id);

CREATE TABLE embed_token_operations (
    token_id     TEXT NOT NULL REFERENCES embed_tokens (id),
    query_sha256 TEXT NOT NULL,
    query        TEXT NOT NULL,
    PRIMARY KEY (token_id, query_sha256)
);
