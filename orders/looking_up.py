"""An id that is not here is looked up at Flipkart by a worker, because somebody who holds the parcel asks for it."""

from datetime import datetime, timedelta

from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orders import reading
from orders.ingest import ingest
from orders.models import LookUp, Shipment
from sellers import gateway
from sellers.models import Seller, User
from shipcrowd import queue, work
from shipcrowd.flipkart.types import Page
from shipcrowd.tenancy import require_scope, seller_scope
from shipcrowd.transport.errors import CallFailed, Refused, Throttled

KIND = LookUp.KIND
ASK_AGAIN = timedelta(seconds=5)
LOOKS = 3
# Flipkart finds by nothing else (guide 2.2); who holds a parcel may as well have scanned its AWB.
NOT_KNOWN = gettext_lazy("Flipkart knows no shipment by this id; it cannot be asked for an order id or an AWB")


def ask(*, seller: Seller, flipkart_shipment_id: str, by: User) -> LookUp:
    """Looks this id up; rings the bell in the same transaction."""
    require_scope(seller)
    row = LookUp.objects.create(seller=seller, flipkart_shipment_id=flipkart_shipment_id, asked_by=by, wake_at=Now())
    queue.ring(seller.pk, KIND)
    return row


def found(look_up: LookUp) -> Shipment | None:
    """The shipment, once it is here; in the seller's scope."""
    rows = Shipment.objects.filter(seller_id=look_up.seller_id)
    return rows.filter(flipkart_shipment_id__in=_spelled(look_up)).first()


def work_due(*, seller_id: int) -> bool:
    """One look; True when there may be more. Outside of any scope."""
    rows = work.claim_due(LookUp, seller_id=seller_id, limit=1)
    if not rows:
        return False
    with work.mistakes_noted(rows):
        _look(rows[0])
    return True


def _look(row: LookUp) -> None:
    try:
        client = gateway.client_for(row.seller_id)
        began = work.database_now()
        page = client.fetch_shipments(_spelled(row))
    except ValueError:
        _end(row, _("this is no shipment id of Flipkart's"))
        return
    except CallFailed as error:
        gateway.heard(row.seller_id, error)
        if isinstance(error, Refused) and reading.knows_none(error):
            _end(row, NOT_KNOWN)
        else:
            _try_again(row, error)
        return
    gateway.heard(row.seller_id, None)
    try:
        _take_in(row, page, began)
    except gateway.NotConnected as error:
        gateway.heard(row.seller_id, error)
        _end(row, error.says)


def _take_in(row: LookUp, page: Page, began: datetime) -> None:
    with seller_scope(row.seller_id):
        done = ingest(
            seller_id=row.seller_id, shipments=page.shipments, unreadable=page.unreadable, read_began_at=began
        )
        is_here = found(row) is not None
        says = _("found") if is_here else NOT_KNOWN
        work.done([row], says=_("its answer cannot be read: see Attention") if done.unreadable else str(says))


def _spelled(look_up: LookUp) -> list[str]:
    """As it was typed, and in capitals: who types an id off a label need not mind."""
    return list(dict.fromkeys([look_up.flipkart_shipment_id, look_up.flipkart_shipment_id.upper()]))


def _end(row: LookUp, says: str | Promise) -> None:
    with seller_scope(row.seller_id):
        work.done([row], says=str(says))


def _try_again(row: LookUp, error: CallFailed) -> None:
    """A person waits: it is given up after a few looks, in words."""
    refused = isinstance(error, Refused)
    what = _("Flipkart refused to look") if refused else _("Flipkart did not answer")
    after = (error.retry_after or ASK_AGAIN) if isinstance(error, Throttled) else ASK_AGAIN
    with seller_scope(row.seller_id):
        LookUp.objects.filter(pk=row.pk).update(looks=row.looks + 1)
        if row.looks + 1 >= LOOKS:
            work.given_up([row], because="", says=f"{what}: {error}"[:300])
        else:
            work.put_off([row], after=after, says=_("{what}; asked again").format(what=what))
