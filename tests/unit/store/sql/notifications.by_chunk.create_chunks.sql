INSERT INTO notify.ent_notification_delivery (notification_id, chunk, enterprise_id, recipients, transaction_id)
    SELECT n.id, slice.number, n.enterprise_id,
        ARRAY(SELECT jsonb_array_elements_text(slice.recipients)), concat(n.transaction_id, '-', slice.number)
    FROM notify.ent_notification n,
        jsonb_array_elements(CAST(:slices AS jsonb)) WITH ORDINALITY AS slice (recipients, number)
    WHERE n.id = :id AND n.attempt = :attempt AND n.notification_status = 'PROCESSING' AND n.send_until = :until
    ON CONFLICT (notification_id, chunk) DO NOTHING
