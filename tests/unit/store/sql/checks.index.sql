SELECT CASE WHEN i.indexrelid IS NULL
        THEN format('index %s: is missing, so a statement may scan the whole table; run: %s',
            required.name, replace(required.definition, 'INDEX', 'INDEX CONCURRENTLY'))
        ELSE format('index %1$s: is invalid, so no statement uses it; run: REINDEX INDEX CONCURRENTLY notify.%1$s',
            required.name) END
    FROM unnest(CAST(:names AS text[]), CAST(:definitions AS text[])) AS required (name, definition)
    LEFT JOIN (pg_class c JOIN pg_index i ON i.indexrelid = c.oid)
        ON c.relname = required.name AND c.relnamespace = to_regnamespace('notify')
    WHERE i.indisvalid IS NOT true
    ORDER BY required.name
