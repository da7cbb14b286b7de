-- Undo the revision of this number: what the API's routes of rules and workflows read. No row was changed, so nothing is
-- lost.
SET search_path = pg_catalog, pg_temp;

DROP FUNCTION notify.find_in_step;
REVOKE SELECT ON notify.deployment FROM xnovu_api;
