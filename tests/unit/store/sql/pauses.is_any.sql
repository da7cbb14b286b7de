SELECT (EXISTS (SELECT FROM notify.pause p WHERE (p.ends_at IS NULL OR p.ends_at > now()))
            OR EXISTS (SELECT FROM notify.ent_enterprise_limit l WHERE l.burst IS NOT NULL))
