WITH here AS (
        -- The database that we are connected to.
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
        FROM pg_control_system()
    )
    UPDATE notify.deployment SET id = gen_random_uuid(), database = here.database, known_since = NULL
    FROM here
    WHERE deployment.database <> here.database AND NOT EXISTS (SELECT FROM notify.ent_notification)
        AND NOT EXISTS (SELECT FROM notify.ent_notification_rule)
