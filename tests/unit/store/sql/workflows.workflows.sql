SELECT id, updated_at, enterprise_id, workflow_type::text AS workflow_type, workflow_key,
        default_channels::text[] AS channels, payload_schema, template_overrides,
        publish_status::text AS publish_status, deactivated
    FROM notify.ent_notification_workflow WHERE id = ANY (CAST(:ids AS bigint[]))
