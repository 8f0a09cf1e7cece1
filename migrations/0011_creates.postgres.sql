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
CREATE FUNCTION make_object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- A server of the version before that has not stopped yet made it by itself.
    INSERT INTO objects (id) VALUES (NEW.id) ON CONFLICT (id) DO NOTHING;
    RETURN NEW;
END $$;
CREATE TRIGGER models_are_objects BEFORE INSERT ON models FOR EACH ROW EXECUTE FUNCTION make_object();
CREATE TRIGGER model_versions_are_objects BEFORE INSERT ON model_versions FOR EACH ROW EXECUTE FUNCTION make_object();
CREATE TRIGGER experiments_are_objects BEFORE INSERT ON experiments FOR EACH ROW EXECUTE FUNCTION make_object();
CREATE TRIGGER candidates_are_objects BEFORE INSERT ON candidates FOR EACH ROW EXECUTE FUNCTION make_object();
CREATE TRIGGER logged_models_are_objects BEFORE INSERT ON logged_models FOR EACH ROW EXECUTE FUNCTION make_object();
CREATE TRIGGER dataset_inputs_are_objects BEFORE INSERT ON dataset_inputs FOR EACH ROW EXECUTE FUNCTION make_object();

-- What models are searched by.
CREATE FUNCTION name_model() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO names (object_id, name) VALUES (NEW.id, NEW.name)
    ON CONFLICT (object_id) DO UPDATE SET name = excluded.name;
    RETURN NEW;
END $$;
CREATE TRIGGER models_are_named AFTER INSERT OR UPDATE OF name ON models FOR EACH ROW EXECUTE FUNCTION name_model();
