-- The new indexes take the names of the old indexes. First the locks of the whole revision: writers wait two seconds for
-- them at most.
SET search_path = pg_catalog, pg_temp;

-- If it takes longer, the revision is undone and tried again. An autovacuum gives way after a second.
SET LOCAL lock_timeout = '1500ms';
LOCK TABLE notify.ent_notification IN SHARE ROW EXCLUSIVE MODE;
SET LOCAL lock_timeout = '50ms';
LOCK TABLE notify.ent_notification_rule, notify.ent_notification_template, notify.ent_notification_workflow
    IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE notify.ent_enterprise IN ACCESS EXCLUSIVE MODE;

ALTER INDEX notify.ent_notification_new_next RENAME TO ent_notification_new;
ALTER INDEX notify.ent_notification_new_age_next RENAME TO ent_notification_new_age;
ALTER INDEX notify.ent_notification_scheduled_next RENAME TO ent_notification_scheduled;
ALTER INDEX notify.ent_notification_scheduled_age_next RENAME TO ent_notification_scheduled_age;
ALTER INDEX notify.ent_notification_failed_next RENAME TO ent_notification_failed;
ALTER INDEX notify.ent_notification_failed_age_next RENAME TO ent_notification_failed_age;
ALTER INDEX notify.ent_notification_in_flight_next RENAME TO ent_notification_in_flight;
ALTER INDEX notify.ent_notification_withdrawn_next RENAME TO ent_notification_withdrawn;
ALTER INDEX notify.ent_notification_dedup_next RENAME TO ent_notification_dedup;
ALTER INDEX notify.ent_notification_workflow_global_next RENAME TO ent_notification_workflow_global;
ALTER INDEX notify.ent_notification_workflow_own_next RENAME TO ent_notification_workflow_own;
ALTER INDEX notify.ent_notification_template_global_next RENAME TO ent_notification_template_global;
ALTER INDEX notify.ent_notification_template_own_next RENAME TO ent_notification_template_own;
