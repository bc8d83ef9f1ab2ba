"""What leads out of the shipments list: its CSV, and an id that is looked up at Flipkart."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from orders import exporting, looking_up
from orders.forms import LookUpForm, filters_of
from orders.models import LookUp
from sellers.access import SellerRequest, calls_outside, member_required
from sellers.models import Role
from shipcrowd import audit
from shipcrowd.tenancy import seller_scope


@calls_outside
@require_GET
@member_required(Role.STAFF)
def export(request: SellerRequest) -> HttpResponseBase:
    """The list with the filters of the address as CSV; who took it away is written down. Streams open own scopes."""
    try:
        with seller_scope(request.seller):
            filters = filters_of(request.seller, request.GET)
            audit.record(request.user, "exported shipments", seller=request.seller, why=request.ops_reason)
    except ValidationError as error:
        return HttpResponse("\n".join(error.messages), status=400, content_type="text/plain; charset=utf-8")
    now = timezone.now()
    response = StreamingHttpResponse(
        exporting.lines(seller=request.seller, filters=filters, now=now), content_type="text/csv; charset=utf-8"
    )
    name = f"shipments-{request.seller.slug}-{timezone.localtime(now):%Y%m%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
@member_required(Role.STAFF)
def look_up(request: SellerRequest) -> HttpResponse:
    form = LookUpForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("This is no shipment id of Flipkart's."))
        return redirect("orders:shipments", slug=request.seller.slug)
    row = looking_up.ask(seller=request.seller, flipkart_shipment_id=form.cleaned_data["q"], by=request.user)
    return redirect("orders:looked_up", slug=request.seller.slug, public_id=row.public_id)


@require_GET
@member_required(Role.VIEWER)
def looked_up(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """What became of a look-up; leads to the shipment once it is here. Asked by htmx only the part that changes."""
    row = get_object_or_404(LookUp.objects.filter(seller=request.seller), public_id=public_id)
    shipment = looking_up.found(row)
    is_part = bool(getattr(request, "htmx", False))
    if shipment is not None and not is_part:
        return redirect("orders:shipment", slug=request.seller.slug, public_id=shipment.public_id)
    page = {"title": _("Look-up at Flipkart"), "look_up": row, "shipment": shipment}
    return render(request, "orders/look_up_part.html" if is_part else "orders/look_up.html", page)
