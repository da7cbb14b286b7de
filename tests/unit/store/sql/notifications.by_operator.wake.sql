SELECT pg_notify('xnovu_due', '')
