SELECT name, finished_at, took_ms, report, error FROM notify.chore ORDER BY name
