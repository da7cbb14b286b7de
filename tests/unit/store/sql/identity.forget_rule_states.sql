UPDATE notify.ent_notification_rule SET rule_status = NULL, rule_error = NULL WHERE rule_status IS NOT NULL
