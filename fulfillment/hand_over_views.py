"""Hand-over: what waits for which courier, and the sheets that were printed for them."""

from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from fulfillment import handover
from fulfillment.forms import HandOverForm
from fulfillment.models import HandOver
from fulfillment.serving import pdf_page
from sellers.access import SellerRequest, calls_outside, member_required
from sellers.models import Facility, Role
from shipcrowd.tenancy import seller_scope

SHEETS_SHOWN = 20


@require_GET
@member_required(Role.VIEWER)
def hand_overs(request: SellerRequest) -> HttpResponse:
    """What waits, and the latest sheets; asked by htmx only the part that changes while one is made."""
    sheets = list(handover.sheets(request.seller)[:SHEETS_SHOWN])
    page = {
        "title": _("Hand-over"),
        "waiting": [(one, uuid4()) for one in handover.waiting(request.seller, timezone.now())],
        "sheets": sheets,
        "is_moving": any(sheet.is_open for sheet in sheets),
        "may_act": request.role != Role.VIEWER,
    }
    is_part = bool(getattr(request, "htmx", False))
    return render(request, "fulfillment/hand_overs_part.html" if is_part else "fulfillment/hand_overs.html", page)


@require_POST
@member_required(Role.STAFF)
def request_hand_over(request: SellerRequest) -> HttpResponse:
    form = HandOverForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a courier and a facility."))
        return redirect("fulfillment:hand_overs", slug=request.seller.slug)
    place = form.cleaned_data["facility"]
    facility = get_object_or_404(Facility.objects.filter(seller=request.seller), public_id=place) if place else None
    handover.request_hand_over(
        seller=request.seller,
        facility=facility,
        courier=form.cleaned_data["courier"],
        by=request.user,
        once=form.cleaned_data["once"],
    )
    return redirect("fulfillment:hand_overs", slug=request.seller.slug)


@calls_outside
@require_GET
@member_required(Role.STAFF)
def hand_over_pdf(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """A sheet as it was made. The storage is read outside of any transaction, and who opened it first is noted."""
    with seller_scope(request.seller):
        sheet = get_object_or_404(handover.sheets(request.seller).exclude(storage_key=""), public_id=public_id)
        HandOver.objects.filter(pk=sheet.pk, opened_at=None).update(opened_at=timezone.now(), opened_by=request.user)
    return pdf_page(request, key=sheet.storage_key, sha256=sheet.sha256, name=f"hand-over-{public_id}")
