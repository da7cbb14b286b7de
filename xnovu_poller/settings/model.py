"""Every setting; only this file holds the name, default and bounds of a variable."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    DirectoryPath,
    Field,
    FilePath,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

from xnovu_poller.settings.network import check_http_url
from xnovu_poller.settings.operator import OperatorSettings
from xnovu_poller.settings.parts import (
    HealthSettings,
    LanguageSettings,
    LogSettings,
    NovuSettings,
    TemporalSettings,
)
from xnovu_poller.settings.values import read_group_size, read_milliseconds, read_names

LONGEST_CLAIM_LEASE = timedelta(seconds=30)
"""The longest lease of a claim. When it lapses, the rescue asks Temporal whether the run still exists."""

GROUPED_FROM = 5
"""With automatic groups, the rows of a claim share runs from this number on. Source: docs/adr/0022-automatic-groups.md."""

_AUTO_GROUP = 100
_MOST_IN_FLIGHT, _AUTO_IN_FLIGHT = 50_000, 10_000
_DAY_MS = 86_400_000
_LAST_PORT = 65_535


def _most(group_size: int | str) -> int:
    """Return the most notifications of one run."""
    return _AUTO_GROUP if group_size == "auto" else int(group_size)


def _in_flight(group_size: int | str) -> int:
    return _AUTO_IN_FLIGHT if group_size == "auto" else min(_MOST_IN_FLIGHT, 1000 * int(group_size))


Wait = Annotated[timedelta, read_milliseconds(10, _DAY_MS)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
LoopName = Literal["new", "scheduled", "failed"]


class Settings(
    LogSettings, OperatorSettings, HealthSettings, LanguageSettings, NovuSettings, TemporalSettings
):
    """All settings. Parts of the program get single values, not this object."""

    temporal_max_concurrent_activities: Count = Field(
        default=100,
        validation_alias=AliasChoices("TEMPORAL_MAX_CONCURRENT_ACTIVITIES", "TEMPORAL_WORKER_MAX_CONCURRENT"),
        description="activities at once in one executor process",
    )
    # With less than two slots, Temporal's SDK cannot cache workflows.
    temporal_max_concurrent_workflows: Annotated[int, Field(ge=2, le=10_000)] = Field(
        default=50,
        validation_alias=AliasChoices("TEMPORAL_MAX_CONCURRENT_WORKFLOWS", "TEMPORAL_WORKER_MAX_CONCURRENT"),
        description="workflow tasks at once in one executor process",
    )
    temporal_max_cached_workflows: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=1000, description="workflows kept in memory by one executor process"
    )
    temporal_metrics_port: Annotated[int, Field(ge=1, le=_LAST_PORT)] | None = Field(
        default=None,
        description="port on `WORKER_HEALTH_HOST` where Temporal's SDK serves its own metrics; a further executor has the"
        " next port; unset: it keeps none",
    )
    temporal_fairness: bool = Field(
        default=False,
        description="give runs the fairness key of their enterprise, for a task queue that other programs share;"
        " Temporal Cloud bills it for the whole namespace",
    )

    novu_max_body_bytes: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = Field(
        default=1_000_000,
        description="a heavier call that anybody answers with 413 ends DEAD; no bulk call is heavier",
    )
    ssl_cert_file: FilePath | None = Field(
        default=None, description="authorities that Novu's certificate may come from, PEM; unset: `certifi`'s"
    )
    ssl_cert_dir: DirectoryPath | None = Field(
        default=None, description="the same as a folder; only if `SSL_CERT_FILE` is unset"
    )

    poll_interval: Wait = Field(
        default=timedelta(seconds=10),
        validation_alias="POLL_INTERVAL_MS",
        description="pause of the new loop",
    )
    scheduled_poll_interval: Wait = Field(
        default=timedelta(seconds=30),
        validation_alias="SCHEDULED_POLL_INTERVAL_MS",
        description="pause of the scheduled loop",
    )
    failed_poll_interval: Wait = Field(
        default=timedelta(seconds=60),
        validation_alias="FAILED_POLL_INTERVAL_MS",
        description="pause of the failed loop, which also rescues",
    )
    rule_poll_interval: Wait = Field(
        default=timedelta(seconds=30),
        validation_alias="RULE_POLL_INTERVAL_MS",
        description="time between two comparisons of rules with Temporal's schedules",
    )
    workflow_sync: bool = Field(
        default=False, description="Novu's workflows follow the rows; set it alike on all workers"
    )
    poll_loops: Annotated[tuple[LoopName, ...], NoDecode, read_names("loop")] = Field(
        default=("new", "scheduled", "failed"),
        description="the loops that claim, comma-separated; a worker rescues and cancels whichever it has",
    )
    poll_batch_size: Annotated[int, Field(ge=1, le=5000)] = Field(
        default=100, description="rows of one claim"
    )
    handoff_group_size: Annotated[int | Literal["auto"], BeforeValidator(read_group_size)] = Field(
        default="auto",
        description="notifications of one run at most, 1 to 2000; a claim takes max(batch, group) rows at most; `auto`:"
        f" one, and up to {_AUTO_GROUP} while rows wait",
    )
    max_in_flight: Count = Field(
        default_factory=lambda known: _in_flight(known["handoff_group_size"]),
        description="rows PROCESSING in the whole deployment, where claims stop;"
        f" unset: {_AUTO_IN_FLIGHT} with automatic groups, or 1000 for each place in a group, at most {_MOST_IN_FLIGHT}",
    )
    worker_processes: Annotated[int, Field(ge=1, le=256)] = Field(
        default=1, description="executor processes of one `worker start`"
    )
    poll_wakeup: bool = Field(default=True, description="LISTEN/NOTIFY wake-ups; polling goes on beside them")
    # At least a second, because a claim whose run has not started yet must not lapse.
    lease: Annotated[timedelta, read_milliseconds(1000, _DAY_MS)] = Field(
        default=timedelta(minutes=5),
        validation_alias="LEASE_MS",
        description="how long a row is leased again when the rescue finds its run in Temporal; a claim leases it for"
        " 30 s, or for this if it is shorter; at least a second",
    )
    max_failures: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=8, description="counted failures before DEAD"
    )
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        default=90, description="days that SENT, DEAD and RETRACTED rows are kept; 0: for ever"
    )
    worker_enterprise_ids: Annotated[tuple[str, ...] | None, NoDecode, read_names("enterprise")] = Field(
        default=None,
        validation_alias=AliasChoices("WORKER_ENTERPRISE_IDS", "DAEMON_ENTERPRISE_IDS"),
        description="enterprises to serve, comma-separated; unset: all",
    )
    metrics_enterprises: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0,
        description="how many enterprises `/metrics` names; needs `WORKER_HTTP_TOKEN`; 0: none",
    )
    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(check_http_url)] | None = Field(
        default=None,
        description="collector of OpenTelemetry that gets traces, such as `http://collector:4318`; needs the extra `otel`",
    )

    @field_validator("metrics_enterprises")
    @classmethod
    def _check_names(cls, count: int, info: ValidationInfo) -> int:
        # A faulty token is not among the known values, and has a fault of its own.
        if count and info.data.get("worker_http_token", "faulty") is None:
            raise ValueError(
                "needs WORKER_HTTP_TOKEN; without it, anybody could read the names of enterprises"
            )
        return count

    @field_validator("worker_processes")
    @classmethod
    def _check_ports(cls, count: int, info: ValidationInfo) -> int:
        first = info.data.get("temporal_metrics_port")
        if first is not None and first + count - 1 > _LAST_PORT:
            raise ValueError(f"needs {count} ports from TEMPORAL_METRICS_PORT on, up to {_LAST_PORT}")
        if first is not None and info.data.get("worker_health_port") in range(first, first + count):
            raise ValueError(
                "needs a port from TEMPORAL_METRICS_PORT on for each process, and WORKER_HEALTH_PORT is among them"
            )
        return count

    @property
    def claim_size(self) -> int:
        """The rows of one claim: at least as many as fit in a group of a fixed size."""
        return max(self.poll_batch_size, 1 if self.handoff_group_size == "auto" else self.handoff_group_size)

    @property
    def group_size(self) -> int:
        """The most notifications of one run."""
        return _most(self.handoff_group_size)

    @property
    def grouped_from(self) -> int:
        """The rows of a claim from which they share runs."""
        return GROUPED_FROM if self.handoff_group_size == "auto" else 1

    @property
    def claim_lease(self) -> timedelta:
        """The lease of a claim."""
        return min(LONGEST_CLAIM_LEASE, self.lease)
