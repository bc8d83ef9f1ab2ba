"""Two switches of platform ops for one seller: no more reading by itself, no more effects; each with its reason.

Reading that a person's own press needs goes on while polling and following are stopped.
"""

from enum import StrEnum

from django.conf import settings
from django.utils.translation import gettext as _

from sellers.models import Seller, User
from shipcrowd import audit
from shipcrowd.tenancy import require_scope


class Switch(StrEnum):
    """What is switched; the value is the column that holds why it is off."""

    READING = "reading_stopped"
    SENDING = "sending_stopped"


def turn(seller: Seller, switch: Switch, *, off: str, by: User) -> None:
    """Stops with the reason `off`, or lets it run again where `off` is empty; in the seller's scope."""
    require_scope(seller)
    setattr(seller, switch.value, off[:300])
    seller.save(update_fields=[switch.value])
    word = switch.name.lower()
    audit.record(by, f"stopped {word}" if off else f"let {word} go on", seller=seller, why=off)


def why_not_sending(seller: Seller) -> str:
    """Why nothing leaves the house for this seller, in words; empty while it may."""
    if not settings.SENDING:
        return _("sending is switched off")
    if not seller.sending_stopped:
        return ""
    return _("the platform has stopped sending: {why}").format(why=seller.sending_stopped)


def why_not_reading(seller: Seller) -> str:
    """Why nothing is read by itself for this seller, in words; empty while it is."""
    if not seller.reading_stopped:
        return ""
    return _("the platform has stopped reading: {why}").format(why=seller.reading_stopped)
