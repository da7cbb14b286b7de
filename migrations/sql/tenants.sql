-- The tenants: row-level security and the rights of the two roles. A tenant reaches the rows of the enterprise
-- that app.current_enterprise_id names, and writes only a producer's columns; the worker reaches all rows.
SET search_path = pg_catalog, pg_temp;

-- FORCE: the owner of the tables too. A role without a matching policy sees no row.
ALTER TABLE notify.ent_notification ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_notification_rule ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_notification_delivery ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_notification_workflow ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_notification_template ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notify.ent_enterprise_limit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- The setting is '' after a transaction that set it locally. NULLIF turns that into no tenant, so nothing is visible.
CREATE POLICY tenant ON notify.ent_notification TO xnovu_tenant
    USING (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
    WITH CHECK (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''));
CREATE POLICY tenant ON notify.ent_notification_rule TO xnovu_tenant
    USING (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
    WITH CHECK (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''));
CREATE POLICY tenant ON notify.ent_notification_delivery FOR SELECT TO xnovu_tenant
    USING (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''));
CREATE POLICY tenant ON notify.ent_notification_workflow TO xnovu_tenant
    USING (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
    WITH CHECK (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''));
CREATE POLICY tenant ON notify.ent_notification_template TO xnovu_tenant
    USING (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''))
    WITH CHECK (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''));
CREATE POLICY tenant ON notify.ent_enterprise_limit FOR SELECT TO xnovu_tenant
    USING (enterprise_id = NULLIF(current_setting('app.current_enterprise_id', true), ''));

-- Every tenant reads the global rows, and none writes them.
CREATE POLICY tenant_reads_global ON notify.ent_notification_workflow FOR SELECT TO xnovu_tenant
    USING (enterprise_id IS NULL AND NULLIF(current_setting('app.current_enterprise_id', true), '') IS NOT NULL);
CREATE POLICY tenant_reads_global ON notify.ent_notification_template FOR SELECT TO xnovu_tenant
    USING (enterprise_id IS NULL AND NULLIF(current_setting('app.current_enterprise_id', true), '') IS NOT NULL);

CREATE POLICY worker ON notify.ent_notification TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_notification_rule TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_notification_delivery TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_notification_workflow TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_notification_template TO xnovu_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON notify.ent_enterprise_limit TO xnovu_worker USING (true) WITH CHECK (true);

GRANT USAGE ON SCHEMA notify TO xnovu_tenant, xnovu_worker;

-- The worker writes every table, except that it neither migrates nor makes a second deployment.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA notify TO xnovu_worker;
REVOKE INSERT, UPDATE, DELETE ON notify.alembic_version FROM xnovu_worker;
REVOKE INSERT, DELETE ON notify.deployment FROM xnovu_worker;
-- The sequence shows which ids were ever used; with that, the worker recognises a copy of the database.
GRANT SELECT ON SEQUENCE notify.ent_notification_id_seq TO xnovu_worker;

-- A tenant reads its own rows, and writes a producer's columns. Nothing is granted on notify.chore and
-- notify.deployment, which belong to the deployment.
GRANT SELECT ON notify.ent_notification, notify.ent_notification_rule, notify.ent_notification_delivery,
    notify.ent_notification_workflow, notify.ent_notification_template, notify.ent_enterprise_limit,
    notify.v_workflow_stats, notify.v_notification_stats TO xnovu_tenant;
GRANT INSERT (enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, channels,
        overrides, tags, priority, dedup_key, publish_status, deactivated, scheduled_for, expires_at),
    UPDATE (name, notification_workflow_id, payload, recipients, channels, overrides, tags, priority, dedup_key,
        publish_status, deactivated, scheduled_for, expires_at)
    ON notify.ent_notification TO xnovu_tenant;
GRANT INSERT (enterprise_id, name, notification_workflow_id, trigger_type, trigger_config, rule_payload,
        publish_status, deactivated),
    UPDATE (enterprise_id, name, notification_workflow_id, trigger_type, trigger_config, rule_payload,
        publish_status, deactivated),
    DELETE ON notify.ent_notification_rule TO xnovu_tenant;
GRANT INSERT, UPDATE, DELETE ON notify.ent_notification_template TO xnovu_tenant;
-- No DELETE: it would scan all notifications for the workflow. A tenant unpublishes a workflow instead.
GRANT INSERT, UPDATE ON notify.ent_notification_workflow TO xnovu_tenant;
