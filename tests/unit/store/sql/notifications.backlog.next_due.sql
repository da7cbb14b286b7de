SELECT greatest(0, extract(epoch FROM n.scheduled_for) - extract(epoch FROM clock_timestamp()))
    FROM notify.ent_notification n
    WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.priority <= 9 AND n.scheduled_for > now() AND n.scheduled_for < 'infinity'
    ORDER BY n.scheduled_for LIMIT 1
