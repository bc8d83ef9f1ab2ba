"""What happens to effects on their way when a seller's connection to Flipkart is cut: listed first, then parked,
never forgotten.
"""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from fulfillment import queries
from fulfillment.models import EFFECTS, Dispatch, EffectRow, FormAcknowledgement, LabelRequest, SellerCancellation
from orders import timeline
from sellers.models import Seller, User
from shipcrowd import audit, work
from shipcrowd.tenancy import require_scope
from shipcrowd.work import Attention, State

SAYS = gettext_lazy("parked when the connection to Flipkart was cut: press retry once it is connected again")


def open_effects(seller: Seller) -> list[tuple[str, int]]:
    """What is on its way, in words with their count; what is nowhere on its way is not listed."""
    require_scope(seller)
    counts = {model: _open_rows(model, seller).count() for model in EFFECTS}
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
        held = {
            model: list(_open_rows(model, seller).order_by("shipment_id").values_list("shipment_id", flat=True))
            for model in EFFECTS
        }
        # All at once: kind by kind, an ingest that holds one of the next kind would wait for one of this.
        queries.lock_shipments(seller.pk, {shipment for ids in held.values() for shipment in ids})
        for model, shipment_ids in held.items():
            parked += (
                _open_rows(model, seller)
                .filter(shipment__in=shipment_ids)
                .update(
                    state=State.GIVEN_UP,
                    claim_token=None,
                    wake_at=None,
                    attention=Attention.PARKED,
                    says=str(SAYS),
                    settled_at=Now(),
                )
            )
            words = _("parked: the connection to Flipkart was cut")
            timeline.note(seller.pk, shipment_ids, model.KIND, words, by=by)
        audit.record(by, "parked what was on its way to Flipkart", seller=seller, why=f"{parked} rows")
    return parked


def _open_rows(model: type[EffectRow], seller: Seller) -> QuerySet[Any]:
    return model._default_manager.filter(seller=seller, state__in=work.OPEN)
