"""The shape of the tables, one file a table."""

from xnovu_poller.models.base import Base
from xnovu_poller.models.chore import Chore
from xnovu_poller.models.delivery import Delivery
from xnovu_poller.models.deployment import Deployment
from xnovu_poller.models.limit import EnterpriseLimit
from xnovu_poller.models.notification import Notification
from xnovu_poller.models.rule import Rule
from xnovu_poller.models.template import Template
from xnovu_poller.models.workflow import Workflow

__all__ = [
    "Base",
    "Chore",
    "Delivery",
    "Deployment",
    "EnterpriseLimit",
    "Notification",
    "Rule",
    "Template",
    "Workflow",
]
