"""The sidebar: a seller's pages for its people, the picker and the admin for platform ops."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from sellers.models import Role
from shipcrowd.portal import attention
from shipcrowd.tenancy import current_scope


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the sidebar. `also` names the routes below it, which keep it lit."""

    title: str
    icon: str
    route: str
    also: tuple[str, ...] = ()
    badge: int = 0


def is_known(request: HttpRequest) -> bool:
    """Whether somebody is logged in. An error page may be drawn before there is a user at all."""
    return bool(getattr(getattr(request, "user", None), "is_authenticated", False))


def is_admin(request: HttpRequest) -> bool:
    return bool(request.resolver_match and "admin" in request.resolver_match.app_names)


def reason_address(request: HttpRequest) -> str:
    """Where ops say why they act, and from where they come back to this page."""
    seller = request.seller  # type: ignore[attr-defined]  # asked for on a seller's pages only
    return f"{reverse('portal:ops_reason', args=[seller.slug])}?{urlencode({'next': request.get_full_path()})}"


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups as unfold's sidebar reads them. It marks titles as safe: they are our own words only, never a seller's."""
    seller = getattr(request, "seller", None)
    groups = [_group(request, "", _of_the_day(request), seller.slug), *_office(request, seller.slug)] if seller else []
    if getattr(request, "user", None) and request.user.is_staff:
        groups.append(_group(request, _("Platform"), _of_the_platform(), None))
    return groups or [_group(request, "", _of_several(), None)]


def _of_the_day(request: HttpRequest) -> list[Entry]:
    return [
        Entry(_("Home"), "home", "portal:home"),
        Entry(_("Shipments"), "package_2", "orders:shipments", also=("orders:shipment",)),
        Entry(_("Print jobs"), "print", "fulfillment:print_jobs", also=("fulfillment:print_job",)),
        Entry(_("Hand-over"), "local_shipping", "fulfillment:hand_overs"),
        Entry(_("Pull parcels"), "barcode_scanner", "fulfillment:pulls", also=("fulfillment:pull",)),
        Entry(_("Attention"), "error", "portal:attention", badge=_attention(request)),
    ]


def _office(request: HttpRequest, slug: str) -> list[dict[str, Any]]:
    of_all = [
        Entry(_("Flipkart connection"), "link", "sellers:connection"),
        Entry(_("Facilities"), "warehouse", "sellers:facilities"),
        Entry(_("Package sizes"), "straighten", "fulfillment:sizes", also=_SIZES),
    ]
    of_owners = [
        Entry(_("People"), "group", "sellers:members"),
        Entry(_("Warehouse"), "forklift", "fulfillment:ways"),
        Entry(_("History"), "history", "portal:history"),
    ]
    is_owner = getattr(request, "role", None) == Role.OWNER
    return [_group(request, _("Account"), [*of_all, *of_owners] if is_owner else of_all, slug)]


_SIZES = ("fulfillment:enter_size", "fulfillment:enter_sizes")


def _of_several() -> list[Entry]:
    """For who works for several sellers, and for none just now."""
    return [
        Entry(_("Your sellers"), "storefront", "portal:sellers"),
        Entry(_("Attention, all sellers"), "error", "portal:everyones_attention"),
    ]


def _of_the_platform() -> list[Entry]:
    return [
        Entry(_("All sellers"), "storefront", "portal:sellers", also=("portal:switches", "portal:ops_reason")),
        Entry(_("Print, all sellers"), "print", "portal:print_rounds", also=("portal:print_round",)),
        Entry(_("Attention, all sellers"), "error", "portal:everyones_attention"),
        Entry(
            _("Find a shipment"), "search", "admin:orders_shipment_changelist", also=("admin:orders_shipment_change",)
        ),
        Entry(
            _("Connections"), "link", "admin:sellers_connection_changelist", also=("admin:sellers_connection_change",)
        ),
        Entry(_("Sellers"), "store", "admin:sellers_seller_changelist", also=_forms("sellers_seller")),
        Entry(_("Log-ins"), "person", "admin:sellers_user_changelist", also=_forms("sellers_user")),
        Entry(_("Who works where"), "badge", "admin:sellers_member_changelist", also=_forms("sellers_member")),
        Entry(
            _("Audit"), "history", "admin:shipcrowd_auditentry_changelist", also=("admin:shipcrowd_auditentry_change",)
        ),
    ]


def _forms(model: str) -> tuple[str, str]:
    return f"admin:{model}_add", f"admin:{model}_change"


def _attention(request: HttpRequest) -> int:
    """How many things wait for a person; 0 on the few pages that are drawn outside of the seller's scope."""
    return attention.count(request.seller) if current_scope() is not None else 0  # type: ignore[attr-defined]


def _group(request: HttpRequest, title: str, entries: list[Entry], slug: str | None) -> dict[str, Any]:
    here = request.resolver_match.view_name if request.resolver_match else ""
    items = []
    for entry in entries:
        item: dict[str, Any] = {
            "title": entry.title,
            "icon": entry.icon,
            "link": reverse(entry.route, args=[slug] if slug else []),
            "active": here in (entry.route, *entry.also),
        }
        if entry.badge:
            item["badge"] = entry.badge
        items.append(item)
    return {"title": title, "items": items}
