"""Schemathesis finds nothing: no request makes a fault of the API, or an answer that its document does not have."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.api import served_api
from tests.support.fuzzing import LONG, QUICK, fuzz, narrow
from tests.support.rows import Db, a_notification, a_rule, a_template, a_workflow

IS_LONG = settings.get_current_profile_name() == "fuzz"


@pytest.mark.timeout(7200 if IS_LONG else 600)
async def test_no_request_makes_a_fault(
    db: Db, database: str, temporal_address: str, task_queue: str, tmp_path: Path
) -> None:
    """And an answer that the document does not have is found: here, a list of workflows without a color."""
    workflow = a_workflow(db)
    a_notification(db, workflow=workflow)
    a_rule(db, workflow=workflow)
    a_template(db)
    async with served_api(database, TEMPORAL_ADDRESS=temporal_address, TEMPORAL_TASK_QUEUE=task_queue) as api:
        key = await api.key()
        document = (await api.client().get("/api/openapi.json")).json()
        narrow(
            document,
            NewNotification=("workflow_key", "order-shipped"),
            Trigger=("workflowId", "order-shipped"),
            Wanted=("template_key", "parcel"),
        )
        code, output = await fuzz(document, api.url, key, tmp_path, *(LONG if IS_LONG else QUICK))
        assert code == 0, output

        document["components"]["schemas"]["Workflow"]["required"].append("color")
        code, output = await fuzz(
            document, api.url, key, tmp_path, *QUICK, "--include-path", "/api/workflows"
        )
        assert code == 1, output
        assert '"color" is a required property' in output or "'color' is a required property" in output, (
            output
        )
