WITH here AS (
        -- The database that we are connected to.
        SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()) AS database
        FROM pg_control_system()
    ), former AS (
        -- The current id, which the original keeps.
        SELECT id FROM notify.deployment
    )
    UPDATE notify.deployment SET id = gen_random_uuid(), database = here.database, known_since = now(), created_at = now()
    FROM here, former
    RETURNING former.id AS former, deployment.id
