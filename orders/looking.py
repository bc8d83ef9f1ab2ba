"""A person has looked at what the machine could not judge by itself: it goes out of sight, and who looked stays.

Nothing else changes: where the same thing is met once more, it needs a person once more.
"""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from orders import timeline
from orders.models import Shipment, Unreadable
from sellers.models import Seller, User
from shipcrowd import audit
from shipcrowd.tenancy import require_scope
from shipcrowd.work import Attention


def looked_at(*, seller: Seller, shipments: Collection[UUID], unreadable: Collection[UUID], by: User) -> int:
    """Ends the attention of shipments that moved oddly, and forgets rows that could not be read; how many of both."""
    require_scope(seller)
    with transaction.atomic():
        odd = Shipment.objects.filter(seller=seller, public_id__in=shipments, attention=Attention.ODD_MOVE)
        keys = list(odd.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        Shipment.objects.filter(seller=seller, pk__in=keys).update(attention=Attention.NONE, attention_says="")
        timeline.note(seller.pk, keys, "looked", _("a person looked at it"), by=by)
        rows = Unreadable.objects.filter(seller=seller, public_id__in=unreadable)
        names = list(rows.values_list("flipkart_shipment_id", flat=True))
        rows.delete()
        if keys:
            audit.record(by, "looked at odd shipments", seller=seller, rows=keys)
        if names:
            audit.record(by, "looked at what could not be read", seller=seller, rows=names)
    return len(keys) + len(names)
