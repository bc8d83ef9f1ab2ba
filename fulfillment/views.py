"""What a person presses on the way out: labels, ready to dispatch, cancel, forms, serial numbers, retry; and papers."""

from collections.abc import Mapping
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fulfillment import acknowledging, cancelling, dispatch, going_live, labels, retrying, serials
from fulfillment.forms import CancelForm, FormNumbers, RowChoice, SerialLines
from fulfillment.models import Document
from fulfillment.papers.checking import preview_in_child
from fulfillment.papers.types import ChildFailed, PaperRefused
from fulfillment.serving import pdf_page
from orders import queries as orders
from orders.acting import BulkAct, Press, confirm_or_do, go_back, lists
from orders.models import Shipment
from sellers.access import SellerRequest, calls_outside, member_required
from sellers.models import Role
from shipcrowd import files
from shipcrowd.tenancy import seller_scope


@require_http_methods(["GET", "POST"])
@member_required(Role.STAFF)
def request_labels(request: SellerRequest) -> HttpResponse:
    return confirm_or_do(request, LABELS)


@require_http_methods(["GET", "POST"])
@member_required(Role.STAFF)
def request_dispatch(request: SellerRequest) -> HttpResponse:
    return confirm_or_do(request, DISPATCH)


@require_http_methods(["GET", "POST"])
@member_required(Role.STAFF)
def request_cancellation(request: SellerRequest) -> HttpResponse:
    return confirm_or_do(request, CANCEL)


