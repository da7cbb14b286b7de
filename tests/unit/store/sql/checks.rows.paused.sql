SELECT format('pauses: they hold back %s, the oldest since %s; `xnovu pause --list` shows what waits, `xnovu resume` ends a pause',
        CASE WHEN everything > 0 THEN 'all notifications' ELSE concat_ws(' and ', nullif(enterprises, 0) || CASE enterprises WHEN 1 THEN ' enterprise' ELSE ' enterprises' END, nullif(workflows, 0) || CASE workflows WHEN 1 THEN ' workflow' ELSE ' workflows' END) END,
        to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
    FROM (
        SELECT count(*) FILTER (WHERE p.enterprise_id IS NULL AND p.workflow_key IS NULL) AS everything,
            count(*) FILTER (WHERE p.enterprise_id IS NOT NULL AND p.workflow_key IS NULL) AS enterprises,
            count(*) FILTER (WHERE p.workflow_key IS NOT NULL) AS workflows, min(p.paused_at) AS since
        FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now())
    ) AS counted
    WHERE since IS NOT NULL
