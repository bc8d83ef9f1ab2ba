"""The go-live checklist of a connection (guide 8.3): each check really runs, in a worker, and keeps its result.

Checks that have effects run where nothing real is harmed, on simulator and sandbox; on a production connection only
those that read. What is not built yet says with what it comes.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import labels, queries
from fulfillment.models import CheckName, GoLiveCheck, Paper
from fulfillment.papers.checking import check_in_child
from fulfillment.papers.types import ChildFailed, PaperRefused
from orders import reading
from orders.models import PaymentType, Shipment
from orders.stages import Stage, in_stage
from sellers import gateway
from sellers.models import Connection, Environment, Seller, User
from shipcrowd import audit, files, queue, work
from shipcrowd.files import StorageFailed
from shipcrowd.flipkart.types import Span, State, Window
from shipcrowd.tenancy import require_scope, seller_scope
from shipcrowd.transport.errors import CallFailed

KIND = GoLiveCheck.KIND
LOOK_AGAIN = timedelta(seconds=3)
# Labels take seconds; what has not come by then has failed the check.
PATIENCE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Passed:
    says: str


@dataclass(frozen=True, slots=True)
class Failed:
    says: str


@dataclass(frozen=True, slots=True)
class Waits:
    """It has begun something, and looks again."""

    says: str


Result = Passed | Failed | Waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One point of the list. `run` is None for what is not built; `has_effects` keeps it off production."""

    name: CheckName
    title: str | Promise
    what: str | Promise
    run: Callable[[GoLiveCheck], Result] | None = None
    has_effects: bool = False

    @property
    def is_built(self) -> bool:
        return self.run is not None


@dataclass(frozen=True, slots=True)
class Point:
    """A check, its last result if it ever ran, and why it cannot run here, if so."""

    check: Check
    row: GoLiveCheck | None
    why_not: str


def points(seller: Seller) -> list[Point]:
    """The list as it stands; in the seller's scope."""
    require_scope(seller)
    connection = Connection.objects.filter(seller=seller).first()
    rows = {row.name: row for row in GoLiveCheck.objects.filter(seller=seller).select_related("asked_by")}
    return [Point(check, rows.get(check.name), why_not(check, connection)) for check in CHECKS]


def why_not(check: Check, connection: Connection | None) -> str:
    """Why a check cannot run on this connection, in words; "" where it can. Pure."""
    if check.run is None:
        return str(check.what)
    if connection is None or not connection.is_connected:
        return _("connect this seller first")
    if check.has_effects and connection.environment == Environment.PRODUCTION:
        return _("it has effects, so it runs on simulator and sandbox only")
    return ""


def ask(*, seller: Seller, names: Collection[str], by: User) -> int:
    """Runs these checks once more, as far as they can run here; how many. Rings the bell in the same transaction."""
    asked = [point.check.name for point in points(seller) if point.check.name in names and not point.why_not]
    for name in asked:
        GoLiveCheck.objects.update_or_create(
            seller=seller,
            name=name,
            defaults={
                "state": work.State.DUE,
                "claim_token": None,
                "passed": None,
                "says": "",
                "chosen": [],
                "wake_at": Now(),
                "asked_by": by,
                "asked_at": Now(),
                "settled_at": None,
            },
        )
    if asked:
        audit.record(by, "ran go-live checks", seller=seller, rows=asked)
        queue.ring(seller.pk, KIND)
    return len(asked)


def work_due(*, seller_id: int) -> bool:
    """One check, or one more look at it; True when there may be more."""
    rows = work.claim_due(GoLiveCheck, seller_id=seller_id, limit=1, related=["seller", "asked_by"])
    if not rows:
        return False
    with work.mistakes_noted(rows):
        _run(rows[0])
    return True


