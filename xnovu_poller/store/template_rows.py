"""Read and write whole templates, drafts too, as people edit them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection

from xnovu_poller.lifecycle import Channel, PublishStatus
from xnovu_poller.store.engine import Engine, acquire


class TemplateIdentity(NamedTuple):
    """Two templates never have the same."""

    enterprise_id: str | None
    key: str
    channel: Channel
    locale: str | None


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """What people write of a template.

    Attributes:
        enterprise_id: None if it is global.
        locale: None for any language.
        defaults: the JSON text of values for names that nothing else gives.
        variables: the JSON text of what each variable means.
        format: html or text; None for what the channel shows.
    """

    enterprise_id: str | None
    key: str
    channel: Channel
    body: str
    name: str
    locale: str | None = None
    subject: str | None = None
    defaults: str = "{}"
    variables: str = "{}"
    format: str | None = None
    trusted: bool = False
    publish_status: PublishStatus = PublishStatus.DRAFT
    deactivated: bool = False

    @property
    def identity(self) -> TemplateIdentity:
        """No other template has the same."""
        return TemplateIdentity(self.enterprise_id, self.key, self.channel, self.locale)


_READ = text("""
    SELECT enterprise_id, template_key, channel_type::text AS channel_type, locale, name, subject_template, body_template,
        defaults::text AS defaults, variables_description::text AS variables, format, trusted,
        publish_status::text AS publish_status, deactivated
    FROM notify.ent_notification_template
    WHERE (CAST(:enterprise AS text) IS NULL OR enterprise_id = :enterprise OR enterprise_id IS NULL)
        AND (NOT :published OR publish_status = 'PUBLISH' AND NOT deactivated)""")


async def read_rows(engine: Engine, enterprise: str | None, *, published: bool) -> list[TemplateRow]:
    """Read the templates of an enterprise and the global templates, or all templates, in the order of their identities.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    async with acquire(engine) as connection:
        rows = await connection.execute(_READ, {"enterprise": enterprise, "published": published})
        return sorted(map(_row, rows), key=lambda row: [part or "" for part in row.identity])


def _row(row: Any) -> TemplateRow:  # noqa: ANN401 - a row of a text statement has no type
    return TemplateRow(
        row.enterprise_id,
        row.template_key,
        Channel(row.channel_type),
        row.body_template,
        row.name,
        row.locale,
        row.subject_template,
        row.defaults,
        row.variables,
        row.format,
        row.trusted,
        PublishStatus(row.publish_status),
        row.deactivated,
    )


_KEEP = text("""
    WITH existing AS (
        -- The template of this identity, locked until the end of the transaction.
        SELECT id FROM notify.ent_notification_template
        WHERE template_key = :key AND channel_type = CAST(:channel AS notify.channel_type)
            AND (enterprise_id = CAST(:enterprise_id AS text)
                OR enterprise_id IS NULL AND CAST(:enterprise_id AS text) IS NULL)
            AND coalesce(locale, '') = coalesce(CAST(:locale AS text), '')
        FOR UPDATE
    ), changed AS (
        -- It is written only if something is different, so that its version stays otherwise.
        UPDATE notify.ent_notification_template AS t SET name = :name, subject_template = :subject, body_template = :body,
            defaults = CAST(:defaults AS jsonb), variables_description = CAST(:variables AS jsonb), format = :format,
            trusted = :trusted, publish_status = CAST(:publish_status AS notify.publish_status), deactivated = :deactivated
        FROM existing WHERE t.id = existing.id AND (t.name, t.subject_template, t.body_template, t.defaults::text,
            t.variables_description::text, t.format, t.trusted, t.publish_status, t.deactivated) IS DISTINCT FROM (:name,
            CAST(:subject AS text), :body, CAST(:defaults AS jsonb)::text, CAST(:variables AS jsonb)::text,
            CAST(:format AS text), :trusted, CAST(:publish_status AS notify.publish_status), :deactivated)
        RETURNING t.id
    ), created AS (
        -- Otherwise it is new.
        INSERT INTO notify.ent_notification_template (enterprise_id, template_key, channel_type, locale, name,
            subject_template, body_template, defaults, variables_description, format, trusted, publish_status, deactivated)
        SELECT :enterprise_id, :key, CAST(:channel AS notify.channel_type), :locale, :name, :subject, :body,
            CAST(:defaults AS jsonb), CAST(:variables AS jsonb), :format, :trusted,
            CAST(:publish_status AS notify.publish_status), :deactivated
        WHERE NOT EXISTS (SELECT FROM existing)
        RETURNING id
    )
    SELECT CASE WHEN EXISTS (SELECT FROM created) THEN 'created'
        WHEN EXISTS (SELECT FROM changed) THEN 'changed' ELSE 'same' END""")


class Saved(NamedTuple):
    """What became of some templates.

    Attributes:
        outcomes: created, changed or same, in the order of the templates.
        refusal: why the table refuses the template after those; nothing was written then.
    """

    outcomes: list[str]
    refusal: str | None = None


async def save_rows(engine: Engine, rows: Sequence[TemplateRow], *, dry_run: bool) -> Saved:
    """Insert or replace templates, all or none; with `dry_run` none.

    Raises:
        StoreUnavailable: PostgreSQL does not answer; nothing was written.
        StoreLocked: another session has locked a template; nothing was written.
    """
    async with acquire(engine, bounded=False) as connection:
        transacting = await connection.execution_options(isolation_level="READ COMMITTED")
        async with transacting.begin() as transaction:
            saved = await _save(transacting, rows)
            if dry_run or saved.refusal is not None:
                await transaction.rollback()
        return saved


async def _save(connection: AsyncConnection, rows: Sequence[TemplateRow]) -> Saved:
    outcomes: list[str] = []
    for row in rows:
        try:
            outcomes.append(await connection.scalar(_KEEP, _bind(row)) or "")
        except (exc.IntegrityError, exc.DataError) as error:
            diagnostics = getattr(error.orig, "diag", None)
            sentences = [getattr(diagnostics, part, None) for part in ("message_primary", "message_hint")]
            return Saved(outcomes, ". ".join(filter(None, sentences)))
    return Saved(outcomes)


def _bind(row: TemplateRow) -> dict[str, Any]:
    bound: dict[str, Any] = {name: getattr(row, name) for name in row.__slots__}
    return bound | {"channel": row.channel.value, "publish_status": row.publish_status.value}
