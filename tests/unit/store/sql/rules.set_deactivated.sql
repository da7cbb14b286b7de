UPDATE notify.ent_notification_rule SET deactivated = :deactivated WHERE id = :rule_id
