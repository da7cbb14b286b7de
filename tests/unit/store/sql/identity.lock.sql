LOCK TABLE notify.deployment
