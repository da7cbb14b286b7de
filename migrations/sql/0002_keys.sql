-- The primary keys that are names get the order of bytes. In the order of a language, an update of the operating system's
-- library changes the order under an index, and a row is not found any more. These tables are small.
SET search_path = pg_catalog, pg_temp;

-- All locks of the revision first. If a lock is not free in time, the revision is undone and tried again: after a second,
-- PostgreSQL would look for a deadlock, and might end a producer. Nobody waits for the first lock, which sends an
-- autovacuum away (after a second). The others are in the order in which notify.enqueue takes them.
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification IN SHARE UPDATE EXCLUSIVE MODE;
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification_workflow IN ACCESS EXCLUSIVE MODE;
SET LOCAL lock_timeout = '50ms';
LOCK TABLE notify.ent_notification_template, notify.ent_notification_rule IN ACCESS EXCLUSIVE MODE;
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification IN ACCESS EXCLUSIVE MODE;
SET LOCAL lock_timeout = '50ms';
LOCK TABLE notify.ent_notification_delivery, notify.ent_enterprise_limit, notify.chore IN ACCESS EXCLUSIVE MODE;

ALTER TABLE notify.chore ALTER COLUMN name TYPE TEXT COLLATE "C";
-- A column that a policy names keeps its collation.
DROP POLICY tenant ON notify.ent_enterprise_limit;
ALTER TABLE notify.ent_enterprise_limit ALTER COLUMN enterprise_id TYPE TEXT COLLATE "C";
