-- Undo the revision of this number, so that the schema is as it was before it. Limits of firings are forgotten, so rules
-- that they held back are scheduled.
SET search_path = pg_catalog, pg_temp;

DROP VIEW notify.my_limits;
CREATE VIEW notify.my_limits WITH (security_barrier = true) AS
SELECT enterprise_id, rate, in_flight, created_at, updated_at
FROM notify.ent_enterprise_limit
WHERE enterprise_id = (SELECT notify.current_enterprise());
GRANT SELECT ON notify.my_limits TO xnovu_tenant, xnovu_producer;
COMMENT ON VIEW notify.my_limits IS 'The limits of your enterprise.';
COMMENT ON COLUMN notify.my_limits.enterprise_id IS 'The enterprise.';
COMMENT ON COLUMN notify.my_limits.rate IS 'Notifications claimed per second at most; null: no limit.';
COMMENT ON COLUMN notify.my_limits.in_flight IS 'Notifications PROCESSING at the same time at most; null: no limit.';
COMMENT ON COLUMN notify.my_limits.created_at IS 'When the row was inserted.';
COMMENT ON COLUMN notify.my_limits.updated_at IS 'When the row was last written; a trigger sets it.';

COMMENT ON TABLE notify.ent_enterprise_limit IS
    'How fast an enterprise is served and how much of it may be in flight, for all workers together. No row: no limit.';
ALTER TABLE notify.ent_enterprise_limit DROP COLUMN firings;
ALTER TABLE notify.ent_notification_rule DROP COLUMN hourly_firings;
