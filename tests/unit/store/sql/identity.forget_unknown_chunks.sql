UPDATE notify.ent_notification_delivery AS d SET outcome = NULL, error_details = NULL, answered_at = NULL
    FROM notify.ent_notification n
    WHERE n.id = d.notification_id AND n.notification_status IN ('PENDING', 'FAILED') AND d.outcome = 'unknown'
