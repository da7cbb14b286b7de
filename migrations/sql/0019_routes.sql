-- What the API's routes of rules and workflows read, besides what a producer reads: the deployment, and whether Novu has a
-- workflow.
SET search_path = pg_catalog, pg_temp;

-- A rule is fired in Temporal under the id of the deployment, unless the database is a copy.
GRANT SELECT ON notify.deployment TO xnovu_api;

-- It runs with its owner's rights because notify.workflow_sync has the words of all enterprises. So it answers yes or no, and only
-- about workflows that the caller may read.
CREATE FUNCTION notify.find_in_step(ids bigint[]) RETURNS TABLE (id bigint, is_in_step boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.id, s.workflow_key IS NOT NULL AND NOT EXISTS (
        SELECT FROM unnest(enum_range(NULL::notify.channel_type)) AS channel
        WHERE (channel = ANY (w.default_channels) OR w.template_overrides ? channel::text)
            AND NOT s.written @> jsonb_build_object('steps', jsonb_build_array(jsonb_build_object('type', lower(channel::text)))))
    FROM notify.ent_notification_workflow AS w
    LEFT JOIN notify.workflow_sync AS s ON s.workflow_key = w.workflow_key
    WHERE w.id = ANY (find_in_step.ids) AND w.workflow_type = 'DYNAMIC' AND w.publish_status = 'PUBLISH' AND NOT w.deactivated
        AND (w.enterprise_id = (SELECT notify.require_enterprise()) OR w.enterprise_id IS NULL)
$$;
COMMENT ON FUNCTION notify.find_in_step IS
    'For the API: which of these workflows, DYNAMIC and published, Novu has with all of their channels, as we last wrote them.';
REVOKE ALL ON FUNCTION notify.find_in_step FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notify.find_in_step TO xnovu_api;
