"""What every page of the portal is drawn with: unfold's look, the sidebar, and the banners that nobody may overlook."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.sites import UnfoldAdminSite

from sellers.models import Seller
from shipcrowd.portal import navigation


class _Look(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """unfold's surroundings for pages outside of the admin: it lists no models, and so asks for no permission."""

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        return []

    def has_permission(self, request: HttpRequest) -> bool:
        return navigation.is_known(request)


_look = _Look(name="admin")


def portal(request: HttpRequest) -> dict[str, Any]:
    """`banners`: [{kind, says, link, link_says}]; and outside of the admin all that unfold's base template reads.

    Made once a request: unfold draws parts of a page as templates of their own, and the sidebar counts in the database.
    """
    if not hasattr(request, "drawn_with"):
        request.drawn_with = _drawn_with(request)  # type: ignore[attr-defined]  # ours
    made: dict[str, Any] = request.drawn_with  # type: ignore[attr-defined]
    return made


def _drawn_with(request: HttpRequest) -> dict[str, Any]:
    if navigation.is_admin(request):
        return {"banners": _banners(request)}
    seller = getattr(request, "seller", None)
    look: dict[str, Any] = _look.each_context(request)
    return look | {
        "banners": _banners(request),
        "seller": seller,
        "role": getattr(request, "role", None),
        "site_url": None,
        "site_subheader": seller.name if seller else None,
        "is_nav_sidebar_enabled": navigation.is_known(request),
    }


def _banners(request: HttpRequest) -> list[dict[str, str]]:
    banners = []
    if not settings.SENDING and navigation.is_known(request):
        says = _("Sending is off: nothing is labelled or dispatched at Flipkart until the platform turns it on again.")
        banners.append({"kind": "bad", "says": says})
    banners += _stopped(getattr(request, "seller", None))
    if getattr(request, "is_ops", False):
        banners.append(_ops_banner(request))
    return banners


def _stopped(seller: Seller | None) -> list[dict[str, str]]:
    """What platform ops have stopped for this seller, and why."""
    says = []
    if seller and seller.reading_stopped:
        says.append(
            _("The platform has stopped reading from Flipkart: new orders do not arrive. %(why)s")
            % {"why": seller.reading_stopped}
        )
    if seller and seller.sending_stopped:
        says.append(
            _("The platform has stopped sending to Flipkart: what you press waits. %(why)s")
            % {"why": seller.sending_stopped}
        )
    return [{"kind": "bad", "says": words} for words in says]


def _ops_banner(request: HttpRequest) -> dict[str, str]:
    """Ops see at a glance for whom they act; the seller's own people find the same words in the audit."""
    seller, reason = request.seller.name, request.ops_reason  # type: ignore[attr-defined]  # set by ScopeMiddleware for ops
    if reason:
        return {"kind": "warn", "says": _("You act for %(seller)s: %(reason)s") % {"seller": seller, "reason": reason}}
    return {
        "kind": "note",
        "says": _("You look at %(seller)s as platform ops. To change something, say why first.") % {"seller": seller},
        "link": navigation.reason_address(request),
        "link_says": _("Give a reason"),
    }
