-- The published templates and workflows whose check is due, or has found something, are found by an index; and a change of a
-- template requests a run of the chores, so that it is checked at once.
SET search_path = pg_catalog, pg_temp;

-- Writers of templates and workflows wait for this file: some milliseconds for 10,000 rows.
SET LOCAL lock_timeout = '300ms';
LOCK TABLE notify.ent_notification_template, notify.ent_notification_workflow IN SHARE ROW EXCLUSIVE MODE;

CREATE INDEX ent_notification_template_unsettled ON notify.ent_notification_template
    (coalesce(enterprise_id, '') text_pattern_ops, id)
    WHERE publish_status = 'PUBLISH' AND NOT deactivated AND checked_status IS DISTINCT FROM 'OK';
CREATE INDEX ent_notification_workflow_unsettled ON notify.ent_notification_workflow
    (coalesce(enterprise_id, '') text_pattern_ops, id)
    WHERE publish_status = 'PUBLISH' AND NOT deactivated AND checked_status IS DISTINCT FROM 'OK';

-- The columns of the machine do not count.
CREATE TRIGGER wake
    AFTER INSERT OR DELETE OR UPDATE OF enterprise_id, template_key, channel_type, locale, subject_template, body_template,
        defaults, format, trusted, publish_status, deactivated
    ON notify.ent_notification_template FOR EACH STATEMENT EXECUTE FUNCTION notify.wake_rules();
COMMENT ON FUNCTION notify.wake_rules IS 'Trigger: notify xnovu_rules that a rule, a workflow or a template has changed.';