def _run(row: GoLiveCheck) -> None:
    check = _BY_NAME[CheckName(row.name)]
    with seller_scope(row.seller_id):
        # Once more: the connection may be another than the one it was asked for.
        reason = why_not(check, Connection.objects.filter(seller_id=row.seller_id).first())
    try:
        result = check.run(row) if check.run and not reason else Failed(reason)
    except CallFailed as error:
        result = Failed(str(error))
    except (StorageFailed, ChildFailed, PaperRefused) as error:
        result = Failed(str(error))
    with seller_scope(row.seller_id):
        if isinstance(result, Waits):
            work.goes_on([row], after=LOOK_AGAIN, says=result.says[:300])
        elif work.done([row], says=result.says[:300]):
            GoLiveCheck.objects.filter(pk=row.pk).update(passed=isinstance(result, Passed))


# --- The checks ------------------------------------------------------------------------------------------------------


def _renew_token(row: GoLiveCheck) -> Result:
    """The current token is given up as if it had died, and the next call must work with a new one (guide 1.7)."""
    gateway.renew_token(row.seller_id)
    client = gateway.client_for(row.seller_id)
    now = timezone.now()
    part, *_others = client.searches([State.APPROVED, State.PACKED])
    window = Window(of=Span.ORDERED, begins_at=now - timedelta(days=1), ends_at=now)
    next(client.shipment_pages(part=part, window=window))
    return Passed(_("a new token was fetched, and Flipkart answered with it"))


def _make_labels(row: GoLiveCheck) -> Result:
    """One label each for a prepaid, a cash-on-delivery and a several-item shipment, asked for as a person would."""
    with seller_scope(row.seller_id):
        if not row.chosen:
            return _begin_labels(row)
        chosen = list(Shipment.objects.filter(seller_id=row.seller_id, pk__in=row.chosen).order_by("pk"))
        requests = queries.label_requests(row.seller, row.chosen)
    missing = [shipment for shipment in chosen if shipment.label_stored_at is None]
    if not missing:
        ids = ", ".join(shipment.flipkart_shipment_id for shipment in chosen)
        return Passed(_("labels were made and stored for {ids}").format(ids=ids))
    ended = [row for row in requests.values() if not row.is_open and row.state != work.State.DONE]
    if ended or work.database_now() - row.asked_at > PATIENCE:
        says = ended[0].says if ended else _("they did not come within {minutes} minutes").format(minutes=3)
        return Failed(f"{missing[0].flipkart_shipment_id}: {says}")
    return Waits(_("waiting for {count} labels").format(count=len(missing)))


def _begin_labels(row: GoLiveCheck) -> Result:
    now = timezone.now()
    waiting = in_stage(Shipment.objects.filter(seller_id=row.seller_id), Stage.TO_LABEL, now)
    waiting = queries.without_label_request(waiting).order_by("dispatch_by_at", "pk")
    kinds = {
        _("prepaid"): waiting.filter(payment_type=PaymentType.PREPAID, sku_count=1),
        _("cash on delivery"): waiting.filter(payment_type=PaymentType.COD, sku_count=1),
        _("several items"): waiting.filter(sku_count__gt=1),
    }
    found = {kind: rows.first() for kind, rows in kinds.items()}
    lacking = [kind for kind, shipment in found.items() if shipment is None]
    if lacking or row.asked_by is None:
        says = _("no shipment to label of this kind: {kinds}. Create test orders, fetch, and run it again.")
        return Failed(says.format(kinds=", ".join(lacking)))
    chosen = [shipment.pk for shipment in found.values() if shipment]
    outcome = labels.request_labels(seller=row.seller, shipment_ids=chosen, by=row.asked_by, now=now)
    if outcome.left_out:
        return Failed(outcome.in_words())
    GoLiveCheck.objects.filter(pk=row.pk).update(chosen=chosen)
    return Waits(_("waiting for {count} labels").format(count=len(chosen)))


