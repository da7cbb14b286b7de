WITH answers AS (
        -- Novu's answers, by notification.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:answers AS text[])) AS answers (id, answer)
    ), locked AS MATERIALIZED (
        -- The withdrawn rows that still need this answer.
        SELECT n.id, answers.answer FROM notify.ent_notification n JOIN answers USING (id)
        WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL
            -- `cancelled` wins: another replica may have asked later, when nothing was left to cancel.
            AND (n.error_details IS NULL OR answers.answer = 'cancelled')
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET error_details = jsonb_build_object('cancel', locked.answer)
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
