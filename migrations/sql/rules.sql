-- The triggers of the rules: refuse a rule that nothing would fire, and notify the channel xnovu_rules when a rule
-- changes, so that a worker brings its Temporal Schedule up to date at once.
SET search_path = pg_catalog, pg_temp;

-- The trigger type EVENT is a word of the contract that no worker serves.
CREATE FUNCTION notify.guard_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rule: nothing fires a rule of the trigger type EVENT'
        USING ERRCODE = 'check_violation',
            HINT = 'Insert the notification where the event happens, in its transaction: '
                'SELECT notify.enqueue(...). A rule fires at times: CRON or SCHEDULE.';
END $$;
COMMENT ON FUNCTION notify.guard_event IS 'Trigger: refuse a rule of the trigger type EVENT.';
CREATE TRIGGER guard_insert BEFORE INSERT ON notify.ent_notification_rule
    FOR EACH ROW WHEN (NEW.trigger_type = 'EVENT') EXECUTE FUNCTION notify.guard_event();
-- Only where it becomes EVENT: a row that is EVENT already, from a restored dump, can still be paused or deleted.
CREATE TRIGGER guard_update BEFORE UPDATE OF trigger_type ON notify.ent_notification_rule
    FOR EACH ROW WHEN (NEW.trigger_type = 'EVENT' AND OLD.trigger_type <> 'EVENT')
    EXECUTE FUNCTION notify.guard_event();

-- At most one notification per transaction: PostgreSQL folds equal ones. None on the columns that the worker writes,
-- or it would wake itself.
CREATE FUNCTION notify.tell_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('xnovu_rules', '');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION notify.tell_rules IS 'Trigger: notify xnovu_rules that a rule has changed.';
CREATE TRIGGER tell AFTER INSERT OR DELETE ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.tell_rules();
CREATE TRIGGER tell_change
    AFTER UPDATE OF enterprise_id, trigger_type, trigger_config, publish_status, deactivated
    ON notify.ent_notification_rule FOR EACH ROW
    WHEN ((OLD.enterprise_id, OLD.trigger_type, OLD.trigger_config, OLD.publish_status, OLD.deactivated)
        IS DISTINCT FROM (NEW.enterprise_id, NEW.trigger_type, NEW.trigger_config, NEW.publish_status, NEW.deactivated))
    EXECUTE FUNCTION notify.tell_rules();
