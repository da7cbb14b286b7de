-- Undo the revision of this number: the API's functions, keys, buckets and role.
-- A role that another database uses stays.
SET search_path = pg_catalog, pg_temp;

DROP FUNCTION notify.enqueue_many, notify.retract_own, notify.revive_own, notify.switch_rule_own, notify.audit_fire_own,
    notify.admit_request, notify.take_token,
    notify.count_workflows;
DROP TABLE notify.api_key, notify.rate_bucket;
DROP POLICY api ON notify.ent_notification_event;
REVOKE ALL ON ALL TABLES IN SCHEMA notify FROM xnovu_api;

-- Another database may still need the role, or another login own it.
DO $$
BEGIN
    DROP OWNED BY xnovu_api;
    DROP ROLE xnovu_api;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
    RAISE NOTICE 'role xnovu_api stays: another database needs it, or this login may not drop it';
END $$;
