"""Set aside: a person keeps a parcel back (short, damaged, a bad address), and puts it back when it is mended.

Meanwhile it is out of labels, print, dispatch and hand-over (`rules.why_kept_back`); what was on its way to Flipkart
for it and not yet sent stops.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders import queries, timeline
from orders.models import SetAside, SetAsideReason, Shipment
from orders.outcome import Outcome, by_reason
from orders.states import HANDED_OVER
from sellers.models import Seller, User
from shipcrowd import audit
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import require_scope
from shipcrowd.work import Attention

KIND = "set_aside"


def set_aside(
    *,
    seller: Seller,
    shipment_ids: Collection[int],
    reason: SetAsideReason,
    note: str,
    by: User,
    now: datetime,
) -> Outcome:
    """Keeps these shipments back from now on. Pressed twice, the first press counts."""
    require_scope(seller)
    with transaction.atomic():
        keys, outcome = _split(_locked(seller, shipment_ids), ASIDE)
        if keys:
            SetAside.objects.bulk_create(
                SetAside(seller=seller, shipment_id=key, reason=reason, note=note, set_aside_at=now, set_aside_by=by)
                for key in keys
            )
            Shipment.objects.filter(seller=seller, pk__in=keys).update(set_aside_at=now, set_aside_reason=reason)
            # Not the note: a person's own words may name another person.
            timeline.note(seller.pk, keys, KIND, _("set aside: %(reason)s") % {"reason": reason.value}, by=by)
            audit.record(by, "set shipments aside", seller=seller, rows=keys, why=reason.value)
    return outcome


def put_back(*, seller: Seller, shipment_ids: Collection[int], by: User, now: datetime) -> Outcome:
    """These shipments go on where they stood."""
    require_scope(seller)
    with transaction.atomic():
        keys, outcome = _split(_locked(seller, shipment_ids), BACK)
        if keys:
            open_ones = SetAside.objects.filter(seller=seller, shipment_id__in=keys, put_back_at=None)
            open_ones.update(put_back_at=now, put_back_by=by)
            Shipment.objects.filter(seller=seller, pk__in=keys).update(set_aside_at=None, set_aside_reason="")
            timeline.note(seller.pk, keys, KIND, _("put back"), by=by)
            audit.record(by, "put shipments back", seller=seller, rows=keys)
    return outcome


def preview(*, seller: Seller, shipment_ids: Collection[int], way: "Way", **_asked: object) -> Outcome:
    """What the press would do; writes nothing."""
    return _split(queries.chosen(seller, shipment_ids), way)[1]


def open_note(seller: Seller, shipment_id: int) -> SetAside | None:
    """Why, when and by whom this shipment was set aside, if it is."""
    rows = SetAside.objects.filter(seller=seller, shipment_id=shipment_id, put_back_at=None)
    return rows.select_related("set_aside_by").first()


def why_not_aside(shipment: Shipment) -> str | None:
    """Pure."""
    if shipment.set_aside_at:
        return _("already set aside")
    if shipment.state == State.CANCELLED:
        return _("cancelled")
    if shipment.state in HANDED_OVER or shipment.state == State.PICKUP_COMPLETE:
        return _("already handed over")
    if shipment.attention == Attention.PULL:
        return _("to be pulled out of the stack first")
    return None


def why_not_back(shipment: Shipment) -> str | None:
    """Pure."""
    return None if shipment.set_aside_at else _("not set aside")


class Way(NamedTuple):
    """Aside or back: why a shipment may not go there, and what those are that went."""

    why_not: Callable[[Shipment], str | None]
    words: Promise


ASIDE = Way(why_not_aside, gettext_lazy("%(count)d set aside"))
BACK = Way(why_not_back, gettext_lazy("%(count)d put back"))


def _locked(seller: Seller, shipment_ids: Collection[int]) -> list[Shipment]:
    return list(queries.chosen(seller, shipment_ids).select_for_update(no_key=True, of=("self",)))  # by key


def _split(shipments: Iterable[Shipment], way: Way) -> tuple[list[int], Outcome]:
    """Keys of those that may go this way, and what becomes of all of them."""
    reasons = [(shipment, way.why_not(shipment)) for shipment in shipments]
    ready = [shipment.pk for shipment, reason in reasons if reason is None]
    left_out = by_reason((shipment, reason) for shipment, reason in reasons if reason)
    return ready, Outcome(accepted=len(ready), words=way.words, left_out=left_out)
