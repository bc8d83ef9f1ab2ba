"""How a member printed last, so that the next job begins with it. Platform ops are no members, and have none."""

from fulfillment.models import PrintHabit
from fulfillment.options import Options
from sellers.models import Seller
from shipcrowd.tenancy import require_scope


def last_options(seller: Seller, member_id: int | None) -> Options:
    require_scope(seller)
    habit = PrintHabit.objects.filter(seller=seller, member_id=member_id).first() if member_id else None
    return habit.options if habit else Options()


def remember(seller: Seller, member_id: int | None, options: Options) -> None:
    """In the caller's transaction."""
    if member_id:
        PrintHabit.objects.update_or_create(seller=seller, member_id=member_id, defaults=options.as_columns())
