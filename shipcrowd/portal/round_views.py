"""Print rounds: platform ops choose sellers and places, and get a job for each and one PDF of all."""

import tempfile
from collections.abc import Sequence
from typing import cast
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from fulfillment import rounds
from fulfillment.papers.types import PaperRefused
from fulfillment.rounds import RoundJob, Waiting
from orders.acting import lists
from sellers import access
from sellers.access import ops_required
from sellers.models import User
from shipcrowd import files
from shipcrowd.portal.forms import PrintRoundForm, RoundReasonForm
from shipcrowd.tenancy import seller_scope

ROUNDS_KEPT = 20  # of which a session knows the sellers


@ops_required
@require_http_methods(["GET", "POST"])
def print_rounds(request: HttpRequest) -> HttpResponse:
    """What waits to be printed, by seller and place; pressed, a job for each."""
    by = cast(User, request.user)
    every = rounds.waiting(by=by, now=timezone.now())
    form = PrintRoundForm(lists(request.POST, "place")) if request.method == "POST" else None
    if form is not None and form.is_valid():
        return _start(request, form, rounds.chosen_of(every, form.cleaned_data["place"]))
    page = {
        "title": _("Print, all sellers"),
        "every": every,
        "form": form or PrintRoundForm(initial={"round": uuid4()}),
        "chosen": set(form["place"].value() or ()) if form is not None else set(),
        "recent": rounds.recent(by=by),
        "most": rounds.MOST_OF_A_SELLER,
    }
    return render(request, "portal/print_rounds.html", page)


@ops_required
@require_http_methods(["GET", "HEAD", "POST"])
def print_round(request: HttpRequest, round_id: UUID) -> HttpResponse:
    """How its jobs stand; asked by htmx only the part that changes meanwhile. Posted, why ops want its labels."""
    with seller_scope(*_sellers(request, round_id)):
        jobs = rounds.jobs_of(round_id)
    form = RoundReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        for one in jobs:
            access.give_reason(request, one.job.seller, form.cleaned_data["reason"])
        return redirect("portal:print_round", round_id=round_id)
    page = {
        "form": form,
        "may_open": _reasons(request, jobs) is not None,
        "title": _("Print round"),
        "round_id": round_id,
        "jobs": jobs,
        "is_moving": any(one.is_moving for one in jobs),
        "ready": sum(bool(one.stacks) for one in jobs),
        "pages": sum(stack.pages for one in jobs for stack in one.stacks),
    }
    is_part = bool(getattr(request, "htmx", False))
    return render(request, "portal/print_round_part.html" if is_part else "portal/print_round.html", page)


@ops_required
@require_safe
def print_round_pdf(request: HttpRequest, round_id: UUID) -> HttpResponseBase:
    """One PDF of what is laid out by now, joined for this answer only. The storage is read outside of any scope.

    Names and addresses of every seller's buyers stand on it: without a reason for each of them the page asks for one.
    """
    with seller_scope(*_sellers(request, round_id)):
        jobs = rounds.jobs_of(round_id)
    why = _reasons(request, jobs)
    if why is None:
        return redirect("portal:print_round", round_id=round_id)
    joined = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    try:
        rounds.write(jobs, joined)
    except (files.StorageFailed, PaperRefused) as error:
        joined.close()
        page = {"title": _("Not available"), "says": str(error)}
        return render(request, "fulfillment/no_file.html", page, status=503)
    rounds.mark_opened(jobs, by=cast(User, request.user), why=why)
    joined.seek(0)
    return files.as_long_pdf_response(joined, name=f"print-round-{round_id}")


def _start(request: HttpRequest, form: PrintRoundForm, chosen: list[Waiting]) -> HttpResponse:
    by, round_id, started = cast(User, request.user), form.cleaned_data["round"], 0
    for one in chosen:
        job = rounds.start(chosen=one, round_id=round_id, by=by, options=form.options, now=timezone.now())
        if job is not None:
            access.give_reason(request, one.seller, form.cleaned_data["reason"])
            started += 1
    if not started:
        messages.warning(request, _("Nothing of what you chose waits to be printed any more."))
        return redirect("portal:print_rounds")
    messages.info(
        request, ngettext("%(n)d seller's job began.", "%(n)d sellers' jobs began.", started) % {"n": started}
    )
    return redirect("portal:print_round", round_id=round_id)


def _reasons(request: HttpRequest, jobs: Sequence[RoundJob]) -> dict[int, str] | None:
    """Why ops act for the round's sellers, by the seller's key; None where they have not said it for one of them."""
    found = {one.job.seller_id: access.reason_of(request, one.job.seller.slug) for one in jobs}
    return found if all(found.values()) else None


def _sellers(request: HttpRequest, round_id: UUID) -> list[int]:
    """The round's sellers: looked for among everybody's once a session, which the audit notes."""
    known: dict[str, list[int]] = request.session.get("print_rounds", {})
    if str(round_id) not in known:
        found = rounds.sellers_of(round_id, by=cast(User, request.user))
        if not found:
            raise Http404
        known = dict([*known.items(), (str(round_id), found)][-ROUNDS_KEPT:])
        request.session["print_rounds"] = known
    return known[str(round_id)]
