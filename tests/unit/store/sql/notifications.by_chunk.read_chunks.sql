SELECT d.chunk, d.recipients, d.transaction_id, d.refusals, d.outcome
    FROM notify.ent_notification_delivery d JOIN notify.ent_notification n ON n.id = d.notification_id
    WHERE n.id = :id AND n.attempt = :attempt AND n.notification_status = 'PROCESSING' AND n.send_until = :until
    ORDER BY d.chunk