def _read_payments(row: GoLiveCheck) -> Result:
    """The newest shipment of either kind is read once more: its payment must be said, and cash must have an amount."""
    with seller_scope(row.seller_id):
        rows = Shipment.objects.filter(seller_id=row.seller_id).order_by("-ordered_at", "-pk")
        newest = [rows.filter(payment_type=kind).first() for kind in (PaymentType.PREPAID, PaymentType.COD)]
    prepaid, cod = newest
    if prepaid is None or cod is None:
        kind = _("prepaid") if prepaid is None else _("cash-on-delivery")
        return Failed(_("no {kind} order was read yet").format(kind=kind))
    again = reading.read_again(seller_id=row.seller_id, shipments=[prepaid, cod])
    if again.failed:
        raise again.failed
    with seller_scope(row.seller_id):
        cod.refresh_from_db()
    if {prepaid.pk, cod.pk} - again.read:
        return Failed(_("Flipkart no longer gives back the shipments that were to be compared"))
    if cod.cod_amount is None:
        return Failed(_("{id} is cash on delivery without an amount").format(id=cod.flipkart_shipment_id))
    return Passed(
        _("prepaid {prepaid}; cash on delivery {cod}, ₹{amount} to collect").format(
            prepaid=prepaid.flipkart_shipment_id, cod=cod.flipkart_shipment_id, amount=cod.cod_amount
        )
    )


def _read_invoice(row: GoLiveCheck) -> Result:
    """The newest stored invoice is taken out of the storage, is a whole PDF, and its shipment has its number."""
    with seller_scope(row.seller_id):
        newest = queries.newest_paper(row.seller_id, Paper.INVOICE)
    if newest is None:
        return Failed(_("no invoice is stored yet: request a label first"))
    check_in_child(files.read_checked(newest.storage_key, newest.sha256))
    if not newest.shipment.invoice_number:
        return Failed(_("{id} has an invoice, but no invoice number").format(id=newest.shipment.flipkart_shipment_id))
    return Passed(
        _("invoice {number} of {id} is stored and whole").format(
            number=newest.shipment.invoice_number, id=newest.shipment.flipkart_shipment_id
        )
    )


CHECKS = (
    Check(
        name=CheckName.TOKEN,
        title=gettext_lazy("Token refresh on expiry"),
        what=gettext_lazy("Gives the current access token up and calls Flipkart with a new one."),
        run=_renew_token,
    ),
    Check(
        name=CheckName.LABELS,
        title=gettext_lazy("Label generation for all shipment types"),
        what=gettext_lazy("Makes a label for a prepaid, a cash-on-delivery and a several-item shipment."),
        run=_make_labels,
        has_effects=True,
    ),
    Check(
        name=CheckName.SELF_SHIP,
        title=gettext_lazy("Self-ship dispatch with Velocity"),
        what=gettext_lazy("comes with self-ship"),
    ),
    Check(
        name=CheckName.NOTIFICATIONS,
        title=gettext_lazy("Webhook notifications"),
        what=gettext_lazy("comes with notifications"),
    ),
    Check(
        name=CheckName.RETURNS,
        title=gettext_lazy("Return acceptance and rejection"),
        what=gettext_lazy("comes with returns"),
    ),
    Check(name=CheckName.STOCK, title=gettext_lazy("Inventory sync"), what=gettext_lazy("comes with stock")),
    Check(
        name=CheckName.PAYMENTS,
        title=gettext_lazy("COD and prepaid orders separately"),
        what=gettext_lazy("Reads the newest order of either kind once more and compares how it is paid."),
        run=_read_payments,
    ),
    Check(
        name=CheckName.INVOICES,
        title=gettext_lazy("Invoice generation"),
        what=gettext_lazy("Takes the newest invoice out of the storage and checks that it is whole."),
        run=_read_invoice,
    ),
)
_BY_NAME = {check.name: check for check in CHECKS}


def is_due(row: GoLiveCheck | None, now: datetime) -> bool:
    """Whether a check is on its way, so that its page looks again."""
    return row is not None and row.is_open and now - row.asked_at < 2 * PATIENCE
