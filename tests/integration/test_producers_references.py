"""What producers refer to and delete: their own rows, and no other enterprise's, on every version of PostgreSQL."""

import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from tests.support.enterprises import read_owners
from tests.support.logins import speak_for
from tests.support.rows import Db, a_notification, a_rule, row


@pytest.mark.parametrize("what", ["template", "rule"])
def test_a_producer_deletes_its_own_templates_and_rules(two_enterprises: Db, producer: Db, what: str) -> None:
    """By functions: the right to delete would be a right to lock the table. Another's id does as little as none."""
    table, function = sql.Identifier(f"ent_notification_{what}"), sql.Identifier(f"delete_{what}")
    ids = {
        made["enterprise_id"]: made["id"]
        for made in two_enterprises.execute(sql.SQL("SELECT id, enterprise_id FROM notify.{}").format(table))
    }
    call = sql.SQL("SELECT notify.{}(%s) AS done").format(function)
    with pytest.raises(InsufficientPrivilege, match="acts for none"):
        producer.execute(call, [ids["acme"]])
    speak_for(producer, "acme")

    done = [producer.execute(call, [made]).fetchone() for made in (*ids.values(), 0)]

    assert done == [{"done": enterprise == "acme"} for enterprise in (*ids, "nobody")]
    assert set(read_owners(two_enterprises, f"ent_notification_{what}")) == set(ids) - {"acme"}
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        producer.execute(sql.SQL("DELETE FROM notify.{}").format(table))


@pytest.mark.parametrize("column", ["notification_workflow_id", "notification_rule_id"])
def test_a_producer_refers_only_to_what_it_may_read(two_enterprises: Db, producer: Db, column: str) -> None:
    """It gets one answer whether the row is missing or another's, and locks neither."""
    table = f"ent_{column.removesuffix('_id')}"
    others = two_enterprises.execute(
        sql.SQL("SELECT id FROM notify.{} WHERE enterprise_id = 'globex'").format(sql.Identifier(table))
    ).fetchone()
    assert others is not None
    speak_for(producer, "acme")
    insert = sql.SQL(
        "INSERT INTO notify.ent_notification (enterprise_id, name, recipients, {}) VALUES ('acme', 'a', '{{s}}', %s)"
    ).format(sql.Identifier(column))

    refusals = set()
    for wrong in (others["id"], 1 << 40):
        with pytest.raises(InsufficientPrivilege) as refused:
            producer.execute(insert, [wrong])
        refusals.add(str(refused.value))
    if column == "notification_workflow_id":
        for statement in (
            "UPDATE notify.ent_notification SET notification_workflow_id = %s",
            "UPDATE notify.ent_notification_rule SET notification_workflow_id = %s",
        ):
            for wrong in (others["id"], 1 << 40):
                with pytest.raises(InsufficientPrivilege, match="stays_own_or_global"):
                    producer.execute(statement.encode(), [wrong])

    assert len(refusals) == 1
    assert "row-level security policy" in refusals.pop()


def test_a_producer_refers_to_its_own_and_to_global_rows(two_enterprises: Db, producer: Db) -> None:
    """As before."""
    speak_for(producer, "acme")
    for found in producer.execute("SELECT id FROM notify.ent_notification_workflow").fetchall():
        rule = a_rule(producer, workflow=found["id"])
        made = a_notification(producer, workflow=found["id"], notification_rule_id=rule)
        assert row(two_enterprises, made)["notification_rule_id"] == rule


def test_a_producer_learns_nothing_by_the_functions_of_the_policies(
    two_enterprises: Db, producer: Db
) -> None:
    """They answer the same for another enterprise as for an unknown enterprise, even if the id exists."""
    two_enterprises.execute(
        "INSERT INTO notify.ent_enterprise (enterprise_id, payload_bytes) VALUES ('acme', 2000000), ('globex', 3000000)"
        " ON CONFLICT (enterprise_id) DO UPDATE SET payload_bytes = excluded.payload_bytes"
    )
    ids = {
        made["enterprise_id"]: made["id"]
        for made in two_enterprises.execute("SELECT id, enterprise_id FROM notify.ent_notification_workflow")
    }
    asked = "SELECT notify.has_workflow(%s, %s) AS has, notify.payload_bytes(%s) AS most"

    def answers(speaker: str) -> list[tuple[bool, int]]:
        speak_for(producer, speaker)
        found = [
            producer.execute(asked, [enterprise, made, enterprise]).fetchone()
            for enterprise in ("globex", "nobody", "", None)
            for made in (*ids.values(), 0)
        ]
        return [(answer["has"], answer["most"]) for answer in found if answer]

    nothing = [(False, 1_048_576)] * 4 * (len(ids) + 1)
    assert answers("acme") == nothing
    assert answers("") == nothing
    assert answers("globex").count((True, 3_000_000)) == 2
