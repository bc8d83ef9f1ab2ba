"""The smallest valid rows, made in a scope of their own, and readers that see every seller."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models
from django.utils import timezone

from fulfillment.models import Dispatch, LabelRequest
from orders.models import FollowCursor, Order, PollCursor, Shipment, ShipmentItem
from orders.states import State
from sellers.models import Connection, Environment, Facility, Member, Quota, Role, Seller, Standing, User, WireName
from shipcrowd import queue, work
from shipcrowd.tenancy import everyone_scope, seller_scope

Account = Any  # the simulator's own
ModelT = TypeVar("ModelT", bound=models.Model)
_numbers = itertools.count(1)


@contextmanager
def ops() -> Iterator[None]:
    """Sees every seller; assertions read here."""
    with everyone_scope("a test looks"):
        yield


def as_ops(model: type[ModelT], **filters: Any) -> list[ModelT]:
    """Rows of every seller, by key."""
    with ops():
        return list(model._default_manager.filter(**filters).order_by("pk"))


def reload(row: ModelT) -> ModelT:
    with ops():
        return type(row)._default_manager.get(pk=row.pk)


def seller(**values: Any) -> Seller:
    number = next(_numbers)
    with ops():
        return Seller.objects.create(**{"name": f"Seller {number}", "slug": f"seller-{number}"} | values)


def user(**values: Any) -> User:
    number = next(_numbers)
    return User.objects.create_user(**{"username": f"user-{number}", "password": "a long enough password"} | values)


def member(of: Seller, role: Role = Role.OWNER, **values: Any) -> User:
    person = user(**values)
    join(of, person, role)
    return person


def join(of: Seller, person: User, role: Role = Role.OWNER) -> None:
    """Somebody who is here already works for this seller too."""
    with seller_scope(of):
        Member.objects.create(seller=of, user=person, role=role)


def facility(of: Seller, **values: Any) -> Facility:
    number = next(_numbers)
    with seller_scope(of):
        return Facility.objects.create(
            seller=of, **{"flipkart_location_id": f"F{number:06}", "name": f"Warehouse {number}"} | values
        )


def shipment(of: Seller, **values: Any) -> Shipment:
    """Approved, due, not held, one item; everything else as given."""
    number, now = next(_numbers), timezone.now()
    order_id = values.pop("flipkart_order_id", f"OD{number:018}")
    with seller_scope(of):
        order, _ = Order.objects.get_or_create(seller=of, flipkart_order_id=order_id, defaults={"ordered_at": now})
        row = Shipment.objects.create(
            seller=of,
            order=order,
            flipkart_order_id=order_id,
            **{
                "flipkart_shipment_id": f"SHIP{number:010}",
                "ordered_at": now - timedelta(hours=3),
                "state": State.APPROVED,
                "state_word": "APPROVED",
                "dispatch_after_at": now - timedelta(hours=1),
                "dispatch_by_at": now + timedelta(hours=20),
                "read_began_at": now,
                "sku": "TS-BLK-M",
                "sku_count": 1,
                "quantity": 1,
            }
            | values,
        )
        ShipmentItem.objects.create(
            seller=of, shipment=row, flipkart_order_item_id="001", sku=row.sku or "TS-BLK-M", quantity=1
        )
    return row


@dataclass(frozen=True)
class ConnectedSeller:
    seller: Seller
    account: Account
    connection: Connection


def connected_seller(
    simulator: Any, *, facilities: int = 1, wire: WireName = WireName.GUIDE, **values: Any
) -> ConnectedSeller:
    """A seller whose connection holds the keys of a new account of the simulator, with its cursors asleep."""
    row = seller(**values)
    account = simulator.world.add_seller(row.name, facilities=facilities)
    with seller_scope(row):
        connection = Connection.objects.create(
            seller=row,
            environment=Environment.SIMULATOR,
            wire=wire,
            standing=Standing.CONNECTED,
            client_id=account.client_id,
            client_secret=account.client_secret,
            connected_at=timezone.now(),
        )
        Quota.objects.create(seller=row, connection=connection, left=1000)
        PollCursor.objects.create(seller=row, connection=connection)
        FollowCursor.objects.create(seller=row, connection=connection)
    return ConnectedSeller(row, account, connection)


def run_due_work(*, rounds: int = 50) -> int:
    """Does in this process what bell and workers would: everything that is due now; returns the batches run."""
    ran = 0
    for _ in range(rounds):
        due = work.look_for_due()
        if not due:
            break
        for seller_id, kind in due:
            queue.work_batch(seller_id=seller_id, kind=kind)
            ran += 1
    return ran


def wake(*models_: type[models.Model]) -> None:
    """Waiting rows become due, as if their time had passed."""
    with ops():
        for model in models_ or (LabelRequest, Dispatch):
            model._default_manager.filter(wake_at__isnull=False).update(wake_at=timezone.now())
        work.Turn.objects.update(rests_until=None)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)
