-- The functions for producers and tenants: retract as before, and functions that write workflows, templates and rules. A
-- tenant has no right on tables, so those that it calls run with their owner's rights.
SET search_path = pg_catalog, pg_temp;

CREATE FUNCTION notify.require_enterprise() RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    enterprise text := NULLIF(notify.current_enterprise(), '');
BEGIN
    IF enterprise IS NULL THEN
        RAISE EXCEPTION 'enterprise: your login acts for none'
            USING ERRCODE = 'insufficient_privilege',
                HINT = 'A producer sets app.current_enterprise_id; a tenant''s login needs its row in notify.tenant_login.';
    END IF;
    RETURN enterprise;
END $$;
COMMENT ON FUNCTION notify.require_enterprise IS 'The enterprise for which the caller may act; an error if there is none.';

-- It runs with its owner's rights because it writes the worker's columns. So it must check whose notification it is: only
-- xnovu_worker reaches those of all enterprises.
CREATE OR REPLACE FUNCTION notify.retract(id bigint, reason text DEFAULT 'retracted')
RETURNS notify.notification_status LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    -- current_user is the owner here; the caller is the role of SET ROLE, or else the login.
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
    enterprise text := notify.current_enterprise();
    reaches_all boolean := notify.bound_enterprise() IS NULL AND pg_has_role(caller, 'xnovu_worker', 'USAGE');
    status notify.notification_status;
BEGIN
    -- Lock the row in a separate statement, so that the next statement sees all that an executor wrote meanwhile.
    PERFORM FROM notify.ent_notification AS notification
    WHERE notification.id = retract.id AND (reaches_all OR notification.enterprise_id = enterprise)
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    UPDATE notify.ent_notification AS notification SET
        retraction_reason = coalesce(notification.retraction_reason, retract.reason),
        retract_requested_at = coalesce(notification.retract_requested_at, clock_timestamp()),
        notification_status = CASE WHEN decision.at_once THEN 'RETRACTED' ELSE notification.notification_status END,
        retracted_at = CASE WHEN decision.at_once THEN clock_timestamp() END,
        lease_expires_at = CASE WHEN NOT decision.at_once THEN notification.lease_expires_at END,
        send_until = CASE WHEN NOT decision.at_once THEN notification.send_until END,
        -- SENT stays SENT: the worker asks Novu to cancel steps that are still delayed or digested. A FAILED row with an
        -- unknown outcome needs that too, so let the failed loop claim it now.
        next_attempt_at = CASE WHEN notification.notification_status = 'FAILED' THEN clock_timestamp()
            ELSE notification.next_attempt_at END
    FROM (
        -- Retract at once only if Novu cannot have any of it: nothing is being sent, and no outcome is unknown or accepted.
        SELECT candidate.id,
            candidate.notification_status <> 'SENT' AND candidate.send_until IS NULL
                AND candidate.unknown_outcomes = 0 AND NOT EXISTS (
                    SELECT FROM notify.ent_notification_delivery AS delivery
                    WHERE delivery.notification_id = candidate.id AND delivery.outcome IN ('accepted', 'unknown')
                ) AS at_once
        FROM notify.ent_notification AS candidate
        WHERE candidate.id = retract.id
            AND candidate.notification_status IN ('PENDING', 'FAILED', 'PROCESSING', 'SENT')
        FOR UPDATE
    ) AS decision
    WHERE notification.id = decision.id
    RETURNING notification.notification_status INTO status;

    -- DEAD and RETRACTED do not change, but the caller gets the state.
    IF NOT FOUND THEN
        SELECT notification.notification_status INTO status
        FROM notify.ent_notification AS notification WHERE notification.id = retract.id;
    END IF;
    RETURN status;
END $$;

-- The functions below write rows of the caller's own enterprise, so they lock and wait for no other's.
CREATE FUNCTION notify.save_workflow(
    workflow_key text,
    workflow_type notify.workflow_type,
    name text DEFAULT NULL,
    description text DEFAULT NULL,
    default_channels notify.channel_type[] DEFAULT '{IN_APP}',
    payload_schema jsonb DEFAULT NULL,
    template_overrides jsonb DEFAULT '{}',
    publish_status notify.publish_status DEFAULT 'DRAFT',
    deactivated boolean DEFAULT false
) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO notify.ent_notification_workflow AS kept (enterprise_id, workflow_key, workflow_type, name, description,
        default_channels, payload_schema, template_overrides, publish_status, deactivated)
    VALUES (notify.require_enterprise(), save_workflow.workflow_key, save_workflow.workflow_type,
        coalesce(save_workflow.name, save_workflow.workflow_key), save_workflow.description,
        save_workflow.default_channels, save_workflow.payload_schema, save_workflow.template_overrides,
        save_workflow.publish_status, save_workflow.deactivated)
    ON CONFLICT (enterprise_id, workflow_key) DO UPDATE SET
        workflow_type = excluded.workflow_type, name = excluded.name, description = excluded.description,
        default_channels = excluded.default_channels, payload_schema = excluded.payload_schema,
        template_overrides = excluded.template_overrides, publish_status = excluded.publish_status,
        deactivated = excluded.deactivated
    RETURNING kept.id
