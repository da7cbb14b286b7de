"""The tables, one file for each. Each class describes a table; the rooms of `store/` read and write rows by SQL."""

from xnovu_poller.models.base import Base
from xnovu_poller.models.chore import ChoreTable
from xnovu_poller.models.delivery import DeliveryTable
from xnovu_poller.models.deployment import DeploymentTable
from xnovu_poller.models.limit import EnterpriseLimitTable
from xnovu_poller.models.notification import NotificationTable
from xnovu_poller.models.rule import RuleTable
from xnovu_poller.models.template import TemplateTable
from xnovu_poller.models.workflow import WorkflowTable

__all__ = [
    "Base",
    "ChoreTable",
    "DeliveryTable",
    "DeploymentTable",
    "EnterpriseLimitTable",
    "NotificationTable",
    "RuleTable",
    "TemplateTable",
    "WorkflowTable",
]
