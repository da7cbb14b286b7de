-- The enterprises with a brake: each claim asks whether there is any.
-- Nobody waits for this statement. It can be repeated after an interruption.
SET search_path = pg_catalog, pg_temp;

CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_enterprise_limit_burst
    ON notify.ent_enterprise_limit (enterprise_id)
    WHERE burst IS NOT NULL;
