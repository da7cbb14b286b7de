-- Who may do what: the enterprise for which a session acts, row-level security and the rights of xnovu_producer, and
-- functions that mean the same under every search path. xnovu_tenant loses all rights on tables.
SET search_path = pg_catalog, pg_temp;

-- A session cannot change its session_user, so a binding of the login wins over that of a role which it takes. A binding
-- whose name and role do not match any more is void: '' is nobody's enterprise.
-- No query has a parameter, or PostgreSQL might plan it at each call.
CREATE FUNCTION notify.bound_enterprise(named text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bound text := (
        SELECT max(CASE WHEN b.login = session_user AND b.login_oid = to_regrole(quote_ident(session_user))
            THEN b.enterprise_id ELSE '' END)
        FROM notify.tenant_login AS b
        WHERE b.login = session_user OR b.login_oid = to_regrole(quote_ident(session_user)));
BEGIN
    IF bound IS NULL AND current_setting('role') NOT IN ('none', session_user) THEN
        bound := (
            SELECT max(CASE WHEN b.login = current_setting('role')
                AND b.login_oid = to_regrole(quote_ident(current_setting('role'))) THEN b.enterprise_id ELSE '' END)
            FROM notify.tenant_login AS b
            WHERE b.login = current_setting('role') OR b.login_oid = to_regrole(quote_ident(current_setting('role'))));
    END IF;
    RETURN coalesce(bound, NULLIF(named, ''));
END $$;
COMMENT ON FUNCTION notify.bound_enterprise IS
    'The enterprise that notify.tenant_login binds this login to, or the role that it has taken by SET ROLE; else the '
    'argument. An empty text: the binding is void.';

CREATE FUNCTION notify.named_enterprise() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN notify.bound_enterprise(current_setting('app.current_enterprise_id', true));
END $$;
COMMENT ON FUNCTION notify.named_enterprise IS
    'The enterprise that this login is bound to, else the enterprise that app.current_enterprise_id names; null: none.';

-- For views, and for functions that run with their owner's rights: there current_user is not the caller.
CREATE FUNCTION notify.current_enterprise() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
BEGIN
    IF pg_has_role(caller, 'xnovu_producer', 'USAGE') OR pg_has_role(caller, 'xnovu_worker', 'USAGE') THEN
        RETURN notify.named_enterprise();
    END IF;
    RETURN notify.bound_enterprise();
END $$;
COMMENT ON FUNCTION notify.current_enterprise IS
    'The enterprise for which the caller may act: that to which its login is bound, else, for xnovu_producer and '
    'xnovu_worker, that which app.current_enterprise_id names; null: none.';

ALTER TABLE notify.tenant_login ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_enterprise ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY worker ON notify.tenant_login TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_enterprise TO xnovu_worker USING (true) WITH CHECK (true);

DROP POLICY tenant ON notify.ent_notification;
DROP POLICY tenant ON notify.ent_notification_rule;
DROP POLICY tenant ON notify.ent_notification_delivery;
DROP POLICY tenant ON notify.ent_notification_workflow;
DROP POLICY tenant ON notify.ent_notification_template;
DROP POLICY tenant_reads_global ON notify.ent_notification_workflow;
DROP POLICY tenant_reads_global ON notify.ent_notification_template;
REVOKE ALL ON ALL TABLES IN SCHEMA notify FROM xnovu_tenant;

-- The subqueries run once for each statement, not for each row. A producer's own function may have another login's rights,
-- so the policies accept the setting from any login; but a binding wins.
CREATE POLICY producer ON notify.ent_notification TO xnovu_producer
    USING (enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))));
CREATE POLICY producer ON notify.ent_notification_rule TO xnovu_producer
    USING (enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))));
CREATE POLICY producer ON notify.ent_notification_delivery FOR SELECT TO xnovu_producer
    USING (enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))));
CREATE POLICY producer ON notify.ent_notification_workflow TO xnovu_producer
    USING (enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))));
CREATE POLICY producer ON notify.ent_notification_template TO xnovu_producer
    USING (enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))));
CREATE POLICY producer ON notify.ent_enterprise_limit FOR SELECT TO xnovu_producer
    USING (enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))));
CREATE POLICY producer ON notify.ent_enterprise FOR SELECT TO xnovu_producer
    USING (enterprise_id = (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))));

-- A producer that names an enterprise reads the global rows, but neither writes nor locks them.
CREATE POLICY producer_reads_global ON notify.ent_notification_workflow FOR SELECT TO xnovu_producer
    USING (enterprise_id IS NULL
        AND (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))) <> '');
