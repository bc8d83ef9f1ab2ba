"""Pull: what must be taken out of the stacks, and the box that one scans it into."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from fulfillment import pulling
from fulfillment.forms import Scan
from fulfillment.pulling import Answer
from orders import queries as orders
from orders.acting import go_back
from sellers.access import SellerRequest, member_required
from sellers.models import Role

WAITING_SHOWN = 200


@require_GET
@member_required(Role.VIEWER)
def pulls(request: SellerRequest) -> HttpResponse:
    return _page(request, None)


@require_POST
@member_required(Role.STAFF)
def pull(request: SellerRequest) -> HttpResponse:
    """A scan is answered where the box stands, ready for the next; a button leads back to its own page."""
    form = Scan(request.POST)
    if not form.is_valid():
        answer = Answer("bad", _("Scan a parcel, or type its tracking id."))
    else:
        scanned = form.cleaned_data["scanned"]
        answer = pulling.pull(seller=request.seller, scanned=scanned, by=request.user, now=timezone.now())
    if request.POST.get("back"):
        messages.info(request, answer.says)
        return go_back(request)
    return _page(request, answer)


def _page(request: SellerRequest, answer: Answer | None) -> HttpResponse:
    rows = pulling.waiting(request.seller)
    shown = list(rows[:WAITING_SHOWN])
    places = pulling.places(request.seller.pk, shown)
    page = {
        "title": _("Pull parcels"),
        "answer": answer,
        "rows": [(one, places.get(one.pk, ""), pulling.in_parcels(one)) for one in shown],
        "count": rows.aggregate(parcels=orders.still_to_pull())["parcels"],
        "back": reverse("fulfillment:pulls", args=[request.seller.slug]),
        "may_act": request.role != Role.VIEWER,
    }
    is_part = bool(getattr(request, "htmx", False))
    return render(request, "fulfillment/pull_part.html" if is_part else "fulfillment/pull.html", page)
