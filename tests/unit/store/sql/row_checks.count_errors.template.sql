SELECT count(*) FROM (
        SELECT FROM notify.ent_notification_template r WHERE r.publish_status = 'PUBLISH' AND NOT r.deactivated AND r.checked_status IS DISTINCT FROM 'OK' AND r.checked_status = 'ERROR' LIMIT 10000
    ) AS found
