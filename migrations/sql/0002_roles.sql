-- The role of applications, xnovu_producer. Until now they had xnovu_tenant, which becomes the role of logins that a
-- tenant holds itself. Roles belong to the whole server, so another database may have made the role already.
SET search_path = pg_catalog, pg_temp;

-- Only the migration that creates the role moves the members of xnovu_tenant: later on, these are tenants. A member
-- keeps xnovu_tenant if another database still grants its applications rights by it.
DO $$
DECLARE
    statement text;
    statements text[] := '{}';
    moved text;
    is_used_elsewhere boolean := EXISTS (
        SELECT FROM pg_shdepend
        WHERE refclassid = 'pg_authid'::regclass AND refobjid = 'xnovu_tenant'::regrole
            AND dbid NOT IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())));
BEGIN
    IF to_regrole('xnovu_producer') IS NULL THEN
        statements := ARRAY['CREATE ROLE xnovu_producer NOLOGIN;'] || ARRAY(
            SELECT format('GRANT xnovu_producer TO %I%s;', r.rolname, CASE WHEN m.with_admin THEN ' WITH ADMIN OPTION' END)
            FROM (
                SELECT member, bool_or(admin_option) AS with_admin FROM pg_auth_members
                WHERE roleid = 'xnovu_tenant'::regrole GROUP BY member
            ) AS m
            JOIN pg_roles AS r ON r.oid = m.member
            WHERE r.rolname <> current_user
            ORDER BY r.rolname);
        IF NOT is_used_elsewhere THEN
            statements := statements || ARRAY(
                SELECT DISTINCT format('REVOKE xnovu_tenant FROM %I;', r.rolname)
                FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
                WHERE m.roleid = 'xnovu_tenant'::regrole AND r.rolname <> current_user);
        END IF;
        SELECT string_agg(DISTINCT quote_ident(r.rolname), ', ') INTO moved
        FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
        WHERE m.roleid = 'xnovu_tenant'::regrole AND r.rolname <> current_user;
    END IF;
    IF to_regrole('xnovu_producer') IS NULL OR NOT pg_has_role(current_user, 'xnovu_producer', 'USAGE') THEN
        statements := statements || format('GRANT xnovu_producer TO %I;', current_user);
    END IF;
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    IF moved IS NOT NULL THEN
        RAISE NOTICE 'These members of xnovu_tenant are members of xnovu_producer now, with the same rights: %. '
            'If a tenant holds one of these logins, revoke xnovu_producer from it and bind it: see SECURITY.md.', moved;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'roles: the login % may not create the roles of xnovu-poller', quote_ident(current_user)
        USING ERRCODE = 'insufficient_privilege',
            HINT = E'Nothing was changed. Let an administrator run these statements, then migrate again:\n    '
                || array_to_string(statements, E'\n    ');
END $$;
