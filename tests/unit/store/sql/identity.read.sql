WITH here AS (
        -- The database that we are connected to.
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
        FROM pg_control_system()
    )
    SELECT id, known_since, deployment.database <> here.database AS is_elsewhere
    FROM notify.deployment, here