$$;
COMMENT ON FUNCTION notify.save_workflow IS
    'Insert a workflow of your enterprise, or replace your workflow of this key; return its id.';

CREATE FUNCTION notify.save_template(
    template_key text,
    channel_type notify.channel_type,
    body_template text,
    subject_template text DEFAULT NULL,
    name text DEFAULT NULL,
    variables_description jsonb DEFAULT '{}',
    publish_status notify.publish_status DEFAULT 'DRAFT',
    deactivated boolean DEFAULT false
) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO notify.ent_notification_template AS kept (enterprise_id, template_key, channel_type, body_template,
        subject_template, name, variables_description, publish_status, deactivated)
    VALUES (notify.require_enterprise(), save_template.template_key, save_template.channel_type,
        save_template.body_template, save_template.subject_template,
        coalesce(save_template.name, save_template.template_key), save_template.variables_description,
        save_template.publish_status, save_template.deactivated)
    ON CONFLICT (enterprise_id, template_key, channel_type) DO UPDATE SET
        body_template = excluded.body_template, subject_template = excluded.subject_template, name = excluded.name,
        variables_description = excluded.variables_description, publish_status = excluded.publish_status,
        deactivated = excluded.deactivated
    RETURNING kept.id
$$;
COMMENT ON FUNCTION notify.save_template IS
    'Insert a template of your enterprise, or replace your template of this key and channel; return its id.';

CREATE FUNCTION notify.save_rule(
    name text,
    workflow_key text,
    trigger_type notify.rule_trigger_type,
    trigger_config jsonb,
    rule_payload jsonb,
    publish_status notify.publish_status DEFAULT 'DRAFT',
    deactivated boolean DEFAULT false,
    id bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    enterprise text := notify.require_enterprise();
    workflow_id bigint;
    kept_id bigint;
BEGIN
    SELECT w.id INTO workflow_id
    FROM notify.ent_notification_workflow AS w
    WHERE w.workflow_key = save_rule.workflow_key AND (w.enterprise_id = enterprise OR w.enterprise_id IS NULL)
    ORDER BY w.enterprise_id NULLS LAST
    LIMIT 1;
    IF workflow_id IS NULL THEN
        RAISE EXCEPTION 'workflow "%": enterprise "%" has no workflow of this key, and there is no global one',
            save_rule.workflow_key, enterprise
            USING ERRCODE = 'foreign_key_violation', HINT = 'Call notify.save_workflow first.';
    END IF;
    IF save_rule.id IS NULL THEN
        INSERT INTO notify.ent_notification_rule (enterprise_id, name, notification_workflow_id, trigger_type,
            trigger_config, rule_payload, publish_status, deactivated)
        VALUES (enterprise, save_rule.name, workflow_id, save_rule.trigger_type, save_rule.trigger_config,
            save_rule.rule_payload, save_rule.publish_status, save_rule.deactivated)
        RETURNING ent_notification_rule.id INTO kept_id;
    ELSE
        UPDATE notify.ent_notification_rule AS r SET
            name = save_rule.name, notification_workflow_id = workflow_id, trigger_type = save_rule.trigger_type,
            trigger_config = save_rule.trigger_config, rule_payload = save_rule.rule_payload,
            publish_status = save_rule.publish_status, deactivated = save_rule.deactivated
        WHERE r.id = save_rule.id AND r.enterprise_id = enterprise
        RETURNING r.id INTO kept_id;
    END IF;
    RETURN kept_id;
END $$;
COMMENT ON FUNCTION notify.save_rule IS
    'Insert a rule of your enterprise, or replace your rule of this id; return its id. Null: you have no such rule.';

CREATE FUNCTION notify.delete_template(id bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH deleted AS (
        DELETE FROM notify.ent_notification_template AS t
        WHERE t.id = delete_template.id AND t.enterprise_id = notify.require_enterprise()
        RETURNING t.id
    )
    SELECT EXISTS (SELECT FROM deleted)
$$;
COMMENT ON FUNCTION notify.delete_template IS 'Delete a template of your enterprise; false: you have no such template.';

CREATE FUNCTION notify.delete_rule(id bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH deleted AS (
        DELETE FROM notify.ent_notification_rule AS r
        WHERE r.id = delete_rule.id AND r.enterprise_id = notify.require_enterprise()
        RETURNING r.id
    )
    SELECT EXISTS (SELECT FROM deleted)
$$;
COMMENT ON FUNCTION notify.delete_rule IS 'Delete a rule of your enterprise; false: you have no such rule.';
