SELECT id FROM notify.ent_notification WHERE enterprise_id = :enterprise AND dedup_key = :key
