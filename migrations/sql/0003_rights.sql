-- Who may call notify.enqueue. The functions that a trigger or a CHECK calls with the writer's rights stay open to PUBLIC,
-- because any role may be given the right to write the table: they read no table.
SET search_path = pg_catalog, pg_temp;

REVOKE ALL ON FUNCTION notify.enqueue, notify.enqueue_own FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.enqueue TO xnovu_tenant, xnovu_producer, xnovu_worker;
GRANT EXECUTE ON FUNCTION notify.enqueue_own TO xnovu_tenant;
