-- A name leads to who had it last: not where it was given again.
UPDATE former_names SET leads = FALSE
WHERE EXISTS (SELECT 1 FROM models m WHERE m.project_id = former_names.project_id AND m.name = former_names.name
                                       AND m.id <> former_names.model_id)
   OR EXISTS (SELECT 1 FROM model_tombstones t
              WHERE t.project_id = former_names.project_id AND t.name = former_names.name)
   OR EXISTS (SELECT 1 FROM former_names f
              WHERE f.project_id = former_names.project_id AND f.name = former_names.name
                AND (f.until_ms, f.model_id) > (former_names.until_ms, former_names.model_id));
UPDATE former_paths SET leads = FALSE
WHERE EXISTS (SELECT 1 FROM projects p WHERE p.path = former_paths.path AND p.id <> former_paths.project_id)
   OR EXISTS (SELECT 1 FROM former_paths f
              WHERE f.path = former_paths.path
                AND (f.until_ms, f.project_id) > (former_paths.until_ms, former_paths.project_id));

-- A model that was made again under the name of another began to count at 1: it goes on where those of its name ended.
WITH given (project_id, name, last_version) AS (
        SELECT project_id, name, last_version FROM models
        UNION ALL SELECT f.project_id, f.name, m.last_version FROM former_names f JOIN models m ON m.id = f.model_id
        UNION ALL SELECT project_id, name, last_version FROM model_tombstones),
    paths (path, project_id) AS (SELECT path, id FROM projects UNION SELECT path, project_id FROM former_paths),
    highest (project_id, name, last_version) AS (
        SELECT p.id, g.name, MAX(g.last_version)
        FROM projects p JOIN paths a ON a.path = p.path JOIN given g ON g.project_id = a.project_id
        GROUP BY p.id, g.name)
UPDATE models SET last_version = h.last_version FROM highest h
WHERE h.project_id = models.project_id AND h.name = models.name
  AND h.last_version > models.last_version AND models.deleted_at_ms IS NULL;
