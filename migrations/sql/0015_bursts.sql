-- Every burst is positive, also those from before the constraint of 0014_pauses.sql.
-- Writers go on meanwhile.
SET search_path = pg_catalog, pg_temp;

SET LOCAL lock_timeout = '900ms';
LOCK TABLE notify.ent_enterprise_limit IN SHARE UPDATE EXCLUSIVE MODE;
ALTER TABLE notify.ent_enterprise_limit VALIDATE CONSTRAINT ent_enterprise_limit_burst_check;
