"""The tables, one file for each. Each class describes a table; the rooms of `store/` read and write rows by SQL."""

from xnovu_poller.models.api_key import ApiKeyTable, RateBucketTable
from xnovu_poller.models.audit import AuditTable
from xnovu_poller.models.base import Base
from xnovu_poller.models.chore import ChoreTable
from xnovu_poller.models.delivery import DeliveryTable
from xnovu_poller.models.deployment import DeploymentTable
from xnovu_poller.models.enterprise import EnterpriseTable
from xnovu_poller.models.incident import IncidentTable
from xnovu_poller.models.limit import EnterpriseLimitTable
from xnovu_poller.models.minute import MinuteTable
from xnovu_poller.models.notification import NotificationTable
from xnovu_poller.models.pause import BrakeCountTable, PauseTable
from xnovu_poller.models.rule import RuleTable
from xnovu_poller.models.template import TemplateTable
from xnovu_poller.models.tenant_login import TenantLoginTable
from xnovu_poller.models.worker_report import WorkerReportTable
from xnovu_poller.models.workflow import WorkflowTable
from xnovu_poller.models.workflow_sync import WorkflowSyncTable

__all__ = [
    "ApiKeyTable",
    "AuditTable",
    "Base",
    "BrakeCountTable",
    "ChoreTable",
    "DeliveryTable",
    "DeploymentTable",
    "EnterpriseLimitTable",
    "EnterpriseTable",
    "IncidentTable",
    "MinuteTable",
    "NotificationTable",
    "PauseTable",
    "RateBucketTable",
    "RuleTable",
    "TemplateTable",
    "TenantLoginTable",
    "WorkerReportTable",
    "WorkflowSyncTable",
    "WorkflowTable",
]
