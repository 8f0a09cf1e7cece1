-- Names that are given once: what was published under a name keeps it, also when it is deleted for good.

-- Published versions that were deleted for good. By project and name of the model, which may be gone, too.
CREATE TABLE version_tombstones (
    project_id TEXT    NOT NULL REFERENCES projects (id),
    model      TEXT COLLATE "C" NOT NULL,
    version    TEXT COLLATE "C" NOT NULL,
    precedence TEXT COLLATE "C" NOT NULL,
    prerelease BOOLEAN NOT NULL,
    number     BIGINT  NOT NULL,
    digest     TEXT,
    PRIMARY KEY (project_id, model, version)
);

-- The highest version number that models of a name gave which were deleted for good.
CREATE TABLE model_tombstones (
    project_id   TEXT   NOT NULL REFERENCES projects (id),
    name         TEXT COLLATE "C" NOT NULL,
    last_version BIGINT NOT NULL,
    PRIMARY KEY (project_id, name)
);

-- Names that models had, and paths that projects had, before they were renamed.
CREATE TABLE former_names (
    project_id TEXT NOT NULL REFERENCES projects (id),
    name       TEXT COLLATE "C" NOT NULL,
    model_id   TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    PRIMARY KEY (project_id, name, model_id)
);
CREATE INDEX former_names_of_model ON former_names (model_id);
CREATE TABLE former_paths (
    path       TEXT COLLATE "C" NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id),
    PRIMARY KEY (path, project_id)
);

-- Where a name was given before: in the trash, and in projects of before that had this path.
CREATE INDEX projects_by_any_path ON projects (path);
CREATE INDEX models_by_name_in_trash ON models (project_id, name, deleted_at_ms) WHERE deleted_at_ms IS NOT NULL;
CREATE INDEX model_versions_by_version_in_trash ON model_versions (model_id, version) WHERE deleted_at_ms IS NOT NULL;
