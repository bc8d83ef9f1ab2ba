"""One look at many shipments in packing: what a batch of papers must know of its own, the next batches will ask soon.

A batch carries the papers of few shipments, while one call reads many by their ids: so the shipments of other requests
that are due are read along with those of the batch, and their own turn needs no call.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Now

from fulfillment.models import LabelRequest, Step
from orders import reading
from orders.models import Reading, Shipment
from orders.reading import ReadAgain
from orders.states import is_packed_or_later
from shipcrowd import work
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention

# So old a look still says that packing goes on; after that it may have ended.
STILL_SO = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Look:
    """A request whose time for a look has come, as it was before anybody claimed it."""

    shipment: Shipment
    due_at: datetime
    read_at: datetime | None

    def is_wanted(self, now: datetime) -> bool:
        """Whether what is stored of the shipment is too old to go by. Pure."""
        if self.read_at is None or self.read_at < self.due_at:
            return True
        return not is_packed_or_later(State(self.shipment.state)) and now - self.read_at > STILL_SO


def due(seller_id: int, *, most: int) -> dict[int, Look]:
    """What is to be looked at now, by the request's key, in the order in which batches are claimed. Opens a scope."""
    read_at = Reading.objects.filter(seller_id=seller_id, shipment_id=OuterRef("shipment_id")).values("read_at")[:1]
    rows = LabelRequest.objects.filter(
        seller_id=seller_id, step=Step.FETCH, state=work.State.DUE, wake_at__lte=Now()
    ).exclude(attention=Attention.BROKEN)
    with seller_scope(seller_id):
        found = rows.select_related("shipment").annotate(read_at=Subquery(read_at)).order_by("wake_at", "pk")[:most]
        return {row.pk: Look(row.shipment, row.wake_at, row.read_at) for row in found if row.wake_at}


def look(client: FlipkartClient, rows: Sequence[LabelRequest], others: dict[int, Look], *, now: datetime) -> ReadAgain:
    """Reads the shipments of these rows where that is wanted, and of the others as far as the same call has room.

    A row that met a mistake of ours, and one that nobody knew was due, is read for itself.
    """
    wanted = [row.shipment for row in rows if row.pk not in others or others[row.pk].is_wanted(now)]
    known = {row.shipment_id for row in rows} - {shipment.pk for shipment in wanted}
    if not wanted:
        return ReadAgain(read=known)
    if all(row.pk in others for row in rows):
        wanted += _along(rows, others, now=now)[: max(client.limits.ids - len(wanted), 0)]
    again = reading.read_again(seller_id=rows[0].seller_id, shipments=wanted, client=client)
    return ReadAgain(read=again.read | known, missing=again.missing, failed=again.failed)


def _along(rows: Collection[LabelRequest], others: dict[int, Look], *, now: datetime) -> list[Shipment]:
    mine = {row.pk for row in rows}
    return [one.shipment for key, one in others.items() if key not in mine and one.is_wanted(now)]
