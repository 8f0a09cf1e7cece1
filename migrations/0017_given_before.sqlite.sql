-- Names that were given before 0012: of renames from then only the log knows.
INSERT INTO former_names (project_id, name, model_id, until_ms)
SELECT m.project_id, e.detail ->> '$.from', m.id, MAX(e.at_ms) FROM events e JOIN models m ON m.id = e.model_id
WHERE e.action = 'model.rename' AND NOT e.refused AND e.detail ->> '$.from' IS NOT NULL
GROUP BY m.project_id, e.detail ->> '$.from', m.id
ON CONFLICT (project_id, name, model_id) DO UPDATE SET until_ms = excluded.until_ms;
INSERT INTO former_paths (path, project_id, until_ms)
SELECT e.detail ->> '$.from', p.id, MAX(e.at_ms) FROM events e JOIN projects p ON p.id = e.project_id
WHERE e.action = 'project.rename' AND NOT e.refused AND e.detail ->> '$.from' IS NOT NULL
GROUP BY e.detail ->> '$.from', p.id
ON CONFLICT (path, project_id) DO UPDATE SET until_ms = excluded.until_ms;

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
    paths (path, project_id) AS (SELECT path, id FROM projects UNION SELECT path, project_id FROM former_paths)
UPDATE models SET last_version = (
    SELECT MAX(g.last_version) FROM projects p JOIN paths a ON a.path = p.path JOIN given g ON g.project_id = a.project_id
    WHERE p.id = models.project_id AND g.name = models.name)
WHERE deleted_at_ms IS NULL;
