"""Check who may do more than SECURITY.md allows: who could act for another enterprise, or hold everybody up."""

from sqlalchemy import text

from xnovu_poller.store.checks.finding import Check

# Superusers and the owner of the schema pass for anybody by their nature. A login that is bound acts for its enterprise,
# unless it can take a role that no policy confines; a login of xnovu_tenant without a binding should act for nobody.
_TENANTS = text("""
    WITH role AS (
        -- The roles of this program that exist, and the owner of the schema.
        SELECT to_regrole('xnovu_worker')::oid AS worker, to_regrole('xnovu_producer')::oid AS producer,
            to_regrole('xnovu_tenant')::oid AS tenant, (SELECT nspowner FROM pg_namespace WHERE nspname = 'notify') AS owner
    ), login AS (
        -- The logins that a tenant holds, or that read rows of enterprises.
        SELECT r.oid, r.rolname, quote_ident(r.rolname) AS name, r.rolsuper, r.rolbypassrls,
            EXISTS (SELECT FROM notify.tenant_login b WHERE b.login = r.rolname AND b.login_oid = r.oid) AS is_bound,
            EXISTS (SELECT FROM pg_roles p WHERE pg_has_role(r.oid, p.oid, 'MEMBER')
                AND p.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
                AS reads_files,
            pg_has_role(r.oid, role.worker, 'MEMBER') AS is_worker,
            pg_has_role(r.oid, role.producer, 'MEMBER') AS is_producer,
            pg_has_role(r.oid, role.tenant, 'MEMBER') AS is_tenant,
            pg_has_role(r.oid, role.owner, 'MEMBER') AS is_owner
        FROM pg_roles r, role WHERE r.rolcanlogin
    )
    SELECT format('login %s: it can act for every enterprise, because it %s; %s', l.name, found.fact, found.mend)
    FROM login l CROSS JOIN LATERAL (
        SELECT 'is a superuser' AS fact, format('run: ALTER ROLE %s NOSUPERUSER', l.name) AS mend
        WHERE l.rolsuper AND l.is_bound
        UNION ALL
        SELECT 'bypasses row-level security', format('run: ALTER ROLE %s NOBYPASSRLS', l.name)
        WHERE l.rolbypassrls AND NOT l.rolsuper
            AND (l.is_bound OR NOT l.is_owner AND NOT l.is_worker AND (l.is_producer OR l.is_tenant))
        UNION ALL
        SELECT 'is bound and a member of xnovu_worker', format('run: REVOKE xnovu_worker FROM %s', l.name)
        WHERE NOT l.rolsuper AND l.is_bound AND l.is_worker
        UNION ALL
        SELECT 'is bound and can become the owner of the schema', format('revoke the owner''s role from %s', l.name)
        WHERE NOT l.rolsuper AND l.is_bound AND l.is_owner
        UNION ALL
        SELECT 'can read the files of the server', format('revoke pg_execute_server_program, pg_read_server_files and '
            'pg_write_server_files from %s', l.name)
        WHERE NOT l.rolsuper AND l.reads_files AND (l.is_bound OR l.is_tenant AND NOT l.is_owner AND NOT l.is_worker)
        UNION ALL
        SELECT 'is a member of xnovu_tenant and of a role that names its enterprise itself',
            format('bind it: INSERT INTO notify.tenant_login (login, enterprise_id) VALUES (%L, ''…''), or run: '
                'REVOKE xnovu_tenant FROM %s', l.rolname, l.name)
        WHERE NOT l.rolsuper AND NOT l.is_owner AND l.is_tenant AND NOT l.is_bound AND (l.is_producer OR l.is_worker)
    ) AS found
    ORDER BY l.rolname LIMIT 50""")

_SEVERAL = text("""
    SELECT format('login %s: it is not bound, and can take roles that are bound to %s enterprises; bind it to one of them, or'
        ' revoke the others from it', quote_ident(r.rolname), count(DISTINCT b.enterprise_id))
    FROM pg_roles r
    JOIN notify.tenant_login b ON b.login_oid <> r.oid AND pg_has_role(r.oid, b.login_oid, 'MEMBER')
    WHERE r.rolcanlogin AND NOT r.rolsuper
        AND NOT EXISTS (SELECT FROM notify.tenant_login own WHERE own.login_oid = r.oid)
        AND NOT pg_has_role(r.oid, (SELECT nspowner FROM pg_namespace WHERE nspname = 'notify'), 'MEMBER')
    GROUP BY r.rolname HAVING count(DISTINCT b.enterprise_id) > 1
    ORDER BY r.rolname LIMIT 50""")

_VOID = text("""
    SELECT format('binding of %s: no login has this name and its number, so it is void; run: UPDATE notify.tenant_login'
        ' SET login = ''name'' WHERE login = %L, or DELETE it', quote_ident(b.login), b.login)
    FROM notify.tenant_login b
    WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = b.login AND r.oid = b.login_oid)
    ORDER BY b.login LIMIT 50""")

_POLICIES = text("""
    SELECT format('policy %1$s of notify.%2$s: it opens rows to %3$s, which is no role of this program; run: DROP POLICY %1$s'
        ' ON notify.%2$s', quote_ident(p.polname), c.relname,
        (SELECT string_agg(coalesce(quote_ident(r.rolname), 'everybody'), ', ' ORDER BY r.rolname)
            FROM unnest(p.polroles) AS granted (role) LEFT JOIN pg_roles r ON r.oid = granted.role))
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
    WHERE c.relnamespace = to_regnamespace('notify') AND p.polpermissive AND EXISTS (
        SELECT FROM unnest(p.polroles) AS granted (role) LEFT JOIN pg_roles r ON r.oid = granted.role
        WHERE starts_with(r.rolname, 'xnovu_') IS NOT true)
    ORDER BY c.relname, p.polname""")

_EVENT_TRIGGER = text("""
    SELECT format('event trigger xnovu_refuse_ddl: is %s, so the login of a tenant can hold up everybody by waiting for a lock'
        ' on a table; give tenants no login before a superuser has run: %s', found.fact, found.mend)
    FROM (
        SELECT CASE WHEN e.oid IS NULL THEN 'missing' ELSE 'off' END AS fact, CASE WHEN e.oid IS NULL
            THEN 'CREATE EVENT TRIGGER xnovu_refuse_ddl ON ddl_command_start EXECUTE FUNCTION notify.refuse_ddl()'
            ELSE 'ALTER EVENT TRIGGER xnovu_refuse_ddl ENABLE' END AS mend
        FROM (VALUES (to_regproc('notify.refuse_ddl')::oid)) AS ours (function)
        LEFT JOIN pg_event_trigger e ON e.evtname = 'xnovu_refuse_ddl' AND e.evtfoid = ours.function
        WHERE e.oid IS NULL OR e.evtenabled NOT IN ('O', 'A')
    ) AS found""")

RIGHTS = (
    Check("tenant_unconfined", "no tenant's login can act for another enterprise", _TENANTS),
    Check("tenant_several", "no login can choose between bound roles", _SEVERAL),
    Check("binding_void", "each binding belongs to a login", _VOID),
    Check("policy_foreign", "only this program's policies open rows", _POLICIES),
    Check(
        "event_trigger_off", "the event trigger keeps tenants' logins from locks on tables", _EVENT_TRIGGER
    ),
)
