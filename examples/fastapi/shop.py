"""A shop in FastAPI with SQLAlchemy: an order and its notification are one transaction.

DATABASE_URL=postgresql+psycopg://… uvicorn shop:app --port 4100
"""

import os
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from xnovu_poller.client import Notification, NotificationRefused, enqueue

app = FastAPI()
engine = create_engine(os.environ["DATABASE_URL"])


class Base(DeclarativeBase):
    """The tables of the shop."""


class Order(Base):
    """An order of a customer."""

    __tablename__ = "shop_order"
    number: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]


class NewOrder(BaseModel):
    """What a client sends."""

    number: int
    customer: str


def open_session() -> Iterator[Session]:
    """Yield the session of a request."""
    with Session(engine) as session:
        yield session


@app.post("/orders", status_code=201)
def ship(order: NewOrder, session: Annotated[Session, Depends(open_session)]) -> dict[str, int]:
    """Keep an order, and notify its customer: both, or neither.

    The commit is here and not in the dependency, which would commit after the answer.
    """
    with session.begin():
        session.add(Order(number=order.number, customer=order.customer))
        notification = Notification(
            "order-shipped", [order.customer], {"order": order.number}, dedup_key=f"order-{order.number}"
        )
        made = enqueue(session, notification, enterprise="acme")
    return {"notification": made.id}


@app.exception_handler(NotificationRefused)
def refuse(_: Request, error: NotificationRefused) -> JSONResponse:
    """Answer with the reason; the order is not there either."""
    return JSONResponse({"error": str(error)}, status_code=422)
