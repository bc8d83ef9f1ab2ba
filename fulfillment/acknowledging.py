"""Forms that a state wants before a parcel may travel: a person fetches them there, and tells Flipkart their numbers.

An effect, sent at most once (`sending`); Flipkart packs on by itself then. Source: wire.md 3.5.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment import queries, sending
from fulfillment.models import FormAcknowledgement, LabelRequest, Step
from fulfillment.sending import Effect
from orders import rules, timeline
from orders.models import Shipment
from orders.states import is_packing_or_later
from sellers import gateway
from sellers.models import Seller, User
from shipcrowd import audit, queue, work
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import AcknowledgedForm, Acknowledgement, Offer, State
from shipcrowd.tenancy import require_scope

KIND = FormAcknowledgement.KIND
LONGEST = 100


class MayNotAcknowledge(Exception):
    """Why these numbers cannot be told just now; in words."""


def wanted(shipment: Shipment) -> list[str]:
    """The names of the forms that a person must acknowledge. Pure."""
    return [form["name"] for form in rules.forms_wanted(shipment.forms)]


def why_not(shipment: Shipment) -> str | None:
    """Why there is nothing to acknowledge, or None. Pure."""
    if State(shipment.state) is not State.FORM_FAILED:
        return _("Flipkart does not wait for a form of it")
    return None if wanted(shipment) else _("Flipkart did not say which form it wants: look in its own panel")


def request(*, seller: Seller, shipment_id: int, numbers: Mapping[str, str], by: User, now: datetime) -> None:
    """Tells the numbers of all forms that the shipment wants. Rings the bell. Raises MayNotAcknowledge.

    Told again it is the same row, with these numbers, also after others were accepted: the state wants another form.
    """
    require_scope(seller)
    with transaction.atomic():
        found = queries.lock_shipments(seller.pk, [shipment_id])
        if not found:
            raise MayNotAcknowledge(_("there is no such shipment"))
        shipment = found[0]
        if reason := rules.why_not_here(gateway.abilities_of(seller.pk), Offer.FORMS) or why_not(shipment):
            raise MayNotAcknowledge(reason)
        told = {name: numbers.get(name, "").strip() for name in wanted(shipment)}
        if missing := [name for name, number in told.items() if not 1 <= len(number) <= LONGEST]:
            raise MayNotAcknowledge(_("give the number of {forms}").format(forms=", ".join(missing)))
        row = FormAcknowledgement.objects.filter(seller=seller, shipment=shipment).first()
        if row is not None and row.is_open:
            raise MayNotAcknowledge(_("its numbers are on their way"))
        _write(row, shipment, told, by=by, now=now)
        words = _("acknowledged: %(forms)s") % {"forms": ", ".join(told)}
        timeline.note(seller.pk, [shipment.pk], KIND, words, by=by)
        audit.record(by, "acknowledged forms", seller=seller, rows=[shipment.pk])
        queue.ring(seller.pk, KIND)


def work_due(*, seller_id: int) -> bool:
    """One batch: sent, or read back. True when there may be more."""
    return sending.work_batch(ACKNOWLEDGING, seller_id=seller_id)


def _write(
    row: FormAcknowledgement | None, shipment: Shipment, numbers: Mapping[str, str], *, by: User, now: datetime
) -> None:
    if row is not None:
        FormAcknowledgement.objects.filter(pk=row.pk).update(numbers=numbers)
        work.sent_again_by_hand([row], by_id=by.pk, but=())  # done ones too: another form is wanted
        return
    sending.write_rows(FormAcknowledgement, [shipment], by=by, now=now, values=lambda _shipment: {"numbers": numbers})


def _acknowledgements(client: FlipkartClient, rows: Sequence[FormAcknowledgement]) -> dict[int, Acknowledgement | str]:
    not_here = rules.why_not_here(client.wire.ABILITIES, Offer.FORMS)
    return {
        row.pk: not_here
        or Acknowledgement(
            flipkart_shipment_id=row.shipment.flipkart_shipment_id,
            numbers=tuple(AcknowledgedForm(form=name, number=number) for name, number in row.numbers.items()),
        )
        for row in rows
    }


def _arrived(rows: Sequence[FormAcknowledgement], outside: bool) -> None:
    """Flipkart packs on: the papers are looked for soon."""
    seller_id = rows[0].seller_id
    says = _("was acknowledged at Flipkart already") if outside else _("acknowledged: Flipkart packs it now")
    ours = work.done(rows, says=says)
    told = [row.shipment_id for row in rows if row.pk in ours]
    timeline.note(seller_id, told, KIND, says)
    waiting = LabelRequest.objects.filter(
        seller_id=seller_id, shipment_id__in=told, step=Step.FETCH, state=work.State.DUE
    )
    if waiting.update(wake_at=Now(), attention="", says=_("waiting for the label")):
        queue.ring(seller_id, LabelRequest.KIND)


ACKNOWLEDGING = Effect(
    model=FormAcknowledgement,
    only=Q(),
    words=gettext_lazy("not acknowledged: %(why)s"),
    payloads=_acknowledgements,
    send=lambda client, acknowledgements: client.acknowledge_forms(acknowledgements),
    limit=lambda limits: limits.acknowledge,
    is_there=sending.in_state(lambda state: state is not State.FORM_FAILED and is_packing_or_later(state)),
    why_not=lambda shipment, _now: why_not(shipment),
    is_of_the_day=False,
    reads_after=True,
    arrived=_arrived,
)
