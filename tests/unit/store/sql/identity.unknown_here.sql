SELECT started.id, started.attempt
    FROM notify.ent_notification_id_seq AS counter,
        unnest(CAST(:ids AS bigint[]), CAST(:attempts AS bigint[])) WITH ORDINALITY AS started (id, attempt, position)
    LEFT JOIN notify.ent_notification n ON n.id = started.id
    WHERE started.attempt > n.attempt
        OR n.id IS NULL AND started.id > CASE WHEN counter.is_called THEN counter.last_value ELSE 0 END
    ORDER BY started.position LIMIT 1
