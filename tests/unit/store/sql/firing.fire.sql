WITH patience AS MATERIALIZED (
        -- How long the statement waits for a lock.
        SELECT set_config('lock_timeout', '100ms', true)
    ), rule AS MATERIALIZED (
        -- The rule, locked, and the only time of a SCHEDULE rule, for which it is done after this firing.
        SELECT r.id, enterprise_id, name, notification_workflow_id, rule_payload,
            publish_status = 'PUBLISH' AND NOT deactivated AS active,
            CASE trigger_type WHEN 'SCHEDULE' THEN CAST(:nominal AS timestamptz) END AS done_for
        FROM patience, notify.ent_notification_rule r WHERE r.id = :rule_id
        FOR NO KEY UPDATE OF r NOWAIT
    ), checked AS MATERIALIZED (
        -- The reason not to insert a notification, if any: it exists already, the rule is inactive, or it has no recipients.
        SELECT rule.*, existing.id AS existing_id, named.recipients, CASE
            WHEN existing.id IS NOT NULL THEN 'repeated'
            WHEN NOT rule.active THEN 'inactive'
            WHEN named.recipients IS NULL THEN 'no_recipients' END AS hindrance
        FROM rule
        LEFT JOIN notify.ent_notification existing
            ON existing.enterprise_id = rule.enterprise_id AND existing.dedup_key = :key
        LEFT JOIN LATERAL (
            -- The recipients in their order; no row unless there are some, and all are non-empty text.
            SELECT array_agg(recipient.value #>> '{}' ORDER BY recipient.position) AS recipients
            FROM jsonb_array_elements(CASE jsonb_typeof(rule.rule_payload -> 'recipients')
                WHEN 'array' THEN rule.rule_payload -> 'recipients' ELSE '[]' END)
                WITH ORDINALITY AS recipient (value, position)
            HAVING bool_and(jsonb_typeof(recipient.value) = 'string' AND recipient.value <> '""')
        ) AS named ON true
    ), inserted AS (
        -- The notification, unless the same firing has created it elsewhere meanwhile.
        INSERT INTO notify.ent_notification
            (enterprise_id, name, notification_workflow_id, notification_rule_id, payload, recipients, dedup_key)
        SELECT enterprise_id, name, notification_workflow_id, id, rule_payload - 'recipients', recipients, :key
        FROM checked WHERE hindrance IS NULL
        ON CONFLICT (enterprise_id, dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING
        RETURNING id
    ), fired AS MATERIALIZED (
        -- The outcome of the firing.
        SELECT checked.id, checked.enterprise_id, checked.done_for,
            coalesce(inserted.id, checked.existing_id) AS notification_id,
            coalesce(checked.hindrance, CASE WHEN inserted.id IS NULL THEN 'repeated' ELSE 'created' END) AS outcome
        FROM checked LEFT JOIN inserted ON true
    ), recorded AS (
        -- The rule, with the outcome. A repeat changes nothing, except that the rule may now be done.
        UPDATE notify.ent_notification_rule AS r SET
            last_fired_at = CASE WHEN fired.outcome = 'repeated' THEN r.last_fired_at ELSE clock_timestamp() END,
            last_outcome = CASE WHEN fired.outcome = 'repeated' THEN r.last_outcome ELSE fired.outcome END,
            rule_status = CASE WHEN fired.done_for IS NULL THEN r.rule_status ELSE 'DONE' END,
            rule_error = CASE WHEN fired.done_for IS NULL THEN r.rule_error END,
            done_for = coalesce(fired.done_for, r.done_for)
        FROM fired
        WHERE r.id = fired.id AND (fired.outcome <> 'repeated' OR fired.done_for IS DISTINCT FROM r.done_for)
    )
    SELECT enterprise_id, notification_id, outcome FROM fired
