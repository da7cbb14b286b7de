-- Undo the revision of this number, so that the schema is as it was before it.
-- The brakes stay in their rows.
SET search_path = pg_catalog, pg_temp;

DROP INDEX notify.ent_enterprise_limit_burst;
