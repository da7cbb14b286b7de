WITH answers AS (
        -- Novu's answers, by notification.
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:answers AS text[])) AS answers (id, answer)
    ), locked AS MATERIALIZED (
        -- The withdrawn rows that have no answer yet.
        SELECT n.id, answers.answer FROM notify.ent_notification n JOIN answers USING (id)
        WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL
            -- A replica that later hears that nothing is left does not know what the other has cancelled.
            AND (n.error_details IS NULL OR answers.answer = 'cancelled')
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET error_details = jsonb_build_object('cancel', locked.answer)
    FROM locked WHERE n.id = locked.id
    RETURNING n.id, n.notification_status