CREATE POLICY producer_reads_global ON notify.ent_notification_template FOR SELECT TO xnovu_producer
    USING (enterprise_id IS NULL
        AND (SELECT notify.bound_enterprise(current_setting('app.current_enterprise_id', true))) <> '');

-- A foreign key looks past row-level security: it would show whether another enterprise's row exists, and lock it. These
-- policies are checked before it, and after those above. A function costs less than a subquery under row-level security.
-- Anybody may call it with any ids, so it answers only for the caller's own enterprise. A worker acts for all of them.
CREATE FUNCTION notify.has_workflow(enterprise_id text, workflow_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM notify.ent_notification_workflow AS w
        WHERE w.id = workflow_id AND (w.enterprise_id = has_workflow.enterprise_id OR w.enterprise_id IS NULL)
    ) AND coalesce(has_workflow.enterprise_id = NULLIF(notify.named_enterprise(), ''), false);
END $$;
COMMENT ON FUNCTION notify.has_workflow IS
    'Whether your enterprise may use a workflow: its own or a global workflow. False for any other enterprise.';
CREATE POLICY workflow_is_own_or_global ON notify.ent_notification AS RESTRICTIVE FOR INSERT TO xnovu_producer
    WITH CHECK (notification_workflow_id IS NULL OR pg_has_role('xnovu_worker', 'USAGE')
        OR notify.has_workflow(enterprise_id, notification_workflow_id));
CREATE POLICY workflow_stays_own_or_global ON notify.ent_notification AS RESTRICTIVE FOR UPDATE TO xnovu_producer
    USING (true)
    WITH CHECK (notification_workflow_id IS NULL OR pg_has_role('xnovu_worker', 'USAGE')
        OR notify.has_workflow(enterprise_id, notification_workflow_id));
CREATE POLICY rule_is_own ON notify.ent_notification AS RESTRICTIVE FOR INSERT TO xnovu_producer
    WITH CHECK (notification_rule_id IS NULL OR EXISTS (
        SELECT FROM notify.ent_notification_rule AS r WHERE r.id = notification_rule_id));
CREATE POLICY workflow_is_own_or_global ON notify.ent_notification_rule AS RESTRICTIVE FOR INSERT TO xnovu_producer
    WITH CHECK (pg_has_role('xnovu_worker', 'USAGE') OR notify.has_workflow(enterprise_id, notification_workflow_id));
CREATE POLICY workflow_stays_own_or_global ON notify.ent_notification_rule AS RESTRICTIVE FOR UPDATE TO xnovu_producer
    USING (true)
    WITH CHECK (pg_has_role('xnovu_worker', 'USAGE') OR notify.has_workflow(enterprise_id, notification_workflow_id));

GRANT USAGE ON SCHEMA notify TO xnovu_producer;
GRANT SELECT ON notify.tenant_login TO xnovu_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.ent_enterprise TO xnovu_worker;

-- A right to insert, update, delete or truncate a table is a right to lock it, and so to hold up every enterprise. A right
-- on columns is not. So a producer writes columns, and deletes by functions.
GRANT SELECT ON notify.ent_notification, notify.ent_notification_rule, notify.ent_notification_delivery,
    notify.ent_notification_workflow, notify.ent_notification_template, notify.ent_enterprise_limit, notify.ent_enterprise,
    notify.v_workflow_stats, notify.v_notification_stats TO xnovu_producer;
GRANT INSERT (enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, channels,
        overrides, tags, priority, dedup_key, publish_status, deactivated, scheduled_for, expires_at),
    UPDATE (name, notification_workflow_id, payload, recipients, channels, overrides, tags, priority, dedup_key,
        publish_status, deactivated, scheduled_for, expires_at)
    ON notify.ent_notification TO xnovu_producer;
GRANT INSERT (enterprise_id, name, notification_workflow_id, trigger_type, trigger_config, rule_payload,
        publish_status, deactivated),
    UPDATE (name, notification_workflow_id, trigger_type, trigger_config, rule_payload, publish_status, deactivated)
    ON notify.ent_notification_rule TO xnovu_producer;
GRANT INSERT (enterprise_id, name, template_key, channel_type, subject_template, body_template, variables_description,
        publish_status, deactivated),
    UPDATE (name, template_key, channel_type, subject_template, body_template, variables_description, publish_status,
        deactivated)
    ON notify.ent_notification_template TO xnovu_producer;
GRANT INSERT (enterprise_id, name, description, workflow_type, workflow_key, default_channels, payload_schema,
        template_overrides, publish_status, deactivated),
    UPDATE (name, description, workflow_type, workflow_key, default_channels, payload_schema, template_overrides,
        publish_status, deactivated)
    ON notify.ent_notification_workflow TO xnovu_producer;
