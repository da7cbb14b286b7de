SELECT
        -- PostgreSQL's estimate of the number of notifications.
        (SELECT CAST(greatest(reltuples, 0) AS bigint) FROM pg_class
            WHERE oid = to_regclass('notify.ent_notification')) AS estimated,
        -- The newest notifications, by state.
        (SELECT coalesce(jsonb_object_agg(status, number), '{}') FROM (
            SELECT status, count(*) AS number FROM (
                SELECT notification_status::text AS status FROM notify.ent_notification
                ORDER BY id DESC LIMIT 10000) AS newest
            GROUP BY status) AS by_status) AS newest,
        -- All rules, by state.
        (SELECT coalesce(jsonb_object_agg(status, number), '{}') FROM (
            SELECT coalesce(rule_status::text, 'UNSEEN') AS status, count(*) AS number
            FROM notify.ent_notification_rule GROUP BY 1) AS by_status) AS rules
