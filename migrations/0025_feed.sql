-- The newest published versions of a project, which its feed shows.
CREATE INDEX model_versions_published ON model_versions (project_id, published_at_ms, id)
WHERE published_at_ms IS NOT NULL AND deleted_at_ms IS NULL;
