"""The parts of a claim by which it leaves out paused rows, and by which an enterprise's brake pauses it.

While nothing is paused and no enterprise has a brake, claims have none of these parts, and claim nothing if they find a
pause or a brake (`ANY_SWITCH`). So a pause holds from the next claim of any worker. A paused enterprise is one step of the
round. Where a workflow is paused, the claim goes from each workflow of the enterprise to the next, so it never reads the
rows of a paused one. Source: docs/adr/0040-pauses.md.
"""

from xnovu_poller.store.pauses import HOLDS

MOST_WORKFLOWS = 100
"""While a workflow of an enterprise is paused, a claim serves at most this many of its others, each time from another place on."""

PAUSES = f"""
pauses AS MATERIALIZED (
    -- The pauses of now.
    SELECT p.enterprise_id, p.workflow_key FROM notify.pause p WHERE {HOLDS}
),"""  # noqa: S608 - built of this module's condition

ALL_PAUSED = "EXISTS (SELECT FROM pauses WHERE enterprise_id IS NULL AND workflow_key IS NULL)"

_PAUSED_KEYS = """,
                    ARRAY(SELECT workflow_key FROM pauses WHERE workflow_key IS NOT NULL AND (
                        pauses.enterprise_id IS NULL OR pauses.enterprise_id = enterprises.enterprise_id)) AS paused_keys"""

_NOT_PAUSED = """
                AND (enterprises.enterprise_id IN (SELECT pauses.enterprise_id FROM pauses
                    WHERE pauses.enterprise_id IS NOT NULL AND workflow_key IS NULL)) IS NOT TRUE"""

# A loose index scan, as of the enterprises.
_OWNED = """SELECT n.notification_workflow_id FROM notify.ent_notification n
                    WHERE {owned} AND n.notification_workflow_id > {after} AND n.enterprise_id = served.enterprise_id
                        AND n.enterprise_id ~>=~ served.enterprise_id AND n.enterprise_id ~<=~ served.enterprise_id
                    ORDER BY n.notification_workflow_id"""
_FIRST, _LAST, _NEXT = (
    f"({_OWNED} LIMIT 1)".replace("{after}", "0"),
    f"({_OWNED} DESC LIMIT 1)".replace("{after}", "0"),
    f"({_OWNED} LIMIT 1)".replace("{after}", "workflows.id"),
)

_WORKFLOWS = f"""CASE WHEN cardinality(served.paused_keys) > 0 THEN ARRAY(
                WITH RECURSIVE workflows (id) AS (
                    -- The workflows with rows of this loop, one after the other, from any place on and round to it again:
                    -- the rows of those that a walk reaches may all be due later.
                    SELECT ends.first - 1 + CAST(floor(random() * (ends.last - ends.first + 1)) AS bigint)
                    FROM (SELECT {_FIRST} AS first, {_LAST} AS last) AS ends
                    UNION
                    SELECT coalesce({_NEXT}, {_FIRST}) FROM workflows
                )
                -- Those that are not paused, in any order, so that none is always served last.
                SELECT id FROM (
                    SELECT workflows.id FROM workflows
                    WHERE (SELECT w.workflow_key FROM notify.ent_notification_workflow w WHERE w.id = workflows.id)
                        <> ALL (served.paused_keys)
                    LIMIT {MOST_WORKFLOWS}
                ) AS found ORDER BY random()
            ) END"""  # noqa: S608 - built of the claim's conditions

ANY_OF_WORKFLOWS = """(SELECT 9 FROM unnest(candidate.workflows) AS workflow (id), generate_series(9, 0, -1) AS level (priority)
                WHERE (SELECT true FROM notify.ent_notification n
                    WHERE {candidate_is_due_by_workflow} LIMIT 1)
                LIMIT 1)"""


def candidates(every: str) -> str:
    """Return the enterprises that are not paused; if a workflow is paused there, with the other workflows.

    Args:
        every: the candidates if nothing were paused, with a place for further columns.
    """
    unpaused = every.replace("{switches}", _PAUSED_KEYS) + _NOT_PAUSED
    return f"""SELECT served.*, {_WORKFLOWS} AS workflows
            FROM (
            {unpaused}
            OFFSET 0 -- or the planner evaluates the subqueries at each use
            ) AS served
            OFFSET 0"""  # noqa: S608 - built of the claim's conditions


