-- The whole registry. One text for SQLite and PostgreSQL: times are milliseconds since 1970 (UTC),
-- ids are UUIDv7 as 32 hexadecimal digits, and COLLATE "C" (bytes, as SQLite always does) stands
-- where an order is part of a contract.

CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    is_admin      BOOLEAN NOT NULL,
    created_at_ms BIGINT  NOT NULL
);

-- What a caller shows: the cookie of a session or a personal access token. Only a hash is kept.
CREATE TABLE credentials (
    id              TEXT   NOT NULL PRIMARY KEY,
    user_id         TEXT   NOT NULL REFERENCES users (id),
    kind            TEXT   NOT NULL CHECK (kind IN ('SESSION', 'TOKEN')),
    name            TEXT   NOT NULL,
    secret_sha256   TEXT   NOT NULL UNIQUE,
    created_at_ms   BIGINT NOT NULL,
    expires_at_ms   BIGINT,
    last_used_at_ms BIGINT,
    revoked_at_ms   BIGINT
);
CREATE INDEX credentials_by_user ON credentials (user_id, kind);

CREATE TABLE projects (
    id            TEXT   NOT NULL PRIMARY KEY,
    path          TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    description   TEXT   NOT NULL,
    visibility    TEXT   NOT NULL CHECK (visibility IN ('PRIVATE', 'INTERNAL', 'PUBLIC')),
    author_id     TEXT   NOT NULL REFERENCES users (id),
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    deleted_at_ms BIGINT,
    deleted_by_id TEXT REFERENCES users (id)
);
CREATE UNIQUE INDEX projects_by_path ON projects (path) WHERE deleted_at_ms IS NULL;
CREATE INDEX projects_by_name ON projects (name, id);

-- Whatever can own files, tags, params and metrics: a model, a version or a candidate.
CREATE TABLE objects (
    id   TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('MODEL', 'VERSION', 'CANDIDATE'))
);

CREATE TABLE models (
    id             TEXT   NOT NULL PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,
    project_id     TEXT   NOT NULL REFERENCES projects (id),
    name           TEXT COLLATE "C" NOT NULL,
    description    TEXT   NOT NULL,
    author_id      TEXT   NOT NULL REFERENCES users (id),
    last_version   BIGINT NOT NULL DEFAULT 0, -- the highest version number ever given
    last_candidate BIGINT NOT NULL DEFAULT 0, -- the highest candidate number ever given
    created_at_ms  BIGINT NOT NULL,
    updated_at_ms  BIGINT NOT NULL,
    deleted_at_ms  BIGINT,
    deleted_by_id  TEXT REFERENCES users (id)
);
CREATE UNIQUE INDEX models_by_name ON models (project_id, name) WHERE deleted_at_ms IS NULL;
CREATE INDEX models_in_name_order ON models (project_id, name, id);
CREATE INDEX models_in_name_order_everywhere ON models (name, id);
CREATE INDEX models_in_created_order ON models (project_id, created_at_ms, id);
CREATE INDEX models_in_updated_order ON models (project_id, updated_at_ms, id);
CREATE INDEX models_in_trash ON models (project_id, deleted_at_ms) WHERE deleted_at_ms IS NOT NULL;

CREATE TABLE experiments (
    id            TEXT   NOT NULL PRIMARY KEY,
    project_id    TEXT   NOT NULL REFERENCES projects (id),
    model_id      TEXT UNIQUE REFERENCES models (id), -- set for the default experiment of a model
    name          TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    deleted_at_ms BIGINT
);
CREATE UNIQUE INDEX experiments_by_name ON experiments (project_id, name) WHERE deleted_at_ms IS NULL;

