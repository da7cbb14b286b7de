WITH mine AS MATERIALIZED (
        SELECT n.id, told.answer FROM notify.ent_notification n
        JOIN unnest(CAST(:ids AS bigint[]), CAST(:answers AS text[])) AS told (id, answer) USING (id)
        WHERE n.notification_status = 'SENT' AND n.retract_requested_at IS NOT NULL
            -- A replica that was told later that nothing is left does not know what the other has cancelled.
            AND (n.error_details IS NULL OR told.answer = 'cancelled')
        ORDER BY n.id
        FOR UPDATE OF n
    )
    UPDATE notify.ent_notification AS n SET error_details = jsonb_build_object('cancel', mine.answer)
    FROM mine WHERE n.id = mine.id
    RETURNING n.id
