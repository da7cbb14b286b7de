SELECT
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n WHERE n.notification_status = 'PROCESSING'
            LIMIT 10000) AS found) AS in_flight,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND true
            LIMIT 10000) AS found) AS new,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n WHERE n.notification_status = 'PENDING' AND n.scheduled_for IS NOT NULL AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.scheduled_for <= now()
            LIMIT 10000) AS found) AS scheduled,
        (SELECT count(*) FROM (
            SELECT FROM notify.ent_notification n WHERE n.notification_status = 'FAILED' AND n.publish_status = 'PUBLISH' AND NOT n.deactivated AND n.next_attempt_at <= now()
            LIMIT 10000) AS found) AS failed
