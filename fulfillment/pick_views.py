"""Pick lists on screen and on paper, and the page by which a printer is set up."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from fulfillment import pick_lists, queries
from fulfillment.models import PrintStack
from fulfillment.papers.setting_up import printer_test_pdf
from fulfillment.pick_lists import SHEETS, PickList
from orders.acting import choice, refuse
from orders.forms import ShipmentChoice
from sellers.access import SellerRequest, member_required
from sellers.models import Role
from shipcrowd import files

MOST_IN_AN_ADDRESS = 60  # servers take addresses of 4 KB; a page of the list has 50 rows


@require_http_methods(["GET", "POST"])
@member_required(Role.VIEWER)
def pick_list(request: SellerRequest) -> HttpResponse:
    """Of what was chosen in the list: its button posts, and leads to an address that can be kept and printed."""
    try:
        form, shipment_ids = choice(request)
    except ValidationError as error:
        return refuse(request, error)
    if len(form.cleaned_data["shipment"]) > MOST_IN_AN_ADDRESS:
        words = _("Choose at most %(most)d, or all that match.") % {"most": MOST_IN_AN_ADDRESS}
        return refuse(request, ValidationError(words))
    query = _query(form)
    here = reverse("fulfillment:pick_list", args=[request.seller.slug])
    if request.method == "POST":
        return HttpResponseRedirect(f"{here}?{urlencode(query, doseq=True)}")
    found = pick_lists.of_shipments(seller=request.seller, shipment_ids=shipment_ids)
    pdf = reverse("fulfillment:pick_list_pdf", args=[request.seller.slug])
    return _page(request, found, title=_("Pick list"), pdf=f"{pdf}?{urlencode(query, doseq=True)}&sheet=")


@require_GET
@member_required(Role.VIEWER)
def pick_list_pdf(request: SellerRequest) -> HttpResponse:
    try:
        _form, shipment_ids = choice(request)
    except ValidationError as error:
        return refuse(request, error)
    found = pick_lists.of_shipments(seller=request.seller, shipment_ids=shipment_ids)
    return _pdf(request, found, title=_("Pick list"))


@require_GET
@member_required(Role.VIEWER)
def stack_pick_list(request: SellerRequest, public_id: UUID, letter: str) -> HttpResponse:
    stack = _stack(request, public_id, letter)
    pdf = reverse("fulfillment:stack_pick_list_pdf", args=[request.seller.slug, public_id, letter])
    job = reverse("fulfillment:print_job", args=[request.seller.slug, public_id])
    return _page(request, pick_lists.of_stack(stack), title=_title(stack), pdf=f"{pdf}?sheet=", job=job)


@require_GET
@member_required(Role.VIEWER)
def stack_pick_list_pdf(request: SellerRequest, public_id: UUID, letter: str) -> HttpResponse:
    stack = _stack(request, public_id, letter)
    return _pdf(request, pick_lists.of_stack(stack), title=_title(stack))


@require_GET
@member_required(Role.VIEWER)
def printer_test_page(request: SellerRequest) -> HttpResponse:
    """A ruler and a barcode, to see that the browser prints at actual size."""
    return files.as_pdf_response(printer_test_pdf(SHEETS[_sheet(request)]), name="test-page")


def _page(request: SellerRequest, found: PickList, **shown: Any) -> HttpResponse:
    return render(request, "fulfillment/pick_list.html", {"found": found, **shown})


def _pdf(request: SellerRequest, found: PickList, *, title: str) -> HttpResponse:
    content = pick_lists.as_pdf(found, title=title, now=timezone.now(), sheet=_sheet(request))
    return files.as_pdf_response(content, name="pick-list")


def _sheet(request: SellerRequest) -> str:
    sheet = request.GET.get("sheet", "a4")
    if sheet not in SHEETS:
        raise Http404
    return sheet


def _query(form: ShipmentChoice) -> Mapping[str, Any]:
    """The same choice, for an address."""
    if form.cleaned_data["all_matching"]:
        return {"all_matching": "1", "query": form.cleaned_data["query"]}
    return {"shipment": [str(public_id) for public_id in form.cleaned_data["shipment"]]}


def _stack(request: SellerRequest, public_id: UUID, letter: str) -> PrintStack:
    return get_object_or_404(queries.stack(request.seller, public_id, letter))


def _title(stack: PrintStack) -> str:
    words = {"letter": stack.letter, "packer": stack.packer}
    if stack.packer:
        return _("Pick list of stack %(letter)s, %(packer)s") % words
    return _("Pick list of stack %(letter)s") % words
