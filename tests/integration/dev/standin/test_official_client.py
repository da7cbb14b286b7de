from collections.abc import Iterator

import pytest
from novu_py import Novu, models

from tests.support.novu import NovuStandIn

EVENT: models.TriggerEventRequestDtoTypedDict = {
    "workflow_id": "welcome",
    "to": "s-1",
    "transaction_id": "xn-1",
    "payload": {"enterprise_id": "acme"},
}


@pytest.fixture
def novu(novu_standin: NovuStandIn) -> Iterator[Novu]:
    """Novu's own client, without retries."""
    with Novu(
        secret_key="secret", server_url=novu_standin.url, retry_config=None, timeout_ms=10_000
    ) as client:
        yield client


def test_it_triggers(novu: Novu, novu_standin: NovuStandIn) -> None:
    """The client reads the answer, and the event is delivered."""
    result = novu.trigger(trigger_event_request_dto=EVENT).result
    assert result.acknowledged
    assert (result.status.value, result.transaction_id) == ("processed", "xn-1")
    assert novu_standin.deliveries() == {("xn-1", "s-1"): 1}


def test_it_triggers_in_bulk(novu: Novu, novu_standin: NovuStandIn) -> None:
    """The client reads each event's answer, including an error."""
    novu_standin.workflow("gone", known=False)
    gone: models.TriggerEventRequestDtoTypedDict = {**EVENT, "workflow_id": "gone"}
    items = novu.trigger_bulk(bulk_trigger_event_dto={"events": [EVENT, gone]}).result
    assert [item.status.value for item in items] == ["processed", "error"]
    assert items[1].error == ["workflow_not_found"]


def test_it_broadcasts_and_cancels(novu: Novu, novu_standin: NovuStandIn) -> None:
    """A waiting broadcast is cancelled."""
    novu_standin.workflow("news", delayed=True)
    news = novu.trigger_broadcast(
        trigger_event_to_all_request_dto={"name": "news", "transaction_id": "b-1", "payload": {}}
    )
    assert news.result.status.value == "processed"
    assert novu.cancel(transaction_id="b-1").result is True
    assert novu.cancel(transaction_id="b-1").result is False


def test_it_keeps_subscribers(novu: Novu) -> None:
    """Subscribers are created, read, changed, listed, created in bulk and deleted."""
    created = novu.subscribers.create(
        create_subscriber_request_dto={"subscriber_id": "s-1", "first_name": "Mei", "data": {"plan": "free"}}
    ).result
    assert (created.subscriber_id, created.first_name, created.data) == ("s-1", "Mei", {"plan": "free"})
    with pytest.raises(models.SubscriberResponseDtoError) as conflict:
        novu.subscribers.create(create_subscriber_request_dto={"subscriber_id": "s-1"}, fail_if_exists=True)
    assert conflict.value.status_code == 409
    patched = novu.subscribers.patch(
        subscriber_id="s-1", patch_subscriber_request_dto={"email": "mei@example.org"}
    )
    assert patched.result.email == "mei@example.org"
    assert novu.subscribers.retrieve(subscriber_id="s-1").result.first_name == "Mei"
    bulk = novu.subscribers.create_bulk(
        bulk_subscriber_create_dto={"subscribers": [{"subscriber_id": "s-1"}, {"subscriber_id": "s-2"}]}
    ).result
    assert ([item.subscriber_id for item in bulk.updated], [item.subscriber_id for item in bulk.created]) == (
        ["s-1"],
        ["s-2"],
    )
    listed = novu.subscribers.search(request={"limit": 1}).result
    assert ([item.subscriber_id for item in listed.data], listed.total_count) == (["s-1"], 2)
    assert listed.next is not None
    assert novu.subscribers.search(request={"after": listed.next}).result.data[0].subscriber_id == "s-2"
    assert novu.subscribers.delete(subscriber_id="s-1").result.acknowledged
    with pytest.raises(models.ErrorDto) as gone:
        novu.subscribers.retrieve(subscriber_id="s-1")
    assert gone.value.status_code == 404


def test_it_keeps_topics(novu: Novu) -> None:
    """Topics are created, read, renamed, listed and deleted."""
    topic = novu.topics.create(create_update_topic_request_dto={"key": "all", "name": "Everybody"}).result
    assert (topic.key, topic.name) == ("all", "Everybody")
    assert novu.topics.update(topic_key="all", update_topic_request_dto={"name": "All"}).result.name == "All"
    assert novu.topics.get(topic_key="all").result.id == topic.id
    assert [item.key for item in novu.topics.list(request={"key": "al"}).result.data] == ["all"]
    assert novu.topics.delete(topic_key="all").result.acknowledged
    with pytest.raises(models.ErrorDto):
        novu.topics.get(topic_key="all")


