-- How often the rules of an enterprise may fire, all together: the limit of an enterprise, and what each scheduled rule
-- counts for.
SET search_path = pg_catalog, pg_temp;

-- The locks first, as in 0002_keys.sql.
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification_rule, notify.ent_enterprise_limit IN ACCESS EXCLUSIVE MODE;

ALTER TABLE notify.ent_enterprise_limit
    ADD COLUMN firings INTEGER
        CONSTRAINT ent_enterprise_limit_firings_check CHECK (firings BETWEEN 0 AND 1000000);
COMMENT ON COLUMN notify.ent_enterprise_limit.firings IS
    'How often its rules may fire a minute, all together, averaged over an hour; null, or no row: 120. Rules beyond it become '
    'FAILED.';
COMMENT ON TABLE notify.ent_enterprise_limit IS
    'How fast an enterprise is served, how much of it may be in flight, and how often its rules may fire, for all workers '
    'together. No row: no limit, except that of firings.';

ALTER TABLE notify.ent_notification_rule ADD COLUMN hourly_firings INTEGER;
COMMENT ON COLUMN notify.ent_notification_rule.hourly_firings IS
    'For how many firings an hour it counts, as it is SCHEDULED or becomes it; null: for none.';

CREATE OR REPLACE VIEW notify.my_limits WITH (security_barrier = true) AS
SELECT enterprise_id, rate, in_flight, created_at, updated_at, firings
FROM notify.ent_enterprise_limit
WHERE enterprise_id = (SELECT notify.current_enterprise());
COMMENT ON COLUMN notify.my_limits.firings IS
    'How often its rules may fire a minute, all together, averaged over an hour; null, or no row: 120. Rules beyond it become '
    'FAILED.';
