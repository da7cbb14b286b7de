WITH session AS MATERIALIZED (
        -- Take the lock that lets only one replica purge at a time. Do not wait for the disk: rows that come back after a
        -- crash are deleted again.
        SELECT pg_try_advisory_xact_lock(hashtext('xnovu-poller purge')) AS has_lock,
            set_config('synchronous_commit', 'off', true) AS synchronous_commit,
            clock_timestamp() - make_interval(secs => :keep) AS horizon
    ), slice AS MATERIALIZED (
        -- The next rows by id, and whether each is old enough that it may have ended before the horizon.
        SELECT n.id, n.created_at < session.horizon AS older
        FROM session, LATERAL (
            SELECT id, created_at FROM notify.ent_notification WHERE id > :after ORDER BY id LIMIT :size
        ) AS n
        WHERE session.has_lock
    ), ended AS MATERIALIZED (
        -- The rows that ended before the horizon, except those that others hold or that wait for a cancel at Novu.
        SELECT n.id FROM session, notify.ent_notification n
        WHERE n.id = ANY (ARRAY(SELECT id FROM slice WHERE older))
            AND n.notification_status IN ('SENT', 'DEAD', 'RETRACTED')
            AND coalesce(greatest(n.processed_at, n.retracted_at), n.updated_at) < session.horizon
            AND NOT (n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL AND n.error_details IS NULL)
        ORDER BY n.id
        FOR UPDATE OF n SKIP LOCKED
    ), deleted AS (
        -- Delete these rows; their deliveries go with them.
        DELETE FROM notify.ent_notification n USING ended WHERE n.id = ended.id
        RETURNING n.id
    )
    SELECT session.has_lock, (SELECT count(*) FROM deleted) AS deleted, (SELECT max(id) FROM slice) AS after,
        coalesce((SELECT bool_or(older) FROM slice), false) AS older
    FROM session
