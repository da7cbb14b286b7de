WITH here AS (
        -- The database that we are connected to.
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
        FROM pg_control_system()
    )
    UPDATE notify.deployment SET database = here.database, known_since = now() FROM here
    RETURNING id, known_since
