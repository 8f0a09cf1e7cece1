-- Who may do what: members, robots, scopes, single sign-on, invitations, protected aliases; and a log
-- that says how and from where.

-- A robot is what a project token acts as. password_hash is '' where there is no password.
ALTER TABLE users ADD COLUMN kind TEXT NOT NULL DEFAULT 'PERSON' CHECK (kind IN ('PERSON', 'ROBOT'));
ALTER TABLE users ADD COLUMN project_id TEXT REFERENCES projects (id); -- the home of a robot
ALTER TABLE users ADD COLUMN blocked_at_ms BIGINT;
ALTER TABLE users ADD COLUMN deleted_at_ms BIGINT;
ALTER TABLE users ADD COLUMN last_seen_at_ms BIGINT;
CREATE INDEX robots_of_project ON users (project_id) WHERE project_id IS NOT NULL;

-- Tokens of before could do whatever their owners could. address: where a session was started.
ALTER TABLE credentials ADD COLUMN scope TEXT NOT NULL DEFAULT 'ADMIN' CHECK (scope IN ('READ', 'WRITE', 'ADMIN'));
ALTER TABLE credentials ADD COLUMN address TEXT;

CREATE TABLE members (
    id            TEXT   NOT NULL PRIMARY KEY,
    project_id    TEXT   NOT NULL REFERENCES projects (id),
    user_id       TEXT   NOT NULL REFERENCES users (id),
    role          TEXT   NOT NULL CHECK (role IN ('GUEST', 'DEVELOPER', 'MAINTAINER', 'OWNER')),
    source        TEXT   NOT NULL CHECK (source IN ('MANUAL', 'OIDC')), -- OIDC: follows the person's groups
    added_by_id   TEXT REFERENCES users (id),
    created_at_ms BIGINT NOT NULL,
    UNIQUE (project_id, user_id)
);
CREATE INDEX members_of_user ON members (user_id);
INSERT INTO members (id, project_id, user_id, role, source, created_at_ms)
SELECT id, id, author_id, 'OWNER', 'MANUAL', created_at_ms FROM projects;

-- Whom an OpenID provider means by a subject.
CREATE TABLE identities (
    issuer        TEXT   NOT NULL,
    subject       TEXT   NOT NULL,
    user_id       TEXT   NOT NULL REFERENCES users (id),
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_of_user ON identities (user_id);

-- One-time links with which a person sets their password. Only a hash is kept.
CREATE TABLE invitations (
    id            TEXT   NOT NULL PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id),
    secret_sha256 TEXT   NOT NULL UNIQUE,
    created_by_id TEXT   NOT NULL REFERENCES users (id),
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    ended_at_ms   BIGINT -- used, or taken back by a newer one
);
CREATE INDEX invitations_of_user ON invitations (user_id);

-- Alias names that only maintainers move, in one model or, where model_id is '', in all of the project.
CREATE TABLE protected_aliases (
    id            TEXT   NOT NULL PRIMARY KEY,
    project_id    TEXT   NOT NULL REFERENCES projects (id),
    model_id      TEXT   NOT NULL,
    pattern       TEXT COLLATE "C" NOT NULL,
    created_by_id TEXT   NOT NULL REFERENCES users (id),
    created_at_ms BIGINT NOT NULL,
    UNIQUE (project_id, model_id, pattern)
);

-- With which token or session, from where, and whether it was refused.
ALTER TABLE events ADD COLUMN credential_id TEXT;
ALTER TABLE events ADD COLUMN address TEXT;
ALTER TABLE events ADD COLUMN refused BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX events_of_actor ON events (actor_id, id);
CREATE INDEX alias_moves_of_version ON alias_moves (version_id);
