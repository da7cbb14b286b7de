"""The parts of a claim by which it finds the enterprises, in the order of the round.

Each login with rows has its turn, and each enterprise of a login, so a login that names many enterprises delays no other.
Source: docs/adr/0024-a-ring-of-many-enterprises.md.
"""

from enum import Enum


class EnterpriseScope(Enum):
    """How a claim finds the enterprises that it may serve."""

    ALL = "all"
    """Every enterprise with rows, in turn with those of other logins: the index leads from each to the next."""

    NAMED = "named"
    """The enterprises that the settings name."""

    KNOWN = "known"
    """The enterprises that the loop remembers, and the first newcomer between any two of them."""


# A loose index scan: go from each enterprise of a login straight to the next, however many rows lie between. The login is
# stated as a range: with an equality, the planner might read an index by enterprise, through those of all other logins.
_NEXT = """LATERAL (
        (SELECT n.enterprise_id, false AS wrapped FROM notify.ent_notification n
         WHERE {owned} AND {previous}.wrapped IS NOT TRUE
            AND n.created_by ~>=~ {previous}.login AND n.created_by ~<=~ {previous}.login
            AND n.enterprise_id ~>~ {previous}.enterprise_id
         ORDER BY n.created_by USING ~<~, n.enterprise_id USING ~<~ LIMIT 1)
        UNION ALL
        (SELECT n.enterprise_id, true FROM notify.ent_notification n
         WHERE {owned} AND n.created_by ~>=~ {previous}.login AND n.created_by ~<=~ {previous}.login
            AND n.enterprise_id ~>~ CASE WHEN {previous}.wrapped THEN {previous}.enterprise_id ELSE '' END
            AND n.enterprise_id ~<=~ {previous}.after
         ORDER BY n.created_by USING ~<~, n.enterprise_id USING ~<~ LIMIT 1)
        LIMIT 1
    ) AS next"""

_ALL = """logins (login, wrapped) AS (
    -- The logins with rows, beginning after the login that was served last, and wrapping round.
    SELECT CAST(:login AS text), CAST(NULL AS bool)
    UNION ALL
    SELECT next.login, next.wrapped FROM logins, LATERAL (
        (SELECT n.created_by AS login, false AS wrapped FROM notify.ent_notification n
         WHERE {owned} AND logins.wrapped IS NOT TRUE AND n.created_by ~>~ logins.login
         ORDER BY n.created_by USING ~<~, n.enterprise_id USING ~<~ LIMIT 1)
        UNION ALL
        (SELECT n.created_by, true FROM notify.ent_notification n
         WHERE {owned} AND n.created_by ~>~ CASE WHEN logins.wrapped THEN logins.login ELSE '' END
            AND n.created_by ~<=~ :login
         ORDER BY n.created_by USING ~<~, n.enterprise_id USING ~<~ LIMIT 1)
        LIMIT 1
    ) AS next
),
enterprises (login, after, enterprise_id, wrapped) AS (
    -- The next enterprise of each login, then a second of each, and so on: in each login beginning after the enterprise
    -- that was served last, and wrapping round.
    SELECT start.login, start.after, next.enterprise_id, next.wrapped FROM (
        SELECT login, after, after AS enterprise_id, CAST(NULL AS bool) AS wrapped FROM (
            SELECT logins.login,
                coalesce((CAST(:afters AS text[]))[array_position(CAST(:logins AS text[]), logins.login)], '') AS after
            FROM logins WHERE logins.wrapped IS NOT NULL
        ) AS served
    ) AS start, {first}
    UNION ALL
    SELECT enterprises.login, enterprises.after, next.enterprise_id, next.wrapped FROM enterprises, {next}
)""".replace("{first}", _NEXT.replace("{previous}", "start")).replace(
    "{next}", _NEXT.replace("{previous}", "enterprises")
)

_NAMED = """enterprises AS (
    -- The enterprises of the settings, in the order of the round.
    SELECT CAST(NULL AS text) AS login, named.enterprise_id FROM unnest(CAST(:enterprises AS text[])) AS named (enterprise_id)
    ORDER BY named.enterprise_id ~<=~ :after, named.enterprise_id USING ~<~
)"""

_KNOWN = """gaps AS (
    -- The gaps between the remembered enterprises; a newcomer lies in one of them.
    SELECT name AS low, lead(name) OVER (ORDER BY name USING ~<~) AS high
    FROM (SELECT '' AS name UNION ALL SELECT unnest(CAST(:known AS text[]))) AS known
),
enterprises AS (
    -- The remembered enterprises and the first newcomer of each gap, in the order of the round. The index leads
    -- from the last entry of an enterprise straight to the first of the next.
    SELECT CAST(NULL AS text) AS login, found.enterprise_id FROM (
        SELECT unnest(CAST(:known AS text[])) AS enterprise_id
        UNION ALL
        SELECT CASE WHEN gaps.high IS NULL THEN
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE {owned} AND n.enterprise_id ~>~ gaps.low ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
        ELSE
            (SELECT n.enterprise_id FROM notify.ent_notification n
             WHERE {owned} AND n.enterprise_id ~>~ gaps.low AND n.enterprise_id ~<~ gaps.high
             ORDER BY n.enterprise_id USING ~<~ LIMIT 1)
        END FROM gaps
    ) AS found
    ORDER BY found.enterprise_id ~<=~ :after, found.enterprise_id USING ~<~
)"""

ENTERPRISES = {EnterpriseScope.ALL: _ALL, EnterpriseScope.NAMED: _NAMED, EnterpriseScope.KNOWN: _KNOWN}
"""The parts of a claim by which it finds the enterprises, in the order of the round; the last is named `enterprises`."""
