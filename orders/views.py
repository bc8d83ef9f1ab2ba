"""The shipments list by stage, and the page of one shipment."""

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Prefetch, prefetch_related_objects
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orders import display, looking, queries, rules, setting_aside, stages, timeline
from orders.acting import BulkAct, Press, confirm_or_do, go_back
from orders.forms import EVERYTHING, LookedAt, SetAsideForm, ShipmentFilter
from orders.models import Buyer, Shipment, ShipmentItem
from orders.rules import Act
from orders.stages import Stage
from orders.states import BEFORE_PACK
from sellers import gateway
from sellers.access import SellerRequest, member_required
from sellers.models import Facility, MemberFacility, Role
from shipcrowd import audit
from shipcrowd.flipkart.types import Abilities, Offer, State
from shipcrowd.work import Attention

# Where a press on the list or the page leads; what it means stands there.
ACTS = {
    "label_print": "fulfillment:label_and_print",
    "labels": "fulfillment:request_labels",
    "print": "fulfillment:request_print",
    "dispatch": "fulfillment:request_dispatch",
    "pick_list": "fulfillment:pick_list",
    "set_aside": "orders:set_aside",
    "put_back": "orders:put_back",
    "cancel": "fulfillment:request_cancellation",
}
_ACT_NAMES = {
    "label_print": gettext_lazy("Label and print"),
    "labels": gettext_lazy("Request labels"),
    "print": gettext_lazy("Print"),
    "dispatch": gettext_lazy("Ready to dispatch"),
    "pick_list": gettext_lazy("Pick list"),
    "set_aside": gettext_lazy("Set aside"),
    "put_back": gettext_lazy("Put back"),
    "cancel": gettext_lazy("Cancel at Flipkart"),
}
# What the rules call an act, as the form's buttons call it.
_PRESSED = {Act.LABEL: "labels", Act.PRINT: "print", Act.DISPATCH: "dispatch"}
# What was asked of Flipkart, named by string: papers and work rows belong to an app above this one.
_ASKED = ("label_requests", "dispatches", "cancellations", "form_acks")
_NEXT: dict[Stage | None, str] = {
    Stage.TO_LABEL: "labels",
    Stage.TO_PRINT: "print",
    Stage.TO_DISPATCH: "dispatch",
    Stage.SET_ASIDE: "put_back",
}
_EMPTY = {
    Stage.UPCOMING: gettext_lazy("Orders that may not be packed yet wait here until their time has come."),
    Stage.TO_LABEL: gettext_lazy("New orders come here by themselves as soon as they may be packed."),
    Stage.TO_PRINT: gettext_lazy("Request labels under “To label”; they come here once they are stored."),
    Stage.TO_DISPATCH: gettext_lazy("Print labels under “To print”; what is printed comes here."),
    Stage.AWAITING_PICKUP: gettext_lazy(
        "What is marked ready to dispatch waits here until the courier has scanned it."
    ),
    Stage.ON_HOLD: gettext_lazy("Flipkart holds nothing back."),
    Stage.SET_ASIDE: gettext_lazy("What you keep back with “Set aside” waits here until it is put back."),
    Stage.ATTENTION: gettext_lazy("What the machine cannot mend by itself comes here."),
    Stage.HANDED_OVER: gettext_lazy("What the courier has scanned comes here."),
    Stage.CANCELLED: gettext_lazy("What buyers cancel comes here."),
}


@dataclass(frozen=True, slots=True)
class Tab:
    stage: str
    title: str
    count: int | str
    link: str
    is_here: bool
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class ShownBuyer:
    """A buyer as far as whoever looks may see them; `billing` is empty where the bill goes to the same place."""

    name: str = ""
    lines: tuple[str, ...] = ()
    phone: str = ""
    billing: tuple[str, ...] = ()
    is_shown: bool = False


