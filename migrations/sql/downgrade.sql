-- The downgrade: drop everything that the other files created, with all rows. migrations/env.py drops Alembic's table,
-- and the schema if it is empty then; a role stays if another database of the server needs it.
SET search_path = pg_catalog, pg_temp;

-- No CASCADE: your own views and tables that refer to ours stop the downgrade.
DROP VIEW notify.v_workflow_stats, notify.v_notification_stats;
DROP FUNCTION notify.enqueue, notify.retract;
DROP TABLE notify.ent_notification_delivery, notify.ent_notification, notify.ent_notification_rule,
    notify.ent_notification_template, notify.ent_notification_workflow, notify.ent_enterprise_limit,
    notify.chore, notify.deployment;
DROP FUNCTION notify.guard_insert, notify.guard_update, notify.guard_frozen, notify.keep_updated_at,
    notify.wake, notify.wake_workers, notify.guard_event, notify.wake_rules;
DROP SEQUENCE notify.last_wakeup_ms;
DROP DOMAIN notify.recipients, notify.payload;
DROP TYPE notify.notification_status, notify.publish_status, notify.channel_type, notify.workflow_type,
    notify.rule_trigger_type, notify.rule_status;

-- If a role stays, it has no rights in this database any more.
REVOKE ALL ON ALL TABLES IN SCHEMA notify FROM xnovu_tenant, xnovu_worker;
REVOKE ALL ON SCHEMA notify FROM xnovu_tenant, xnovu_worker;

-- Roles belong to the whole server: another database may still need them, or another login may own them.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['xnovu_tenant', 'xnovu_worker'] LOOP
        BEGIN
            EXECUTE format('DROP OWNED BY %I', role_name);
            EXECUTE format('DROP ROLE %I', role_name);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            RAISE NOTICE 'role % stays: another database needs it, or this login may not drop it', role_name;
        END;
    END LOOP;
END $$;
