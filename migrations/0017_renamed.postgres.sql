-- Names that things had before 0012: of renames from then only the log knows.
INSERT INTO former_names (project_id, name, model_id, until_ms)
SELECT m.project_id, e.detail::JSON ->> 'from', m.id, MAX(e.at_ms) FROM events e JOIN models m ON m.id = e.model_id
WHERE e.action = 'model.rename' AND NOT e.refused AND e.detail::JSON ->> 'from' IS NOT NULL
GROUP BY m.project_id, e.detail::JSON ->> 'from', m.id
ON CONFLICT (project_id, name, model_id) DO UPDATE SET until_ms = excluded.until_ms;
INSERT INTO former_paths (path, project_id, until_ms)
SELECT e.detail::JSON ->> 'from', p.id, MAX(e.at_ms) FROM events e JOIN projects p ON p.id = e.project_id
WHERE e.action = 'project.rename' AND NOT e.refused AND e.detail::JSON ->> 'from' IS NOT NULL
GROUP BY e.detail::JSON ->> 'from', p.id
ON CONFLICT (path, project_id) DO UPDATE SET until_ms = excluded.until_ms;