@require_safe
@member_required(Role.VIEWER)
def shipments(request: SellerRequest) -> HttpResponse:
    """One page of the list. A search with one match opens it, so that a scanner needs no second key."""
    now = timezone.now()
    form = _filter(request)
    if not form.is_valid():
        asked = {"title": _("Shipments"), "form": form, "is_filtered": True, "unfiltered": request.path}
        return render(request, "orders/shipments.html", asked, status=400)
    filters = form.as_filters()
    page = queries.page(request.seller, filters, now, after=request.GET.get("after", ""))
    if not request.GET.get("after") and (one := queries.one_meant(request.seller, page, filters.search)):
        return redirect("orders:shipment", slug=request.seller.slug, public_id=one.public_id)
    items = Prefetch("items", ShipmentItem.objects.order_by("pk"))
    prefetch_related_objects(list(page.shipments), items, *_ASKED)
    counts = stages.counts(request.seller, now, filters.facilities or None)
    stage = filters.stage
    may_act = request.role != Role.VIEWER
    matching = _matching(request, form, counts) if may_act and page.shipments else 0
    address = reverse("orders:shipments", args=[request.seller.slug])
    context = {
        "title": _("Shipments"),
        "tabs": _tabs(form, counts, address),
        "form": form,
        "stage": form.cleaned_data["stage"],
        "is_filtered": form.is_narrowed,
        "unfiltered": f"{address}?stage={stage.value if stage else form.cleaned_data['stage']}&facility=",
        "rows": [display.row(shipment, now) for shipment in page.shipments],
        "is_moving": any(row.is_open for name in _ASKED for one in page.shipments for row in getattr(one, name).all()),
        "may_act": may_act,
        "acts": _acts(stage, gateway.abilities_of(request.seller.pk)) if may_act and page.shipments else [],
        "matching": matching,
        "all_that_match": _all_in_words(matching) if matching > len(page.shipments) else "",
        "query": form.as_query(),
        "look_up_id": filters.search.strip(),
        "first_page": f"{address}?{form.as_query()}" if request.GET.get("after") else "",
        "next_page": f"{address}?{form.as_query(after=page.after)}" if page.after else "",
        "nothing_here": _("Nothing here"),
        "what_comes_here": _EMPTY.get(stage, _("Orders of the last 30 days come here once Flipkart is connected."))
        if stage
        else _EMPTY[Stage.TO_LABEL],
    }
    return render(request, "orders/shipments.html", context)


@require_POST
@member_required(Role.STAFF)
def act(request: SellerRequest) -> HttpResponse:
    """One form, many buttons: hands what was chosen on to where the pressed one leads."""
    route = ACTS.get(request.POST.get("act", ""))
    if route is None:
        messages.error(request, _("Press one of the buttons below the list."))
        return redirect("orders:shipments", slug=request.seller.slug)
    return redirect(reverse(route, args=[request.seller.slug]), preserve_request=True)


@require_http_methods(["GET", "POST"])
@member_required(Role.STAFF)
def set_aside(request: SellerRequest) -> HttpResponse:
    return confirm_or_do(request, SET_ASIDE)


@require_http_methods(["GET", "POST"])
@member_required(Role.STAFF)
def put_back(request: SellerRequest) -> HttpResponse:
    return confirm_or_do(request, PUT_BACK)


@require_safe
@cache_control(private=True, no_store=True)
@member_required(Role.VIEWER)
def shipment(request: SellerRequest, public_id: UUID) -> HttpResponse:
    found = _find(request, public_id)
    return render(request, "orders/shipment.html", _page(request, found, _buyer(request, found)))


