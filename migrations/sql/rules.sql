-- The triggers of the rules: refuse a rule that nothing would fire, and notify the channel xnovu_rules when a rule
-- changes, so that a worker updates its Temporal Schedule at once.
SET search_path = pg_catalog, pg_temp;

-- The contract has the trigger type EVENT, but no worker serves it.
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
-- Only if the type changes to EVENT: a row that is EVENT already, from a restored dump, can still be paused or deleted.
CREATE TRIGGER guard_update BEFORE UPDATE OF trigger_type ON notify.ent_notification_rule
    FOR EACH ROW WHEN (NEW.trigger_type = 'EVENT' AND OLD.trigger_type <> 'EVENT')
    EXECUTE FUNCTION notify.guard_event();

-- PostgreSQL merges equal notifications of a transaction. The triggers ignore the columns that the worker writes, or
-- it would wake itself.
CREATE FUNCTION notify.wake_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('xnovu_rules', '');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION notify.wake_rules IS 'Trigger: notify xnovu_rules that a rule has changed.';
CREATE TRIGGER wake AFTER INSERT OR DELETE ON notify.ent_notification_rule
    FOR EACH ROW EXECUTE FUNCTION notify.wake_rules();
CREATE TRIGGER wake_on_change
    AFTER UPDATE OF enterprise_id, trigger_type, trigger_config, publish_status, deactivated
    ON notify.ent_notification_rule FOR EACH ROW
    WHEN ((OLD.enterprise_id, OLD.trigger_type, OLD.trigger_config, OLD.publish_status, OLD.deactivated)
        IS DISTINCT FROM (NEW.enterprise_id, NEW.trigger_type, NEW.trigger_config, NEW.publish_status, NEW.deactivated))
    EXECUTE FUNCTION notify.wake_rules();