@require_POST
@member_required(Role.STAFF)
def acknowledge_forms(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """The numbers of the forms that a shipment wants, told on its page."""
    found = orders.find(request.seller, public_id)
    if found is None:
        raise Http404
    form = FormNumbers(request.POST)
    if form.is_valid():
        _acknowledge(request, found, form.cleaned_data["numbers"])
    else:
        messages.error(request, _("Give the number of each form."))
    return redirect("orders:shipment", slug=request.seller.slug, public_id=public_id)


@require_POST
@member_required(Role.STAFF)
def enter_serials(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """The serial numbers of a shipment's pieces. What is wrong comes back as it was typed: nobody scans it twice."""
    found = orders.find(request.seller, public_id)
    if found is None:
        raise Http404
    form = SerialLines(request.POST)
    if not form.is_valid():
        messages.error(request, _("Enter the numbers beside their items."))
        return redirect("orders:shipment", slug=request.seller.slug, public_id=public_id)
    texts = form.cleaned_data["texts"]
    try:
        pieces = serials.enter(
            seller=request.seller, shipment_id=found.pk, texts=texts, by=request.user, now=timezone.now()
        )
    except serials.MayNotEnter as reason:
        messages.error(request, capfirst(f"{reason}."))
    except serials.Wrong as wrong:
        return _ask_serials_again(request, found, texts, wrong.by_item)
    else:
        messages.success(request, _told_when_packed(pieces))
    return redirect("orders:shipment", slug=request.seller.slug, public_id=public_id)


@calls_outside
@require_GET
@member_required(Role.STAFF)
def document(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """One stored paper of a shipment."""
    with seller_scope(request.seller):
        paper = get_object_or_404(
            Document.objects.filter(seller=request.seller).select_related("shipment"), public_id=public_id
        )
    name = f"{paper.paper}-{paper.shipment.flipkart_shipment_id}-{paper.version}"
    return pdf_page(request, key=paper.storage_key, sha256=paper.sha256, name=name)


@calls_outside
@require_GET
@member_required(Role.STAFF)
def preview(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """A picture of a stored paper's first page. What cannot be drawn is no picture: the page has its link as well."""
    with seller_scope(request.seller):
        paper = get_object_or_404(Document.objects.filter(seller=request.seller), public_id=public_id)
    try:
        picture = preview_in_child(files.read_checked(paper.storage_key, paper.sha256))
    except (files.StorageFailed, ChildFailed, PaperRefused):
        raise Http404 from None
    response = HttpResponse(picture, content_type="image/png")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=600"  # a stored paper never changes; the browser's own cache only
    return response


@require_POST
@member_required(Role.STAFF)
def retry(request: SellerRequest) -> HttpResponse:
    form = RowChoice(lists(request.POST, "row"))
    if not form.is_valid():
        messages.error(request, _("Choose at least one row."))
        return go_back(request)
    taken_up = retrying.retry(seller=request.seller, row_ids=form.cleaned_data["row"], by=request.user)
    messages.info(request, ngettext("%(count)d tried again", "%(count)d tried again", taken_up) % {"count": taken_up})
    return go_back(request)


@require_http_methods(["GET", "POST"])
@member_required(Role.OWNER)
def checklist(request: SellerRequest) -> HttpResponse:
    """The go-live checklist: what ran, how it ended, and buttons that run it; asked by htmx only the list."""
    if request.method == "POST":
        asked = going_live.ask(seller=request.seller, names=request.POST.getlist("check"), by=request.user)
        if not asked:
            messages.error(request, _("None of these checks can run here."))
        return redirect("fulfillment:checklist", slug=request.seller.slug)
    points = going_live.points(request.seller)
    now = timezone.now()
    page = {
        "title": _("Go-live checklist"),
        "points": points,
        "can_run": [point.check.name for point in points if not point.why_not],
        "is_moving": any(going_live.is_due(point.row, now) for point in points),
    }
    is_part = bool(getattr(request, "htmx", False))
    return render(request, "fulfillment/checklist_part.html" if is_part else "fulfillment/checklist.html", page)


def _do_labels(request: SellerRequest, press: Press) -> HttpResponse:
    outcome = labels.request_labels(
        seller=request.seller, shipment_ids=press.shipment_ids, by=request.user, now=timezone.now()
    )
    messages.info(request, outcome.in_words())
    return go_back(request)


def _do_dispatch(request: SellerRequest, press: Press) -> HttpResponse:
    outcome = dispatch.request_dispatch(
        seller=request.seller, shipment_ids=press.shipment_ids, by=request.user, now=timezone.now()
    )
    messages.info(request, outcome.in_words())
    return go_back(request)


def _do_cancel(request: SellerRequest, press: Press) -> HttpResponse:
    outcome = cancelling.request_cancellation(
        seller=request.seller,
        shipment_ids=press.shipment_ids,
        reason=press.said["reason"],
        group_ids=press.said.get("parts", ()),
        by=request.user,
        now=timezone.now(),
    )
    messages.info(request, outcome.in_words())
    return go_back(request)


def _asks_cancelling(request: SellerRequest, sent: QueryDict | None, chosen: list[int]) -> CancelForm:
    """Of one shipment that has several parts, a person may choose some."""
    parts = cancelling.parts(request.seller, chosen[0]) if len(chosen) == 1 else []
    return CancelForm(sent, parts=parts if len(parts) > 1 else [])


def _acknowledge(request: SellerRequest, shipment: Shipment, numbers: Mapping[str, str]) -> None:
    try:
        acknowledging.request(
            seller=request.seller, shipment_id=shipment.pk, numbers=numbers, by=request.user, now=timezone.now()
        )
    except acknowledging.MayNotAcknowledge as reason:
        messages.error(request, capfirst(f"{reason}."))
    else:
        messages.success(request, _("The numbers are on their way to Flipkart; it packs on by itself."))


def _ask_serials_again(
    request: SellerRequest, shipment: Shipment, texts: Mapping[str, str], wrong: Mapping[str, str]
) -> HttpResponse:
    items = [item for item in orders.items(request.seller, [shipment.pk]) if item.flipkart_order_item_id in texts]
    page = {
        "title": shipment.flipkart_shipment_id,
        "shipment": shipment,
        "serials": [
            (item, texts[item.flipkart_order_item_id], wrong.get(item.flipkart_order_item_id, "")) for item in items
        ],
        "serials_are_open": True,
        "takes_serials": True,
        "may_act": True,
    }
    return render(request, "fulfillment/serials_again.html", page)


def _told_when_packed(pieces: int | None) -> str:
    if pieces is None:
        return _("Nothing has changed: the same numbers as before.")
    if not pieces:
        return _("It is packed without serial numbers.")
    words = ngettext(
        "Numbers of %(count)d piece are kept and told when it is packed. Was it refused before: press Retry.",
        "Numbers of %(count)d pieces are kept and told when it is packed. Was it refused before: press Retry.",
        pieces,
    )
    return words % {"count": pieces}


LABELS = BulkAct(
    title=gettext_lazy("Request labels"),
    button=gettext_lazy("Request labels"),
    consequence=gettext_lazy(
        "Flipkart packs these shipments and makes their invoices. This cannot be undone: "
        "a packed shipment can no longer be cancelled by you, only by the buyer."
    ),
    route="fulfillment:request_labels",
    preview=labels.preview,
    do=_do_labels,
)
DISPATCH = BulkAct(
    title=gettext_lazy("Ready to dispatch"),
    button=gettext_lazy("Mark ready to dispatch"),
    consequence=gettext_lazy(
        "Flipkart tells the courier to collect these parcels. This cannot be undone: "
        "a parcel that is not there at the pickup counts against you."
    ),
    route="fulfillment:request_dispatch",
    preview=dispatch.preview,
    do=_do_dispatch,
)
CANCEL = BulkAct(
    title=gettext_lazy("Cancel at Flipkart"),
    button=gettext_lazy("Cancel them for good"),
    consequence=gettext_lazy(
        "Flipkart tells the buyers that you cancelled: all that is left of each, where no part of it is chosen. "
        "This cannot be undone, and Flipkart counts it against you."
    ),
    route="fulfillment:request_cancellation",
    preview=cancelling.preview,
    do=_do_cancel,
    asks=_asks_cancelling,
    template="fulfillment/confirm_cancel.html",
)
