-- The rights of tenants, and who may call which function. Last, the event trigger that refuses the DDL of tenants: for some
-- of these statements, PostgreSQL waits for a lock on a table before it asks who owns the table.
SET search_path = pg_catalog, pg_temp;

GRANT USAGE ON SCHEMA notify TO xnovu_tenant;
GRANT SELECT ON notify.my_notifications, notify.my_deliveries, notify.my_workflows, notify.my_templates, notify.my_rules,
    notify.my_enterprise, notify.my_limits TO xnovu_tenant, xnovu_producer;

-- A right to write a view would be a right to lock it, with the tables under it.
REVOKE INSERT, UPDATE, DELETE ON notify.v_workflow_stats, notify.v_notification_stats FROM xnovu_worker;

-- The function of a trigger needs no right of the writer.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA notify FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.bound_enterprise, notify.named_enterprise, notify.current_enterprise, notify.require_enterprise, notify.enqueue,
    notify.retract TO xnovu_tenant, xnovu_producer, xnovu_worker;
GRANT EXECUTE ON FUNCTION notify.enqueue_own TO xnovu_tenant;
GRANT EXECUTE ON FUNCTION notify.has_workflow TO xnovu_producer;
GRANT EXECUTE ON FUNCTION notify.save_workflow, notify.save_template, notify.save_rule, notify.delete_template,
    notify.delete_rule TO xnovu_tenant, xnovu_producer;
GRANT EXECUTE ON FUNCTION notify.wake_workers TO xnovu_producer, xnovu_worker;

-- CREATE RULE waits for an exclusive lock on any table, also one of pg_catalog, before it asks whether the login owns it.
-- Behind a transaction that reads the table, it would hold up everybody. Only a trigger of the database comes earlier.
-- A role may be gone, in a database that was restored elsewhere; everybody's DDL goes on there.
CREATE FUNCTION notify.refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = session_user AND rolsuper)
        AND (notify.bound_enterprise() IS NOT NULL OR pg_has_role(session_user, to_regrole('xnovu_tenant')::oid, 'USAGE')
            AND pg_has_role(session_user, to_regrole('xnovu_producer')::oid, 'USAGE') IS NOT TRUE)
    THEN
        RAISE EXCEPTION '%: the login of a tenant may not run it', tg_tag USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;
COMMENT ON FUNCTION notify.refuse_ddl IS 'Event trigger: refuse every CREATE, ALTER and DROP of a tenant''s login.';
REVOKE ALL ON FUNCTION notify.refuse_ddl FROM PUBLIC;

DO $$
BEGIN
    CREATE EVENT TRIGGER xnovu_refuse_ddl ON ddl_command_start EXECUTE FUNCTION notify.refuse_ddl();
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'Only a superuser can keep the logins of tenants from waiting for locks on tables. If you give logins to '
        'tenants, let one run: CREATE EVENT TRIGGER xnovu_refuse_ddl ON ddl_command_start '
        'EXECUTE FUNCTION notify.refuse_ddl();';
END $$;
