"""Where one comes in, the seller picker, a seller's home, and what needs a person."""

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orders import polling
from sellers import access, facilities
from sellers.access import SellerRequest, member_required, ops_required
from sellers.models import Role, User
from sellers.switches import Switch, turn
from shipcrowd.portal import attention as needs
from shipcrowd.portal import doctor, overview
from shipcrowd.portal import history as happened
from shipcrowd.portal import home as today
from shipcrowd.portal.forms import ReasonForm, SwitchForm
from shipcrowd.portal.health import healthz
from shipcrowd.tenancy import seller_scope

__all__ = [
    "attention",
    "everyones_attention",
    "fetch_now",
    "healthz",
    "history",
    "home",
    "ops_reason",
    "root",
    "sellers",
    "switches",
]


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """Where one belongs: the log-in, one's only seller, or the picker."""
    if not request.user.is_authenticated:
        return redirect("login")
    mine = access.memberships(request.user)
    if len(mine) == 1 and not request.user.is_staff:
        return redirect("portal:home", slug=mine[0].seller.slug)
    return redirect("portal:sellers")


@require_safe
def sellers(request: HttpRequest) -> HttpResponse:
    """The picker: ops see every seller by risk, others those they are members of."""
    if not request.user.is_authenticated:
        return redirect(f"{reverse('login')}?next={request.path}")
    words = request.GET.get("q", "").strip()[:100]
    if request.user.is_staff:
        rows, more = overview.every_seller(by=request.user, named=words, now=timezone.now())
        context = {"title": _("All sellers"), "rows": rows, "more": more, "words": words}
        return render(request, "portal/sellers.html", context)
    return render(
        request,
        "portal/your_sellers.html",
        {"title": _("Your sellers"), "memberships": access.memberships(request.user)},
    )


@ops_required
@require_http_methods(["GET", "POST"])
def ops_reason(request: HttpRequest, slug: str) -> HttpResponse:
    """Ops say why they act for a seller, and go on to where they were."""
    seller = access.seller_by_slug(slug)
    if seller is None:
        raise Http404
    form = ReasonForm(request.POST or None)
    back = request.POST.get("next") or request.GET.get("next") or ""
    if request.method == "POST" and form.is_valid():
        access.give_reason(request, seller, form.cleaned_data["reason"])
        messages.success(request, _("You may act for %(seller)s for an hour.") % {"seller": seller.name})
        return redirect(back if _is_of(slug, back) else reverse("portal:home", args=[slug]))
    return render(
        request, "portal/ops_reason.html", {"title": _("Act for a seller"), "form": form, "of": seller, "next": back}
    )


def _is_of(slug: str, address: str) -> bool:
    """Whether an address that came with the request is a page of this seller's, on this host."""
    return address.startswith(f"/s/{slug}/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)


@require_safe
def everyones_attention(request: HttpRequest) -> HttpResponse:
    """What needs a person of every seller that one may see, for who works for several."""
    if not request.user.is_authenticated:
        return redirect(f"{reverse('login')}?next={request.path}")
    found = needs.across(request.user)
    return render(request, "portal/everyones_attention.html", {"title": _("Attention, all sellers"), "found": found})


@ops_required
@require_http_methods(["GET", "POST"])
def switches(request: HttpRequest, slug: str) -> HttpResponse:
    """Ops stop a seller's reading or sending with a reason, or let it go on."""
    seller = access.seller_by_slug(slug)
    if seller is None:
        raise Http404
    form = SwitchForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with seller_scope(seller):
            turn(seller, form.switched, off=form.cleaned_data["reason"], by=cast(User, request.user))
        messages.success(request, _("Stopped.") if form.cleaned_data["reason"] else _("It goes on."))
        return redirect("portal:switches", slug=slug)
    found = [
        (Switch.READING, _("Reading"), _("Polling and following: new orders stop arriving."), seller.reading_stopped),
        (Switch.SENDING, _("Sending"), _("Labels and dispatches: what is pressed waits."), seller.sending_stopped),
    ]
    context = {"title": _("Stop a seller"), "form": form, "of": seller, "switches": found}
    return render(request, "portal/switches.html", context)


@require_safe
@member_required(Role.VIEWER)
def home(request: SellerRequest) -> HttpResponse:
    now = timezone.now()
    connection, cursor = needs.connection_words(request.seller)
    places = facilities.places(request.seller, member_id=request.member_id, asked=request.GET.get("facility", "")[:64])
    figures = today.figures(request.seller, now, places, connection=connection)
    days, budget = today.two_weeks(request.seller, now, places, late_now=figures.late)
    context = {
        "title": _("Today"),
        "places": places,
        "figures": figures,
        "days": days,
        "budget": budget,
        "groups": needs.summary(request.seller),
        "connection": connection,
        "consent": doctor.consent_that_ends(connection, now),
        "cursor": cursor,
        "is_reading": bool(cursor and (cursor.walk or (cursor.wake_at and cursor.wake_at <= now))),
        "may_act": request.role != Role.VIEWER,
        "may_connect": request.role == Role.OWNER,
        "may_press": bool(settings.FLIPKART_CLIENT_ID),
    }
    return render(request, "portal/home.html", context)


@require_POST
@member_required(Role.STAFF)
def fetch_now(request: SellerRequest) -> HttpResponse:
    if why_not := polling.poll_now(request.seller):
        messages.warning(request, why_not)
    else:
        messages.info(request, _("Asked Flipkart for what is new. It shows here in a moment."))
    return redirect("portal:home", slug=request.seller.slug)


@require_safe
@member_required(Role.VIEWER)
def attention(request: SellerRequest) -> HttpResponse:
    connection, cursor = needs.connection_words(request.seller)
    context = {
        "title": _("Attention"),
        "groups": needs.groups(request.seller),
        "goes_on": needs.goes_on(request.seller),
        "lost": needs.lost_answers(request.seller, timezone.now()),
        "connection": connection,
        "cursor": cursor,
        "polls_fail": bool(cursor and cursor.failures_in_a_row >= needs.FAILURES_SHOWN),
        "may_act": request.role != Role.VIEWER,
        "may_connect": request.role == Role.OWNER,
    }
    return render(request, "portal/attention.html", context)


@require_safe
@member_required(Role.OWNER)
def history(request: SellerRequest) -> HttpResponse:
    """Who did what here, platform ops and their reasons among them; newest first, page by page."""
    found = happened.page(request.seller, before=request.GET.get("before", ""))
    return render(request, "portal/history.html", {"title": _("History"), "page": found})
