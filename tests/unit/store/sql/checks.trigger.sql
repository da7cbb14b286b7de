SELECT format('trigger %s of notify.%s: is %s', split_part(required.name, '.', 2), split_part(required.name, '.', 1),
        CASE WHEN t.oid IS NULL THEN 'missing; create it as the migrations do'
            ELSE format('disabled; run: ALTER TABLE notify.%s ENABLE TRIGGER %s',
                split_part(required.name, '.', 1), split_part(required.name, '.', 2)) END)
    FROM unnest(CAST(:triggers AS text[])) AS required (name)
    LEFT JOIN pg_trigger t ON t.tgrelid = to_regclass('notify.' || split_part(required.name, '.', 1))
        AND t.tgname = split_part(required.name, '.', 2)
    WHERE t.tgenabled IS NULL OR t.tgenabled IN ('D', 'R')
    ORDER BY required.name
