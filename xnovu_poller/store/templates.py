"""Read the published templates of an enterprise, or the global templates, with the layouts and partials that they use."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import text

from xnovu_poller.lifecycle import Channel
from xnovu_poller.store.engine import Engine, Tenant, acquire, query

Wanted = TypeVar("Wanted")


class TemplateKey(NamedTuple):
    """What a notification needs: the template of a key for a channel, as its enterprise sees it, in a language."""

    enterprise_id: str
    key: str
    channel: Channel
    locale: str


class TemplateVersion(NamedTuple):
    """A template at one moment; `at` changes with its row. `size` is that of its texts and defaults, in bytes."""

    id: int
    at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class Template:
    """A template.

    Attributes:
        enterprise_id: None if it is global.
        defaults: the JSON text of values for names that nothing else gives.
        format: `html` or `text`; None for the channel's usual format.
        trusted: an administrator allows HTML that is not escaped.
    """

    version: TemplateVersion
    enterprise_id: str | None
    channel: Channel
    subject: str | None
    body: str
    defaults: str = "{}"
    format: str | None = None
    trusted: bool = False


MOST_SOURCE_BYTES = 1 << 20
"""Do not read a template that has more bytes than this with its layouts and partials."""

MOST_PARTS = 64
"""The most layouts and partials of a template, those that they use included."""

_KEYS_OF_A_READ = 50

_SIZE = """octet_length(t.body_template) + coalesce(octet_length(t.subject_template), 0)
            + octet_length(t.defaults::text)"""

# The enterprise's own template comes before a global one; then the language that fits best.
_CHOICE = f"""
            SELECT t.id, t.updated_at, {_SIZE} AS size, t.uses FROM notify.ent_notification_template t
            WHERE t.template_key = {{key}} AND t.channel_type = requested.channel::notify.channel_type
                AND (t.enterprise_id = requested.enterprise_id OR t.enterprise_id IS NULL)
                AND coalesce(t.locale, '') = ANY (requested.locales)
                AND t.publish_status = 'PUBLISH' AND NOT t.deactivated
            ORDER BY t.enterprise_id NULLS LAST, array_position(requested.locales, coalesce(t.locale, ''))
            LIMIT 1"""  # noqa: S608 - the statement is put together from constants
_VERSIONS = text(f"""
    WITH requested AS MATERIALIZED (
        -- Each key, with the languages to look for, the best first; '' is any.
        SELECT number, enterprise_id, key, channel, string_to_array(locales, ' ') AS locales
        FROM unnest(CAST(:enterprises AS text[]), CAST(:keys AS text[]), CAST(:channels AS text[]),
            CAST(:locales AS text[])) WITH ORDINALITY AS given (enterprise_id, key, channel, locales, number)
    )
    SELECT requested.number, found.part, found.id, found.updated_at, found.size
    FROM requested CROSS JOIN LATERAL (
        WITH RECURSIVE used AS (
            -- The template itself.
            SELECT requested.key AS part, own.* FROM ({_CHOICE.format(key="requested.key")}) AS own
            UNION
            -- What the found templates name. Each occurs once, so a circle ends.
            SELECT named.part, chosen.* FROM used CROSS JOIN LATERAL unnest(used.uses) AS named (part)
            CROSS JOIN LATERAL ({_CHOICE.format(key="named.part")}) AS chosen
        )
        SELECT part, id, updated_at, size FROM used LIMIT {MOST_PARTS + 2}
    ) AS found""")  # noqa: S608 - the statement is put together from constants


async def read_versions(
    engine: Engine | Tenant, keys: Collection[TemplateKey]
) -> dict[TemplateKey, dict[str, TemplateVersion]]:
    """Read which published template each key has; leave out keys that have none.

    Returns:
        For each key the template and what it uses, by their keys; more than `MOST_PARTS` parts are not all there.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    found: dict[TemplateKey, dict[str, TemplateVersion]] = {}
    for wanted in _parts(list(dict.fromkeys(keys))):
        for row in await query(engine, _VERSIONS, _bind(wanted)):
            versions = found.setdefault(wanted[row.number - 1], {})
            versions[row.part] = TemplateVersion(row.id, row.updated_at, row.size)
    return found


def _parts(wanted: list[Wanted]) -> Iterator[list[Wanted]]:
    for start in range(0, len(wanted), _KEYS_OF_A_READ):
        yield wanted[start : start + _KEYS_OF_A_READ]


def _bind(keys: Sequence[TemplateKey]) -> dict[str, Any]:
    return {
        "enterprises": [key.enterprise_id for key in keys],
        "keys": [key.key for key in keys],
        "channels": [key.channel.value for key in keys],
        "locales": [" ".join(fallbacks(key.locale)) for key in keys],
    }


def fallbacks(locale: str) -> list[str]:
    """Return the languages in which a text for a locale may be: `de_CH`, `de`, and the empty name for any."""
    parts = locale.replace("-", "_").split("_")
    return ["_".join(parts[:count]) for count in range(len(parts), -1, -1)]


_TEMPLATES = text(f"""
    SELECT t.id, t.updated_at, {_SIZE} AS size, t.enterprise_id, t.channel_type::text AS channel, t.format, t.trusted,
        t.subject_template AS subject, t.body_template AS body, t.defaults::text AS defaults
    FROM notify.ent_notification_template t
    WHERE t.id = ANY (CAST(:ids AS bigint[]))""")  # noqa: S608 - the statement is put together from constants


async def read_templates(engine: Engine | Tenant, ids: Collection[int]) -> dict[int, Template]:
    """Read templates by id, whose sizes the caller has seen; leave out ids that do not exist any more.

    Raises:
        StoreUnavailable: PostgreSQL does not answer.
    """
    found: dict[int, Template] = {}
    async with acquire(engine) as connection:
        for wanted in _parts(list(ids)):
            rows = await connection.execute(_TEMPLATES, {"ids": wanted})
            found |= {row.id: _template(row) for row in rows}
    return found


def find_excess(sizes: Sequence[int]) -> str | None:
    """Return why a template is too large to be read; None if it is not.

    Args:
        sizes: the bytes of the template, of its layouts and of its partials.
    """
    if len(sizes) > MOST_PARTS + 1:
        return f"it uses more than {MOST_PARTS} layouts and partials; use fewer"
    if sum(sizes) > MOST_SOURCE_BYTES:
        return f"it has {sum(sizes)} bytes with its layouts and partials, more than {MOST_SOURCE_BYTES}; shorten them"
    return None


def _template(row: Any) -> Template:  # noqa: ANN401 - a row of a text statement has no type
    return Template(
        TemplateVersion(row.id, row.updated_at, row.size),
        row.enterprise_id,
        Channel(row.channel),
        row.subject,
        row.body,
        row.defaults,
        row.format,
        row.trusted,
    )
