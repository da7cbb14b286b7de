SELECT id FROM notify.ent_notification_rule
