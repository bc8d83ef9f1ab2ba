"""What happened to a shipment, line by line. No personal data: ids, amounts, times and our own words."""

from collections.abc import Collection, Mapping, Sequence

from orders.models import TimelineEntry
from sellers.models import Seller, User
from shipcrowd.tenancy import require_scope

_LONGEST = 300
SHOWN = 200  # lines of one shipment on its page


def note(seller_id: int, shipment_ids: Collection[int], kind: str, says: str, by: User | None = None) -> None:
    """The same line for each of these shipments (our keys), in one statement. `by` empty: the machine or Flipkart.

    In the caller's scope. Raises NoScope without one.
    """
    note_each(seller_id, dict.fromkeys(shipment_ids, says), kind, by=by)


def note_each(seller_id: int, says: Mapping[int, str], kind: str, by: User | None = None) -> None:
    """As `note`, a line of its own for each shipment."""
    require_scope(seller_id)
    TimelineEntry.objects.bulk_create(
        TimelineEntry(seller_id=seller_id, shipment_id=shipment_id, kind=kind, says=words[:_LONGEST], by=by)
        for shipment_id, words in says.items()
    )


def of_shipment(seller: Seller, shipment_id: int, *, limit: int = SHOWN) -> tuple[Sequence[TimelineEntry], bool]:
    """The latest lines of a shipment, newest first, with who did it joined; and whether there are older ones."""
    entries = TimelineEntry.objects.filter(seller=seller, shipment_id=shipment_id)
    found = list(entries.select_related("by").order_by("-at", "-pk")[: limit + 1])
    return found[:limit], len(found) > limit


def latest(seller: Seller, shipment_id: int, kind: str) -> TimelineEntry | None:
    """The last line of one kind, with who did it joined."""
    entries = TimelineEntry.objects.filter(seller=seller, shipment_id=shipment_id, kind=kind)
    return entries.select_related("by").order_by("-at", "-pk").first()
