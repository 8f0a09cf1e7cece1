-- What is made often is made with less: the database itself makes the rows that come with a new one, and no index
-- is written for what is found by another.
DROP INDEX models_in_name_order;
DROP INDEX model_versions_of_candidate;
DROP INDEX model_versions_of_run;
DROP INDEX experiments_by_name;
CREATE INDEX model_versions_of_candidate ON model_versions (candidate_id) WHERE candidate_id IS NOT NULL;
CREATE INDEX model_versions_of_run ON model_versions (run_id) WHERE run_id IS NOT NULL;
-- Which versions were made of a logged model: a client asks with every one it looks at.
CREATE INDEX model_versions_of_logged_model ON model_versions (logged_model_id) WHERE logged_model_id IS NOT NULL;
-- The experiment of a model is found by its model.
CREATE UNIQUE INDEX experiments_by_name ON experiments (project_id, name)
    WHERE deleted_at_ms IS NULL AND model_id IS NULL;
CREATE INDEX experiments_in_trash ON experiments (project_id, name) WHERE deleted_at_ms IS NOT NULL;

-- What tags, params, metrics and files hang on.
CREATE TRIGGER models_are_objects BEFORE INSERT ON models BEGIN
    INSERT INTO objects (id) VALUES (new.id);
END;
CREATE TRIGGER model_versions_are_objects BEFORE INSERT ON model_versions BEGIN
    INSERT INTO objects (id) VALUES (new.id);
END;
CREATE TRIGGER experiments_are_objects BEFORE INSERT ON experiments BEGIN
    INSERT INTO objects (id) VALUES (new.id);
END;
CREATE TRIGGER candidates_are_objects BEFORE INSERT ON candidates BEGIN
    INSERT INTO objects (id) VALUES (new.id);
END;
CREATE TRIGGER logged_models_are_objects BEFORE INSERT ON logged_models BEGIN
    INSERT INTO objects (id) VALUES (new.id);
END;
CREATE TRIGGER dataset_inputs_are_objects BEFORE INSERT ON dataset_inputs BEGIN
    INSERT INTO objects (id) VALUES (new.id);
END;

-- What models are searched by.
CREATE TRIGGER models_are_named AFTER INSERT ON models BEGIN
    INSERT INTO names (object_id, name) VALUES (new.id, new.name);
END;
CREATE TRIGGER models_are_renamed AFTER UPDATE OF name ON models BEGIN
    UPDATE names SET name = new.name WHERE object_id = new.id;
END;
