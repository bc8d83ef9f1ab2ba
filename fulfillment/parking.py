"""What happens to effects on their way when a seller's connection to Flipkart is cut: listed first, then parked,
never forgotten.
"""

from django.db import transaction
from django.utils.translation import ngettext

from fulfillment import queries
from fulfillment.models import Dispatch, FormAcknowledgement, LabelRequest, SellerCancellation
from orders import timeline
from sellers.models import Seller, User
from shipcrowd import audit, work
from shipcrowd.tenancy import require_scope
from shipcrowd.work import Attention, State

SAYS = "parked when the connection to Flipkart was cut: press retry once it is connected again"


EFFECTS = (LabelRequest, Dispatch, SellerCancellation, FormAcknowledgement)


def open_effects(seller: Seller) -> list[tuple[str, int]]:
    """What is on its way, in words with their count; what is nowhere on its way is not listed."""
    require_scope(seller)
    counts = {model: model.objects.filter(seller=seller, state__in=work.OPEN).count() for model in EFFECTS}
    cancelled, forms = counts[SellerCancellation], counts[FormAcknowledgement]
    words = [
        (ngettext("label request", "label requests", counts[LabelRequest]), counts[LabelRequest]),
        (ngettext("dispatch", "dispatches", counts[Dispatch]), counts[Dispatch]),
        (ngettext("cancellation", "cancellations", cancelled), cancelled),
        (ngettext("acknowledged form", "acknowledged forms", forms), forms),
    ]
    return [(word, count) for word, count in words if count]


def park(seller: Seller, by: User) -> int:
    """Stops everything on its way, and leaves it for a person to retry; how many rows were parked.

    What was being sent just now stays in doubt: a retry reads it back first.
    """
    require_scope(seller)
    parked = 0
    with transaction.atomic():
        for model in EFFECTS:
            rows = model.objects.filter(seller=seller, state__in=work.OPEN)
            shipment_ids = list(rows.order_by("shipment_id").values_list("shipment_id", flat=True))
            if not shipment_ids:
                continue
            queries.lock_shipments(seller.pk, shipment_ids)
            parked += rows.update(
                state=State.GIVEN_UP, claim_token=None, wake_at=None, attention=Attention.PARKED, says=SAYS
            )
            timeline.note(seller.pk, shipment_ids, model.KIND, "parked: the connection to Flipkart was cut", by=by)
        audit.record(by, "parked what was on its way to Flipkart", seller=seller, why=f"{parked} rows")
    return parked
