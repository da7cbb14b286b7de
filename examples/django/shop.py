"""A shop in Django: an order and its notification are one transaction.

DATABASE_URL=postgresql://… python shop.py runserver --noreload 127.0.0.1:4100
"""

import json
import os
import sys
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connection, models, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

from xnovu_poller.client import Notification, NotificationRefused, enqueue

address = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": address.hostname,
            "PORT": address.port,
            "USER": address.username,
            "PASSWORD": address.password,
            "NAME": address.path.removeprefix("/"),
        }
    },
)
django.setup()


class Order(models.Model):
    """An order of a customer."""

    number = models.IntegerField(primary_key=True)
    customer = models.TextField()

    class Meta:
        """Where the orders are."""

        app_label = "shop"
        db_table = "shop_order"

    def __str__(self) -> str:
        """Return a name for people."""
        return f"order {self.number}"


def ship(request: HttpRequest) -> JsonResponse:
    """Keep an order, and notify its customer: both, or neither."""
    body = json.loads(request.body)
    notification = Notification(
        "order-shipped", [body["customer"]], {"order": body["number"]}, dedup_key=f"order-{body['number']}"
    )
    try:
        with transaction.atomic():
            Order.objects.create(number=body["number"], customer=body["customer"])
            made = enqueue(connection, notification, enterprise="acme")
    except NotificationRefused as error:
        return JsonResponse({"error": str(error)}, status=422)
    return JsonResponse({"notification": made.id}, status=201)


urlpatterns = [path("orders", ship)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
