INSERT INTO notify.chore AS c (name, finished_at, took_ms, report, error)
    VALUES (:name, clock_timestamp(), :took_ms, coalesce(CAST(:report AS jsonb), '{}'), :error)
    ON CONFLICT (name) DO UPDATE SET finished_at = EXCLUDED.finished_at, took_ms = EXCLUDED.took_ms,
        report = coalesce(CAST(:report AS jsonb), c.report), error = EXCLUDED.error
