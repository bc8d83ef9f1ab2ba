"""What a seller chooses of how its warehouse works. Off until an owner turns it on."""

from datetime import datetime

from fulfillment.models import Ways
from sellers.models import Seller, User
from shipcrowd import audit
from shipcrowd.tenancy import require_scope


def of(seller: Seller | int) -> Ways:
    """The row, or one with nothing chosen; in the seller's scope."""
    require_scope(seller)
    seller_id = seller if isinstance(seller, int) else seller.pk
    return Ways.objects.filter(seller_id=seller_id).select_related("changed_by").first() or Ways(seller_id=seller_id)


def choose(*, seller: Seller, is_full_chain: bool, by: User, now: datetime) -> None:
    """An owner's choice; who made it and when is kept."""
    require_scope(seller)
    if of(seller).is_full_chain == is_full_chain:
        return
    chosen = {"is_full_chain": is_full_chain, "changed_at": now, "changed_by": by}
    Ways.objects.update_or_create(seller=seller, defaults=chosen)
    audit.record(by, f"turned the full chain {'on' if is_full_chain else 'off'}", seller=seller)
