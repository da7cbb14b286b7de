-- Undo 0002_roles, except for what the files of 0001 create again: versions/0002_roles.py runs them afterwards. The bounds
-- of enterprises and the bindings of logins are lost.
SET search_path = pg_catalog, pg_temp;

DO $$
BEGIN
    DROP EVENT TRIGGER IF EXISTS xnovu_refuse_ddl;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'event trigger: the login % may not drop xnovu_refuse_ddl', quote_ident(current_user)
        USING ERRCODE = 'insufficient_privilege',
            HINT = E'Nothing was changed. Let an administrator run this statement in the database, then downgrade again:\n    '
                'DROP EVENT TRIGGER xnovu_refuse_ddl;';
END $$;
DROP FUNCTION notify.refuse_ddl;
DROP VIEW notify.my_notifications, notify.my_deliveries, notify.my_workflows, notify.my_templates, notify.my_rules,
    notify.my_enterprise, notify.my_limits, notify.v_workflow_stats, notify.v_notification_stats;
DROP TRIGGER guard_bounds ON notify.ent_notification;
DROP TRIGGER guard_bounds ON notify.ent_notification_rule;
DROP TRIGGER guard_bounds ON notify.ent_notification_workflow;
DROP TRIGGER wake ON notify.ent_notification;
DROP FUNCTION notify.guard_bounds, notify.guard_rule_bounds, notify.guard_workflow_bounds, notify.is_within_bounds,
    notify.save_workflow, notify.save_template, notify.save_rule, notify.delete_template, notify.delete_rule,
    notify.enqueue_own, notify.enqueue, notify.retract, notify.wake, notify.wake_workers;
DROP SEQUENCE notify.last_heard_ms, notify.last_wakeup_ms;

DROP POLICY producer ON notify.ent_notification;
DROP POLICY producer ON notify.ent_notification_rule;
DROP POLICY producer ON notify.ent_notification_delivery;
DROP POLICY producer ON notify.ent_notification_workflow;
DROP POLICY producer ON notify.ent_notification_template;
DROP POLICY producer ON notify.ent_enterprise_limit;
DROP POLICY producer_reads_global ON notify.ent_notification_workflow;
DROP POLICY producer_reads_global ON notify.ent_notification_template;
DROP POLICY workflow_is_own_or_global ON notify.ent_notification;
DROP POLICY workflow_stays_own_or_global ON notify.ent_notification;
DROP POLICY rule_is_own ON notify.ent_notification;
DROP POLICY workflow_is_own_or_global ON notify.ent_notification_rule;
DROP POLICY workflow_stays_own_or_global ON notify.ent_notification_rule;
DROP POLICY worker ON notify.ent_notification;
DROP POLICY worker ON notify.ent_notification_rule;
DROP POLICY worker ON notify.ent_notification_delivery;
DROP POLICY worker ON notify.ent_notification_workflow;
DROP POLICY worker ON notify.ent_notification_template;
DROP POLICY worker ON notify.ent_enterprise_limit;
ALTER TABLE notify.ent_enterprise_limit ALTER COLUMN enterprise_id TYPE TEXT COLLATE "default";
ALTER TABLE notify.chore ALTER COLUMN name TYPE TEXT COLLATE "default";

DROP FUNCTION notify.has_workflow;
ALTER FUNCTION notify.guard_event RESET search_path;
DROP TRIGGER guard_insert ON notify.ent_notification;
DROP TRIGGER guard_update ON notify.ent_notification;
DROP TRIGGER guard_frozen ON notify.ent_notification;
DROP TRIGGER keep_updated_at ON notify.ent_notification_workflow;
DROP TRIGGER keep_updated_at ON notify.ent_notification_template;
DROP TRIGGER keep_updated_at ON notify.ent_enterprise_limit;
DROP TRIGGER keep_updated_at ON notify.ent_notification_rule;
DROP TRIGGER keep_updated_at ON notify.ent_enterprise;
DROP FUNCTION notify.guard_insert, notify.guard_update, notify.guard_frozen, notify.keep_updated_at;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA notify TO PUBLIC;
CREATE OR REPLACE FUNCTION notify.wake_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('xnovu_rules', '');
    RETURN NULL;