@require_POST
@cache_control(private=True, no_store=True)
@member_required(Role.OWNER)
def show_buyer(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """The buyer in full, in the answer itself: nothing of it is kept for another page. Who looked is written down."""
    found = _find(request, public_id)
    audit.record(
        request.user,
        "looked at a buyer's address and phone",
        seller=request.seller,
        rows=[found],
        why=request.ops_reason,
    )
    timeline.note(request.seller.pk, [found.pk], "looked", _("address and phone were looked at"), by=request.user)
    shown = _in_full(queries.buyer(request.seller, found.pk))
    if getattr(request, "htmx", False):
        return render(request, "orders/shipment_buyer.html", {"shipment": found, "buyer": shown})
    return render(request, "orders/shipment.html", _page(request, found, shown))


@require_POST
@member_required(Role.STAFF)
def looked_at(request: SellerRequest) -> HttpResponse:
    form = LookedAt(request.POST)
    if form.is_valid():
        found = looking.looked_at(seller=request.seller, by=request.user, **form.cleaned_data)
        says = ngettext("%(count)d is out of sight", "%(count)d are out of sight", found) % {"count": found}
        messages.info(request, says)
    else:
        messages.error(request, _("Choose what you have looked at."))
    return redirect("portal:attention", slug=request.seller.slug)


def _do_set_aside(request: SellerRequest, press: Press) -> HttpResponse:
    outcome = setting_aside.set_aside(
        seller=request.seller, shipment_ids=press.shipment_ids, by=request.user, now=timezone.now(), **press.said
    )
    messages.info(request, outcome.in_words())
    return go_back(request)


def _do_put_back(request: SellerRequest, press: Press) -> HttpResponse:
    outcome = setting_aside.put_back(
        seller=request.seller, shipment_ids=press.shipment_ids, by=request.user, now=timezone.now()
    )
    messages.info(request, outcome.in_words())
    return go_back(request)


SET_ASIDE = BulkAct(
    title=gettext_lazy("Set aside"),
    button=gettext_lazy("Set aside"),
    consequence=gettext_lazy(
        "They are left out of labels, print, dispatch and hand-over until somebody puts them back. "
        "What Flipkart was told already stays told."
    ),
    route="orders:set_aside",
    preview=partial(setting_aside.preview, way=setting_aside.ASIDE),
    do=_do_set_aside,
    asks=lambda _request, sent, _chosen: SetAsideForm(sent),
)
PUT_BACK = BulkAct(
    title=gettext_lazy("Put back"),
    button=gettext_lazy("Put back"),
    consequence=gettext_lazy("They go on where they stood when they were set aside."),
    route="orders:put_back",
    preview=partial(setting_aside.preview, way=setting_aside.BACK),
    do=_do_put_back,
)


def _acts(stage: Stage | None, abilities: Abilities | None) -> list[dict[str, Any]]:
    """What can be done with ticked rows: of what is set aside, that it is put back or cancelled; elsewhere the steps
    of the day, and before the first of them that it is cancelled. `why_not` is why it can never be done here, or "".
    """
    if stage is Stage.SET_ASIDE:
        offered = ["put_back", "cancel"]
    else:
        offered = [act for act in _ACT_NAMES if act != "put_back"]
        if stage not in (Stage.TO_LABEL, None):
            offered.remove("label_print")
        if stage is not Stage.TO_LABEL:
            offered.remove("cancel")
    quiet = ("pick_list", "set_aside", "cancel")
    not_here = {"cancel": rules.why_not_here(abilities, Offer.CANCEL)}
    return [
        {
            "value": act,
            "name": _ACT_NAMES[act],
            "is_next": _NEXT.get(stage) == act,
            "is_quiet": act in quiet,
            "why_not": not_here.get(act, ""),
        }
        for act in offered
    ]


def _filter(request: SellerRequest) -> ShipmentFilter:
    facilities = list(Facility.objects.filter(seller=request.seller).order_by("name", "pk"))
    mine = (
        MemberFacility.objects.filter(seller=request.seller, member_id=request.member_id) if request.member_id else None
    )
    chosen = list(mine.values_list("facility__public_id", flat=True)) if mine is not None else []
    return ShipmentFilter(request.GET, facilities=facilities, mine=chosen)


def _tabs(form: ShipmentFilter, counts: dict[Stage, int | str], address: str) -> list[Tab]:
    """Each with its number; filters do not go with one to another tab, the facility does."""
    here = form.stage_shown
    facility = f"&facility={form.facility_chosen}" if form.facility_is_said else ""
    tabs = [
        Tab(
            stage=stage.value,
            title=str(stages.WORDS[stage]),
            count=counts[stage],
            link=f"{address}?stage={stage.value}{facility}",
            is_here=stage == here,
            is_bad=stage is Stage.ATTENTION and bool(counts[stage]),
        )
        for stage in Stage
    ]
    return [*tabs, Tab(EVERYTHING, _("All"), "", f"{address}?stage={EVERYTHING}{facility}", here is None)]


def _matching(request: SellerRequest, form: ShipmentFilter, counts: dict[Stage, int | str]) -> int:
    """How many match, where they are work of the house: what has left is neither counted nor worked on."""
    stage = form.stage_shown
    if stage in (Stage.HANDED_OVER, Stage.CANCELLED):
        return 0
    known = counts[stage] if stage else None
    is_counted = isinstance(known, int) and not any(
        form.cleaned_data[name] for name in ("state", "payment", "sku", "due")
    )
    return (
        int(known or 0) if is_counted else queries.matching(request.seller, form.as_filters(), timezone.now()).count()
    )


def _all_in_words(matching: int) -> str:
    return ngettext("all %(count)s that matches", "all %(count)s that match", matching) % {"count": f"{matching:,}"}


def _find(request: SellerRequest, public_id: UUID) -> Shipment:
    found = queries.find(request.seller, public_id)
    if found is None:
        raise Http404
    return found


def _page(request: SellerRequest, found: Shipment, buyer: ShownBuyer) -> dict[str, Any]:
    now = timezone.now()
    prefetch_related_objects([found], "documents", "serial_numbers", *(f"{name}__asked_by" for name in _ASKED))
    items = list(queries.items(request.seller, [found.pk]))
    # What can be done at Flipkart matters only before it is packed.
    abilities = gateway.abilities_of(found.seller_id) if found.state in BEFORE_PACK else None
    documents = sorted(found.documents.all(), key=lambda paper: (paper.paper != "label", paper.paper, -paper.version))
    reading = queries.reading(request.seller, found.pk)
    told, has_older = timeline.of_shipment(request.seller, found.pk)
    label_row = next(iter(found.label_requests.all()), None)
    return {
        "title": found.flipkart_shipment_id,
        "shipment": found,
        "state": display.state(found),
        "deadline": display.deadline(found, now),
        "label": display.label(found),
        "payment": display.payment(found),
        "total": display.rupees(found.total_price),
        "items": [(item, display.rupees(item.total_price), display.item_state(item, found)) for item in items],
        "marks": display.marks(found, items),
        "packaging": display.packaging(found),
        "acts": [(_PRESSED[act], name, why) for act, name, why in display.acts_open(found, now, label_row=label_row)]
        + _cancelling(found, abilities),
        "forms": display.forms(found) if found.state == State.FORM_FAILED else [],
        "forms_are_told": any(row.is_open for row in found.form_acks.all()),
        "serials": _serials(found, items),
        "takes_serials": abilities is not None and abilities.pack_wants_parcels,
        "serials_are_open": any(row.attention == Attention.REFUSED for row in found.label_requests.all()),
        "place": _place(found) if found.attention == Attention.PULL else "",
        "set_aside": setting_aside.open_note(request.seller, found.pk) if found.set_aside_at else None,
        "may_set_aside": setting_aside.why_not_aside(found) is None,
        "documents": documents,
        "previews": list({paper.paper: paper for paper in reversed(documents)}.values())[::-1],
        "work": _work(found),
        "buyer": buyer,
        "may_show_buyer": request.role == Role.OWNER,
        "may_act": request.role != Role.VIEWER,
        "read_at": reading.read_at if reading else found.read_began_at,
        "timeline": told,
        "older_than_shown": timeline.SHOWN if has_older else 0,
    }


def _serials(found: Shipment, items: list[ShipmentItem]) -> list[tuple[ShipmentItem, str, str]]:
    """(item, its pieces' serial numbers as they are entered, no error) of each that is not cancelled."""
    entered = {row.flipkart_order_item_id: row.as_text for row in found.serial_numbers.all()}
    return [(item, entered.get(item.flipkart_order_item_id, ""), "") for item in items if not item.is_cancelled]


def _cancelling(found: Shipment, abilities: Abilities | None) -> list[tuple[str, str, str]]:
    """The button that cancels, where it could be thought of; off with its reason where it cannot be done."""
    if found.state not in BEFORE_PACK:
        return []
    is_labelled = any(row.is_open for row in found.label_requests.all())
    why_not = rules.why_not_here(abilities, Offer.CANCEL)
    if any(row.is_open for row in found.cancellations.all()):
        why_not = _("its cancellation is on its way")
    why_not = why_not or rules.why_not_cancel(found, is_being_labelled=is_labelled) or ""
    return [("cancel", str(_ACT_NAMES["cancel"]), why_not)]


def _place(found: Shipment) -> str:
    """Where the label of what must be pulled was printed last."""
    printed = found.print_lines.filter(seller_id=found.seller_id, page__isnull=False).exclude(job__layout="invoices")
    line = printed.select_related("stack__job").order_by("-pk").first()
    return display.place_in_print(line.stack.letter, line.page or 0, line.stack.job.asked_at) if line else ""


def _work(found: Shipment) -> list[tuple[str, Any, str, bool]]:
    """(what, its work row, tone, whether a retry makes sense) of each effect that was asked for.

    A form is mended by its number alone.
    """
    ended = ("refused", "given_up", "withdrawn")
    tones = {"done": "good", "refused": "bad", "given_up": "bad", "unknown": "warn"}
    rows: list[tuple[str, Any]] = [(_("Label"), row) for row in found.label_requests.all()]
    rows += [(_("Ready to dispatch"), row) for row in found.dispatches.all()]
    rows += [(_("Cancellation"), row) for row in found.cancellations.all()]
    rows += [(_("Form"), row) for row in found.form_acks.all()]
    return [
        (name, row, tones.get(row.state, ""), row.state in ended or row.attention not in ("", Attention.FORM))
        for name, row in rows
    ]


def _buyer(request: SellerRequest, found: Shipment) -> ShownBuyer:
    """Name and place for those who pack; initials and place for those who only look."""
    row = queries.buyer(request.seller, found.pk)
    if row is None:
        return ShownBuyer()
    place = display.masked_address(row.delivery_address or row.shipping_address)
    line = " ".join(part for part in (place["city"], place["pincode"]) if part)
    name = display.masked_name(row.name) if request.role == Role.VIEWER else row.name
    return ShownBuyer(
        name=name, lines=tuple(part for part in (line, place["state"]) if part), phone=display.masked_phone(row.phone)
    )


def _in_full(row: Buyer | None) -> ShownBuyer:
    if row is None:
        return ShownBuyer(is_shown=True)
    lines = _address_lines(row.delivery_address or row.shipping_address)
    billing = _address_lines(row.billing_address)
    if row.billing_address and billing:
        billing = (row.billing_address.get("name", ""), *billing)
    is_same = set(billing) <= {row.name, *lines}
    return ShownBuyer(name=row.name, lines=lines, phone=row.phone, billing=() if is_same else billing, is_shown=True)


def _address_lines(address: dict[str, str] | None) -> tuple[str, ...]:
    address = address or {}
    lines = [address.get(part, "") for part in ("line1", "line2", "landmark")]
    lines.append(" ".join(address.get(part, "") for part in ("city", "pincode")).strip())
    lines.append(address.get("state", ""))
    return tuple(line for line in lines if line)
