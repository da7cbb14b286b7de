SELECT format('table notify.%1$s: row-level security is %2$s, so %3$s can read all rows;'
        ' run: ALTER TABLE notify.%1$s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relname,
        CASE WHEN relrowsecurity THEN 'not forced' ELSE 'off' END,
        CASE WHEN relrowsecurity THEN 'its owner' ELSE 'every tenant' END)
    FROM pg_class
    WHERE relnamespace = to_regnamespace('notify') AND relname = ANY (CAST(:tables AS text[]))
        AND NOT (relrowsecurity AND relforcerowsecurity)
    ORDER BY relname