END $$;

-- In the older schema, xnovu_tenant is the role of applications, and chooses its enterprise: the members of xnovu_producer
-- have it again, and nobody else keeps it, because a tenant holds every other login, bound or not. Since PostgreSQL 16,
-- each grantor's grant is revoked by itself.
DO $$
DECLARE
    statement text;
    statements text[] := ARRAY(
        SELECT format('REVOKE xnovu_tenant FROM %s%s CASCADE;', m.member::regrole,
            CASE WHEN current_setting('server_version_num')::int >= 160000
                THEN ' GRANTED BY ' || m.grantor::regrole END)
        FROM pg_auth_members AS m
        WHERE m.roleid = 'xnovu_tenant'::regrole AND m.member <> to_regrole(quote_ident(current_user))
            AND (NOT pg_has_role(m.member, 'xnovu_producer', 'MEMBER')
                OR EXISTS (SELECT FROM notify.tenant_login AS t WHERE t.login_oid = m.member))
        ORDER BY 1
    ) || ARRAY(
        SELECT DISTINCT format('GRANT xnovu_tenant TO %s;', m.member::regrole)
        FROM pg_auth_members AS m
        WHERE m.roleid = 'xnovu_producer'::regrole AND NOT pg_has_role(m.member, 'xnovu_tenant', 'MEMBER')
            AND NOT EXISTS (SELECT FROM notify.tenant_login AS t WHERE t.login_oid = m.member)
            -- The role of the API is of a later revision; if it is still there, another database needs it as it is.
            AND m.member IS DISTINCT FROM to_regrole('xnovu_api')
        ORDER BY 1
    );
    kept text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
        RAISE NOTICE '%', statement;
    END LOOP;
    -- A bound login may still have it through a group of producers.
    SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname) INTO kept
    FROM pg_roles AS r
    WHERE NOT r.rolsuper AND r.rolname <> current_user AND pg_has_role(r.oid, 'xnovu_tenant', 'MEMBER')
        AND (NOT pg_has_role(r.oid, 'xnovu_producer', 'MEMBER')
            OR EXISTS (SELECT FROM notify.tenant_login AS t WHERE t.login_oid = r.oid))
        AND r.rolname NOT IN ('xnovu_tenant', 'xnovu_producer', 'xnovu_worker');
    IF kept IS NOT NULL THEN
        RAISE EXCEPTION 'roles: after the downgrade these logins of tenants could choose their enterprise: %', kept
            USING ERRCODE = 'insufficient_privilege',
                HINT = 'Nothing was changed. Revoke xnovu_tenant and xnovu_producer from them and their groups, then downgrade again.';
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    IF kept IS NOT NULL THEN
        RAISE;
    END IF;
    RAISE EXCEPTION 'roles: the login % may not change the members of xnovu_tenant', quote_ident(current_user)
        USING ERRCODE = 'insufficient_privilege',
            HINT = E'Nothing was changed. Let an administrator run these statements, then downgrade again:\n    '
                || array_to_string(statements, E'\n    ');
END $$;

DROP TABLE notify.tenant_login, notify.ent_enterprise;
DROP FUNCTION notify.bind_login, notify.require_enterprise, notify.current_enterprise, notify.named_enterprise, notify.bound_enterprise;
REVOKE ALL ON ALL TABLES IN SCHEMA notify FROM xnovu_tenant, xnovu_producer;
REVOKE ALL ON SCHEMA notify FROM xnovu_tenant, xnovu_producer;

-- Another database may still need the role, or another login own it.
DO $$
BEGIN
    DROP OWNED BY xnovu_producer;
    DROP ROLE xnovu_producer;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
    RAISE NOTICE 'role xnovu_producer stays: another database needs it, or this login may not drop it';
END $$;
