-- The index by which a person lists notifications: by state and enterprise, the newest first. Nobody waits for this
-- statement. It can be repeated after an interruption.
SET search_path = pg_catalog, pg_temp;

-- A claim writes no entry of it, because a PROCESSING row has none; these few are found by ent_notification_in_flight.
-- The condition on attempt, true for every row, keeps the planner from using it for a claim.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ent_notification_listed
    ON notify.ent_notification (notification_status, enterprise_id text_pattern_ops, created_at, id)
    WHERE notification_status <> 'PROCESSING' AND attempt >= 0;