def _list_by_workflow(order: str, most: str, unless: str = "") -> str:
    """Return the rows of an enterprise of which a workflow is paused: a lane for each other workflow and priority.

    Args:
        order: `DESC` for the highest priority first, `ASC` for the lowest.
        most: how many rows.
        unless: a further condition of the rows.
    """
    return f"""SELECT of_lane.id, lane.priority FROM (
                SELECT level.priority, workflow.id FROM generate_series(9, 0, -1) AS level (priority),
                    unnest(shares.workflows) WITH ORDINALITY AS workflow (id, place)
                ORDER BY level.priority {order}, workflow.place
            ) AS lane, LATERAL (
                SELECT by_workflow.id FROM (
                    SELECT n.id FROM notify.ent_notification n
                    WHERE {{is_due_by_workflow}}{unless}
                    ORDER BY {{oldest_first}}
                    LIMIT {most}
                    FOR NO KEY UPDATE SKIP LOCKED
                ) AS by_workflow LIMIT {{limit}}
            ) AS of_lane
            LIMIT {most}"""  # noqa: S608 - built of the claim's conditions


# No index has the age of the rows that are left if a workflow is paused, so the least urgent take the part of the oldest.
LEAST_URGENT = f"""ARRAY(SELECT least_urgent.id FROM (
            {_list_by_workflow("ASC", "shares.oldest")}
        ) AS least_urgent LIMIT {{limit}})"""  # noqa: S608 - built of the claim's conditions

MOST_URGENT = f"""
        UNION ALL
        SELECT of_workflows.id, of_workflows.priority FROM (
            {_list_by_workflow("DESC", "shares.urgent", " AND n.id <> ALL (oldest.ids)")}
        ) AS of_workflows"""  # noqa: S608 - built of the claim's conditions

BRAKED = """-- The enterprises that this claim has paused; in the first row only.
    CASE WHEN numbered.number = 0 THEN ARRAY(SELECT enterprise_id FROM braked) END"""


BRAKE = """first_claims AS (
    -- The brake: how many of the picked rows are claimed for the first time, by the minute in which they were inserted.
    SELECT enterprise_id, burst, inserted_at, count(*) AS number FROM (
        SELECT own_limits.enterprise_id, own_limits.burst, (
            SELECT date_bin('1 minute', n.created_at, 'epoch') FROM notify.ent_notification n
            WHERE n.id = picked.id AND n.attempt = 0) AS inserted_at
        FROM own_limits JOIN picked USING (enterprise_id)
        WHERE own_limits.burst IS NOT NULL AND picked.id > own_limits.released_to
        OFFSET 0 -- as above
    ) AS counted
    WHERE inserted_at IS NOT NULL GROUP BY enterprise_id, burst, inserted_at
),
flooded AS (
    -- Add them to those that were claimed before.
    INSERT INTO notify.brake_count AS b (enterprise_id, inserted_at, number)
    SELECT enterprise_id, inserted_at, number FROM first_claims
    ON CONFLICT (enterprise_id, inserted_at) DO UPDATE SET number = b.number + EXCLUDED.number
    RETURNING b.enterprise_id, b.inserted_at, b.number
),
braked AS (
    -- Pause each enterprise of which more were inserted in a minute than its burst.
    INSERT INTO notify.pause AS p (enterprise_id, reason, paused_by)
    SELECT enterprise_id, format('more than %s notifications were inserted in one minute', min(first_claims.burst)), 'brake'
    FROM flooded JOIN first_claims USING (enterprise_id, inserted_at)
    WHERE flooded.number > first_claims.burst GROUP BY enterprise_id
    ON CONFLICT (coalesce(enterprise_id, ''), coalesce(workflow_key, '')) DO UPDATE SET
        reason = EXCLUDED.reason, paused_by = EXCLUDED.paused_by, paused_at = EXCLUDED.paused_at, ends_at = NULL
    RETURNING p.enterprise_id
),
"""
