WITH held AS (
        -- The notification, if its hold is still valid; it gets a new hold for the next chunk.
        UPDATE notify.ent_notification SET send_until = clock_timestamp() + make_interval(secs => :send),
            -- One second more, because the clock advances within the statement and the lease must outlast the send.
            lease_expires_at = greatest(lease_expires_at, clock_timestamp() + make_interval(secs => :send + 1))
        WHERE id = :id AND attempt = :attempt AND notification_status = 'PROCESSING' AND send_until = :until
        RETURNING id, send_until
    ), answered AS (
        -- The chunk, with Novu's answer.
        UPDATE notify.ent_notification_delivery AS d SET outcome = CAST(:outcome AS text),
            refusals = d.refusals + :refused, error_details = CAST(:error AS jsonb), answered_at = clock_timestamp()
        FROM held WHERE d.notification_id = held.id AND d.chunk = :chunk
    )
    SELECT send_until FROM held
