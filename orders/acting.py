"""A bulk act on chosen shipments: the page that shows its consequences first, then the act itself, once a press."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from orders import queries
from orders.forms import ShipmentChoice, filters_of
from orders.outcome import Outcome
from sellers.access import SellerRequest, page_before

MOST_MATCHING = 50_000


@dataclass(frozen=True, slots=True)
class Press:
    """What was chosen (our keys), and what was said beside it; `once` names the press."""

    shipment_ids: list[int]
    once: UUID | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAct:
    """`do` does it and gives where to go next, or raises ValidationError with what must be said beside, by field.

    `asks` makes the form of that for the chosen shipments (our keys), bound or not; `foresees` gives what of it the
    preview goes by.
    """

    title: str | Promise
    button: str | Promise
    consequence: str | Promise
    route: str
    preview: Callable[..., Outcome]
    do: Callable[[SellerRequest, Press], HttpResponse]
    asks: Callable[[SellerRequest, QueryDict | None, list[int]], forms.Form] | None = None
    foresees: Callable[..., Mapping[str, Any]] | None = None
    template: str = "orders/confirm.html"


def confirm_or_do(request: SellerRequest, act: BulkAct) -> HttpResponse:
    """The page that shows the consequences first; its button comes back here with `confirmed`."""
    try:
        form, shipment_ids = choice(request)
    except ValidationError as error:
        return refuse(request, error)
    is_confirmed = request.method == "POST" and form.cleaned_data["confirmed"]
    shown = form.cleaned_data["shown"]
    said_already = request.POST if is_confirmed else None
    if is_confirmed and shown is not None and len(shipment_ids) > shown:
        messages.warning(request, _("Meanwhile more shipments match than you were shown. Look once more."))
        is_confirmed = False
    asked = act.asks(request, said_already, shipment_ids) if act.asks else None
    if is_confirmed and (asked is None or asked.is_valid()):
        said = asked.cleaned_data if asked else {}
        try:
            with transaction.atomic():
                return act.do(request, Press(shipment_ids, form.cleaned_data["once"], said))
        except ValidationError as error:
            if asked is None:
                raise
            asked.add_error(None, error)
    foreseen = act.foresees(asked) if act.foresees and asked else {}
    page = {
        "title": act.title,
        "act": act,
        "act_title": act.title,
        "asked": asked,
        "outcome": act.preview(seller=request.seller, shipment_ids=shipment_ids, now=timezone.now(), **foreseen),
        "chosen": form.cleaned_data,
        "chosen_count": len(shipment_ids),
        "up_to": max(shipment_ids, default=0),
        "once": uuid4(),
        "back": page_before(request),
    }
    return render(request, act.template, page)


def choice(request: SellerRequest) -> tuple[ShipmentChoice, list[int]]:
    """What was chosen in a list, by form or by address, and the keys of those shipments.

    Raises ValidationError with words.
    """
    form = ShipmentChoice(lists(request.POST if request.method == "POST" else request.GET, "shipment"))
    form.full_clean()
    if form.errors:
        raise ValidationError([error for errors in form.errors.values() for error in errors])
    return form, _chosen(request, form)


def refuse(request: SellerRequest, error: ValidationError) -> HttpResponse:
    """Back, with what is wrong."""
    for words in error.messages:
        messages.error(request, words)
    return go_back(request)


def go_back(request: SellerRequest) -> HttpResponseRedirect:
    """To the page that one came from, or home."""
    back = page_before(request)
    return HttpResponseRedirect(back) if back else redirect("portal:home", slug=request.seller.slug)


def lists(sent: QueryDict, *names: str) -> dict[str, object]:
    """A form's input with the named fields as lists."""
    return {key: sent.getlist(key) if key in names else sent.get(key) for key in sent}


def _chosen(request: SellerRequest, form: ShipmentChoice) -> list[int]:
    """Our keys of what was ticked, or of all that match the list's filters. Raises ValidationError with words."""
    if not form.cleaned_data["all_matching"]:
        return queries.ids_of(request.seller, form.cleaned_data["shipment"])
    filters = filters_of(request.seller, form.filters)
    found = queries.matching_ids(
        request.seller, filters, timezone.now(), most=MOST_MATCHING + 1, up_to=form.cleaned_data["up_to"]
    )
    if len(found) > MOST_MATCHING:
        raise ValidationError(_("More than %(most)s match: narrow the list first.") % {"most": f"{MOST_MATCHING:,}"})
    return found