def test_it_keeps_subscriptions(novu: Novu) -> None:
    """Unknown subscribers are listed as errors; a missing topic is created."""
    novu.subscribers.create(create_subscriber_request_dto={"subscriber_id": "s-1"})
    made = novu.topics.subscriptions.create(
        topic_key="all", create_topic_subscriptions_request_dto={"subscriptions": ["s-1", "stranger"]}
    ).result
    assert (made.meta.successful, made.meta.failed) == (1, 1)
    assert made.errors is not None
    assert made.errors[0].subscriber_id == "stranger"
    listed = novu.topics.subscriptions.list(request={"topic_key": "all"}).result
    assert [item.subscriber.subscriber_id for item in listed.data] == ["s-1"]
    left = novu.topics.subscriptions.delete(
        topic_key="all", delete_topic_subscriptions_request_dto={"subscriptions": ["s-1"]}
    ).result
    assert left.meta.successful == 1
    assert novu.topics.subscriptions.list(request={"topic_key": "all"}).result.data == []


def test_it_keeps_workflows(novu: Novu, novu_standin: NovuStandIn) -> None:
    """A trigger shows what the steps show: those whose condition, which Novu calls `skip`, is met."""
    runs = {"in": ["sms", {"var": "payload.xnovu.channels"}]}
    sms = models.SmsStepUpsertDto(
        name="sms", type=models.StepTypeEnum.SMS, control_values={"body": "Hi {{payload.name}}", "skip": runs}
    )
    mail = models.EmailStepUpsertDto(
        name="email", type=models.StepTypeEnum.EMAIL, control_values={"subject": "{{name}}", "body": "b"}
    )
    made = novu.workflows.create(
        create_workflow_dto=models.CreateWorkflowDto(
            name="Hi", workflow_id="hi", active=True, steps=[sms, mail]
        )
    ).result
    assert (made.workflow_id, made.status.value) == ("hi", "ERROR")
    sms.id = made.steps[0].id
    changed = novu.workflows.update(
        workflow_id="hi",
        update_workflow_dto=models.UpdateWorkflowDto(
            name="Hi",
            active=True,
            steps=[sms],
            preferences=models.PreferencesRequestDto(),
            origin=models.ResourceOriginEnum.NOVU_CLOUD,
        ),
    ).result
    assert (changed.status.value, changed.steps[0].id) == ("ACTIVE", sms.id)
    assert [listed.workflow_id for listed in novu.workflows.list(request={}).result.workflows] == ["hi"]

    for channels in (["sms"], ["email"]):
        payload = {"name": "Mei", "xnovu": {"channels": channels}}
        novu.trigger(trigger_event_request_dto={"workflow_id": "hi", "to": "s-1", "payload": payload})
    shown = [delivery["rendered"] for delivery in novu_standin.ledger()["deliveries"]]
    assert shown == [{"sms": {"body": "Hi Mei"}}, {}]

    assert novu.workflows.patch(workflow_id="hi", patch_workflow_dto={"active": False}).result.active is False
    assert (
        novu.trigger(trigger_event_request_dto={**EVENT, "workflow_id": "hi"}).result.status.value
        == "trigger_not_active"
    )
    novu.workflows.delete(workflow_id="hi")
    assert novu.workflows.list(request={}).result.total_count == 0


def test_it_reads_every_refusal(novu: Novu, novu_standin: NovuStandIn) -> None:
    """Each status becomes the error that the document defines."""
    novu_standin.workflow("welcome", payload_schema={"required": ["amount"]})
    with pytest.raises(models.PayloadValidationExceptionDto):
        novu.trigger(trigger_event_request_dto=EVENT)
    novu_standin.workflow("welcome", known=False)
    with pytest.raises(models.ValidationErrorDto) as unknown:
        novu.trigger(trigger_event_request_dto=EVENT)
    assert unknown.value.data.message == "workflow_not_found"
    novu_standin.fault("throttle")
    with pytest.raises(models.APIError) as throttled:
        novu.trigger(trigger_event_request_dto=EVENT)
    assert throttled.value.headers["Retry-After"] == "1"
    novu_standin.switch(secret_key="other")
    with pytest.raises(models.ErrorDto) as locked_out:
        novu.trigger(trigger_event_request_dto=EVENT)
    assert locked_out.value.status_code == 401
