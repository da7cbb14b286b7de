"""Read the published templates of an enterprise, or the global templates."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel
from xnovu_poller.store.engine import Engine, acquire


@dataclass(frozen=True, slots=True)
class Template:
    """The published template of a key and channel; `version` changes with the row."""

    id: int
    version: datetime
    channel: Channel
    subject: str | None
    body: str
    defaults: dict[str, Any]


TemplateKey = tuple[str, str, Channel]
"""Enterprise, template key and channel."""

_TEMPLATES = text("""
    SELECT requested.enterprise_id, requested.key, requested.channel, t.id, t.updated_at, t.subject_template,
        t.body_template, t.variables_description
    FROM unnest(CAST(:enterprises AS text[]), CAST(:keys AS text[]), CAST(:channels AS text[]))
        AS requested (enterprise_id, key, channel)
    CROSS JOIN LATERAL (
        -- The enterprise's own template comes before the global one.
        SELECT * FROM notify.ent_notification_template t
        WHERE t.template_key = requested.key AND t.channel_type = requested.channel::notify.channel_type
            AND (t.enterprise_id = requested.enterprise_id OR t.enterprise_id IS NULL)
            AND t.publish_status = 'PUBLISH' AND NOT t.deactivated
        ORDER BY t.enterprise_id NULLS LAST
        LIMIT 1
    ) AS t""")


async def read_templates(engine: Engine, keys: Collection[TemplateKey]) -> dict[TemplateKey, Template]:
    """Read the published template of each key; leave out keys that have none.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    values = {
        "enterprises": [enterprise for enterprise, _, _ in keys],
        "keys": [key for _, key, _ in keys],
        "channels": [channel.value for _, _, channel in keys],
    }
    async with acquire(engine) as connection:
        rows = await connection.execute(_TEMPLATES, values)
        return {
            (row.enterprise_id, row.key, Channel(row.channel)): Template(
                row.id,
                row.updated_at,
                Channel(row.channel),
                row.subject_template,
                row.body_template,
                row.variables_description,
            )
            for row in rows
        }
