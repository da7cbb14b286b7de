"""The words of a notification: in its language, with layouts and partials, and never stale."""

from typing import Any

import pytest

from tests.support.delivering import Delivering, a_claimed
from tests.support.novu import NovuStandIn
from tests.support.rows import Db, a_template, a_workflow, row
from xnovu_poller.delivery import words
from xnovu_poller.lifecycle import Attempt, Status

TEXT = "UPDATE notify.ent_notification_template SET body_template = %s WHERE id = %s"


def a_dynamic(db: Db, key: str = "parcel") -> int:
    """Insert a workflow whose only text is a template for SMS."""
    return a_workflow(
        db,
        key=f"send-{key}",
        workflow_type="DYNAMIC",
        default_channels="{SMS}",
        template_overrides={"SMS": key},
    )


def an_sms(
    db: Db, body: str, key: str = "parcel", *, enterprise: str | None = None, locale: str | None = None
) -> int:
    """Insert a template for SMS."""
    columns = {"channel_type": "SMS", "body_template": body, "locale": locale}
    return a_template(db, key=key, enterprise=enterprise, **columns)


async def texts(executor: Delivering, standin: NovuStandIn, *attempts: Attempt) -> list[Any]:
    """Deliver; return the texts that Novu got, in the order of the ids."""
    standin.reset()
    assert await executor.deliver(*attempts) == [Status.SENT] * len(attempts)
    ours = [trigger["event"]["payload"]["xnovu"] for trigger in standin.ledger()["triggers"]]
    return [
        part["rendered"]["sms"]["body"] for part in sorted(ours, key=lambda part: part["notification_id"])
    ]


async def test_a_text_is_in_the_language_and_zone_of_its_notification(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Else in those of its enterprise, else in the defaults."""
    at = {"at": "2030-01-01T23:30:00+00:00"}
    an_sms(db, "any ${at | date('long')}")
    an_sms(db, "de ${at | date('long')}", locale="de")
    db.execute(
        "INSERT INTO notify.ent_enterprise (enterprise_id, locale, time_zone) VALUES ('globex', 'de-CH', 'Asia/Tokyo')"
    )
    workflow = a_dynamic(db)
    attempts = [
        a_claimed(db, workflow=workflow, payload=at),
        a_claimed(db, workflow=workflow, payload=at, locale="de_AT", time_zone="Europe/Vienna"),
        a_claimed(db, workflow=workflow, payload=at, enterprise="globex"),
        a_claimed(db, workflow=workflow, payload=at, enterprise="globex", locale="fr"),
        a_claimed(db, workflow=workflow, payload=at, enterprise="globex", locale="xx_YY"),
    ]

    assert await texts(executor, novu_standin, *attempts) == [
        "any January 1, 2030",
        "de 2. Jänner 2030",
        "de 2. Januar 2030",
        "any 2 janvier 2030",
        "de 2. Januar 2030",
    ]


async def test_layouts_and_partials_are_those_of_the_enterprise(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """It may replace each of them by itself."""
    an_sms(db, '<%inherit file="frame"/><%block name="content">${n} <%include file="part"/></%block>')
    an_sms(db, '[<%block name="content"></%block>]', key="frame")
    an_sms(db, "part", key="part")
    an_sms(db, "own part", key="part", enterprise="globex")
    workflow = a_dynamic(db)
    attempts = [
        a_claimed(db, workflow=workflow, payload={"n": 1}, enterprise=name) for name in ("acme", "globex")
    ]

    assert await texts(executor, novu_standin, *attempts) == ["[1 part]", "[1 own part]"]


async def test_a_changed_text_applies_from_the_next_delivery_on(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """Of the template itself, and of a partial; also when an enterprise gets its own, or loses it."""
    main = an_sms(db, 'a <%include file="part"/>')
    part = an_sms(db, "b", key="part")
    workflow = a_dynamic(db)
    own: list[int] = []
    found: list[Any] = []
    for change in (
        lambda: None,
        lambda: db.execute(TEXT, ['c <%include file="part"/>', main]),
        lambda: db.execute(TEXT, ["d", part]),
        lambda: own.append(an_sms(db, "e", key="part", enterprise="acme")),
        lambda: db.execute("DELETE FROM notify.ent_notification_template WHERE id = %s", own),
    ):
        change()
        found += await texts(executor, novu_standin, a_claimed(db, workflow=workflow))

    assert found == ["a b", "c b", "c d", "c e", "c d"]


async def test_a_changed_enterprise_applies_from_the_next_delivery_on(
    executor: Delivering, db: Db, novu_standin: NovuStandIn
) -> None:
    """It is read again only if its version has changed; in between, the row changes behind the version's back."""
    an_sms(db, "${enterprise.name or '?'} ${1.5 | number}")
    workflow = a_dynamic(db)
    found: list[Any] = []
    for change in (
        "SELECT",
        "INSERT INTO notify.ent_enterprise (enterprise_id, name) VALUES ('acme', 'Acme')",
        "BEGIN; SET LOCAL session_replication_role = replica; UPDATE notify.ent_enterprise SET name = 'kept'; COMMIT",
        "UPDATE notify.ent_enterprise SET name = 'Acme Ltd', locale = 'de'",
        "DELETE FROM notify.ent_enterprise",
    ):
        db.execute(change.encode())
        found += await texts(executor, novu_standin, a_claimed(db, workflow=workflow))

    assert found == ["? 1.5", "Acme 1.5", "Acme 1.5", "Acme Ltd 1,5", "? 1.5"]


async def test_a_text_is_read_once(executor: Delivering, db: Db, novu_standin: NovuStandIn) -> None:
    """As long as its version stays; here the text changes behind the version's back."""
    made = an_sms(db, "kept")
    workflow = a_dynamic(db)
    await texts(executor, novu_standin, a_claimed(db, workflow=workflow))
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(TEXT, ["read", made])

    assert await texts(executor, novu_standin, a_claimed(db, workflow=workflow)) == ["kept"]


async def test_a_group_whose_texts_do_not_fit_at_once_is_sent(
    executor: Delivering, db: Db, novu_standin: NovuStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read one after another, and each counts as in memory until its notifications are rendered."""
    monkeypatch.setattr(words, "MOST_AT_ONCE", 4)
    attempts = []
    for number in range(3):
        an_sms(db, f"text {number}", key=f"k{number}")
        attempts.append(a_claimed(db, workflow=a_dynamic(db, key=f"k{number}")))

    assert await texts(executor, novu_standin, *attempts) == ["text 0", "text 1", "text 2"]


async def test_a_template_that_is_too_large_with_its_parts_is_not_read(executor: Delivering, db: Db) -> None:
    """It is refused by the sizes of its rows."""
    body = "".join(f'<%include file="part-{number}"/>' for number in range(5))
    an_sms(db, body)
    for number in range(5):
        an_sms(db, "\N{PARTY POPPER}" * 65_536, key=f"part-{number}")
    attempt = a_claimed(db, workflow=a_dynamic(db))

    assert await executor.deliver(attempt) == [Status.DEAD]

    details = row(db, attempt.notification_id)["error_details"]
    assert details["code"] == "template_unsafe"
    assert "more than 1048576" in details["message"]
