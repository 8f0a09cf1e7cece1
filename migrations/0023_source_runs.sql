-- The run that a logged model came from where that is not here, or not any more: only its id is known.
ALTER TABLE logged_models ADD COLUMN source_run_id TEXT;
