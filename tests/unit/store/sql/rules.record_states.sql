WITH state AS (
        -- The new state of each rule.
        SELECT id, status::notify.rule_status AS status, error, done_for FROM unnest(CAST(:ids AS bigint[]),
            CAST(:statuses AS text[]), CAST(:errors AS text[]), CAST(:dones AS timestamptz[]))
            AS state (id, status, error, done_for)
    ), changed AS MATERIALIZED (
        -- The rules whose row differs, locked; skip rows that somebody else holds until the next time.
        SELECT r.id, state.status, state.error, coalesce(state.done_for, r.done_for) AS done_for
        FROM notify.ent_notification_rule r JOIN state ON state.id = r.id
        WHERE (r.rule_status, r.rule_error, r.done_for)
            IS DISTINCT FROM (state.status, state.error, coalesce(state.done_for, r.done_for))
        ORDER BY r.id
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE notify.ent_notification_rule AS r SET
        rule_status = changed.status, rule_error = changed.error, done_for = changed.done_for
    FROM changed WHERE r.id = changed.id
