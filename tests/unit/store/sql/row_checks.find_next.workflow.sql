SELECT r.id FROM notify.ent_notification_workflow r
    WHERE r.id > :after AND r.publish_status = 'PUBLISH' AND NOT r.deactivated
        AND (r.checked_status = 'OK' OR r.checked_error <> 'payload_schema: its check has not ended; if this stays, it ends the process that compiles it, so simplify it')
    ORDER BY r.id LIMIT 100