CREATE TABLE candidates (
    id            TEXT   NOT NULL PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE, -- also the MLflow run id
    experiment_id TEXT   NOT NULL REFERENCES experiments (id),
    model_id      TEXT REFERENCES models (id),
    number        BIGINT,
    name          TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL CHECK (status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')),
    author_id     TEXT   NOT NULL REFERENCES users (id),
    started_at_ms BIGINT,
    ended_at_ms   BIGINT,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    deleted_at_ms BIGINT,
    deleted_by_id TEXT REFERENCES users (id)
);
CREATE UNIQUE INDEX candidates_by_number ON candidates (model_id, number);
CREATE INDEX candidates_in_created_order ON candidates (model_id, created_at_ms, id);
CREATE INDEX candidates_of_experiment ON candidates (experiment_id, created_at_ms, id);
CREATE INDEX candidates_in_trash ON candidates (model_id, deleted_at_ms) WHERE deleted_at_ms IS NOT NULL;

CREATE TABLE model_versions (
    id              TEXT    NOT NULL PRIMARY KEY REFERENCES objects (id) ON DELETE CASCADE,
    model_id        TEXT    NOT NULL REFERENCES models (id),
    version         TEXT COLLATE "C" NOT NULL,
    precedence      TEXT COLLATE "C" NOT NULL, -- SemVer order as bytes, see registry/semver.rs
    prerelease      BOOLEAN NOT NULL,
    rank            TEXT COLLATE "C" NOT NULL, -- what `latest` is the greatest of
    number          BIGINT  NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('DRAFT', 'PUBLISHED')),
    description     TEXT    NOT NULL,
    author_id       TEXT    NOT NULL REFERENCES users (id),
    candidate_id    TEXT REFERENCES candidates (id),
    digest          TEXT,
    created_at_ms   BIGINT  NOT NULL,
    updated_at_ms   BIGINT  NOT NULL,
    published_at_ms BIGINT,
    deleted_at_ms   BIGINT,
    deleted_by_id   TEXT REFERENCES users (id)
);
CREATE UNIQUE INDEX model_versions_by_version ON model_versions (model_id, version) WHERE deleted_at_ms IS NULL;
CREATE UNIQUE INDEX model_versions_by_number ON model_versions (model_id, number);
CREATE INDEX model_versions_by_rank ON model_versions (model_id, rank, id) WHERE deleted_at_ms IS NULL;
CREATE INDEX model_versions_in_precedence_order ON model_versions (model_id, precedence, id);
CREATE INDEX model_versions_in_created_order ON model_versions (model_id, created_at_ms, id);
CREATE INDEX model_versions_of_candidate ON model_versions (candidate_id);
CREATE INDEX model_versions_in_trash ON model_versions (model_id, deleted_at_ms) WHERE deleted_at_ms IS NOT NULL;

CREATE TABLE tags (
    owner_id TEXT NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    key      TEXT COLLATE "C" NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (owner_id, key)
);

CREATE TABLE params (
    owner_id TEXT NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    name     TEXT COLLATE "C" NOT NULL,
    value    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (owner_id, name)
);

-- Every point of every metric. value is NULL for NaN, which SQLite cannot store; value_order is the
-- value as an integer of the same order (NaN last), so that a point that is sent twice is kept once.
CREATE TABLE metric_points (
    owner_id     TEXT   NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    name         TEXT COLLATE "C" NOT NULL,
    step         BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    value_order  BIGINT NOT NULL,
    value        DOUBLE PRECISION,
    PRIMARY KEY (owner_id, name, step, timestamp_ms, value_order)
);

-- The last point of each metric, by step, time and value: what lists show, sort and filter by.
CREATE TABLE metrics (
    owner_id     TEXT   NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    name         TEXT COLLATE "C" NOT NULL,
    step         BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    value_order  BIGINT NOT NULL,
    value        DOUBLE PRECISION,
    PRIMARY KEY (owner_id, name)
);

CREATE TABLE blobs (
    sha256        TEXT   NOT NULL PRIMARY KEY,
    size          BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE files (
    owner_id      TEXT   NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    path          TEXT COLLATE "C" NOT NULL,
    sha256        TEXT   NOT NULL REFERENCES blobs (sha256),
    size          BIGINT NOT NULL,
    content_type  TEXT   NOT NULL,
    author_id     TEXT   NOT NULL REFERENCES users (id),
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (owner_id, path)
);
CREATE INDEX files_of_blob ON files (sha256);

CREATE TABLE aliases (
    id            TEXT   NOT NULL PRIMARY KEY,
    model_id      TEXT   NOT NULL REFERENCES models (id),
    name          TEXT COLLATE "C" NOT NULL,
    version_id    TEXT   NOT NULL REFERENCES model_versions (id),
    updated_by_id TEXT   NOT NULL REFERENCES users (id),
    updated_at_ms BIGINT NOT NULL,
    UNIQUE (model_id, name)
);
CREATE INDEX aliases_of_version ON aliases (version_id);

-- Where an alias pointed and since when; version_id is NULL from the moment it was deleted.
CREATE TABLE alias_moves (
    id         TEXT   NOT NULL PRIMARY KEY,
    model_id   TEXT   NOT NULL REFERENCES models (id),
    name       TEXT COLLATE "C" NOT NULL,
    version_id TEXT REFERENCES model_versions (id),
    version    TEXT,
    moved_by_id TEXT  NOT NULL REFERENCES users (id),
    moved_at_ms BIGINT NOT NULL
);
CREATE INDEX alias_moves_by_name ON alias_moves (model_id, name, id);

CREATE TABLE events (
    id         TEXT   NOT NULL PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    actor_id   TEXT REFERENCES users (id),
    action     TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    detail     TEXT   NOT NULL,
    project_id TEXT REFERENCES projects (id),
    model_id   TEXT,
    object_id  TEXT
);
CREATE INDEX events_of_project ON events (project_id, id);
CREATE INDEX events_of_model ON events (model_id, id);
CREATE INDEX events_of_object ON events (object_id, id);
