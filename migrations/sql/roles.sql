-- The two group roles: xnovu_tenant for producers, xnovu_worker for the worker. Roles belong to the whole server, so
-- they may exist already. The login that migrates becomes a member of both.
SET search_path = pg_catalog, pg_temp;

DO $$
DECLARE
    role_name text;
    statement text;
    statements text[] := '{}';
BEGIN
    FOREACH role_name IN ARRAY ARRAY['xnovu_tenant', 'xnovu_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            statements := statements || format('CREATE ROLE %I NOLOGIN;', role_name)
                || format('GRANT %I TO %I;', role_name, current_user);
        ELSIF NOT pg_has_role(current_user, role_name, 'USAGE') THEN
            statements := statements || format('GRANT %I TO %I;', role_name, current_user);
        END IF;
    END LOOP;
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'roles: the login % may not create the roles of xnovu-poller', quote_ident(current_user)
        USING ERRCODE = 'insufficient_privilege',
            HINT = E'Nothing was changed. Let an administrator run these statements, then migrate again:\n    '
                || array_to_string(statements, E'\n    ');
END $$;
