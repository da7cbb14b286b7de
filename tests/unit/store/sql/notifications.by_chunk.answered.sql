WITH mine AS (
        UPDATE notify.ent_notification SET send_until = clock_timestamp() + make_interval(secs => :send),
            -- The clock goes on within the statement: the lease is not to end before the send.
            lease_expires_at = greatest(lease_expires_at, clock_timestamp() + make_interval(secs => :send + 1))
        WHERE id = :id AND attempt = :attempt AND notification_status = 'PROCESSING' AND send_until = :until
        RETURNING id, send_until
    ), told AS (
        UPDATE notify.ent_notification_delivery AS d SET outcome = CAST(:outcome AS text),
            refusals = d.refusals + :refused, error_details = CAST(:details AS jsonb), answered_at = clock_timestamp()
        FROM mine WHERE d.notification_id = mine.id AND d.chunk = :chunk
    )
    SELECT send_until FROM mine
