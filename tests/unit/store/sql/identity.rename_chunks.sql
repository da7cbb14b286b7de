UPDATE notify.ent_notification_delivery AS d
    SET transaction_id = concat(n.transaction_id, '-', d.chunk), refusals = 0
    FROM notify.ent_notification n
    WHERE n.id = d.notification_id AND n.notification_status <> 'SENT' AND d.outcome IS DISTINCT FROM 'accepted'
