"""Print: what is asked for, the jobs and their stacks, and what a person does when the paper jams."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fulfillment import chain, habits, printing, queries
from fulfillment.forms import PrintForm, Reason, Scan
from fulfillment.models import PrintJob, PrintJobLine, PrintStack
from fulfillment.options import Options
from fulfillment.printing import AlreadyContinued, CannotContinue
from fulfillment.serving import pdf_page
from orders.acting import BulkAct, Press, confirm_or_do
from sellers.access import SellerRequest, calls_outside, member_required
from sellers.models import Role
from shipcrowd import work
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention

LEFT_OUT_SHOWN = 200
PRINT_JOBS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was left out for one reason: `count` of them, of which `lines` are shown."""

    reason: str
    may_reprint: bool
    count: int
    lines: Sequence[PrintJobLine]

    @property
    def more(self) -> int:
        return self.count - len(self.lines)


@require_http_methods(["GET", "POST"])
@member_required(Role.STAFF)
def request_print(request: SellerRequest) -> HttpResponse:
    return confirm_or_do(request, PRINT)


@require_http_methods(["GET", "POST"])
@member_required(Role.STAFF)
def label_and_print(request: SellerRequest) -> HttpResponse:
    return confirm_or_do(request, LABEL_AND_PRINT)


@require_GET
@member_required(Role.VIEWER)
def print_jobs(request: SellerRequest) -> HttpResponse:
    jobs = list(queries.print_jobs(request.seller)[:PRINT_JOBS_SHOWN])
    return render(request, "fulfillment/print_jobs.html", {"title": _("Print jobs"), "jobs": jobs})


@require_GET
@member_required(Role.VIEWER)
def print_job(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """The page of a job; asked by htmx only the part that changes while it is laid out."""
    job = _job(request, public_id)
    stacks = list(queries.stacks(job))
    is_moving = job.is_moving(stacks)
    shows_all = "all" in request.GET
    page = {
        "title": _("Print job"),
        "job": job,
        "stacks": stacks,
        "continuations": list(printing.continuations(job)),
        "left_out": _left_out(job, most=None if shows_all else LEFT_OUT_SHOWN),
        "shows_all": shows_all,
        "words": _words(job, stacks),
        "is_moving": is_moving,
        "may_withdraw": (is_moving or job.state == work.State.GIVEN_UP) and request.role != Role.VIEWER,
        "waits_for_flipkart": is_moving and job.attention == Attention.LATE and job.unchecked_since is None,
        "last_read_at": printing.last_read_at(job) if is_moving else None,
        "may_act": request.role != Role.VIEWER,
    }
    is_part = bool(getattr(request, "htmx", False))
    return render(request, "fulfillment/print_job_part.html" if is_part else "fulfillment/print_job.html", page)


@require_POST
@member_required(Role.STAFF)
def print_unchecked(request: SellerRequest, public_id: UUID) -> HttpResponse:
    job = _job(request, public_id)
    if printing.print_unchecked(seller=request.seller, job=job, by=request.user, now=timezone.now()):
        messages.warning(request, _("Printed as last read. It is checked as soon as Flipkart answers again."))
    else:
        messages.info(request, _("This job no longer waits."))
    return _to_job(request, job)


@require_POST
@member_required(Role.STAFF)
def print_again(request: SellerRequest, public_id: UUID) -> HttpResponse:
    """A reprint of one group of what a job left out, for a reason."""
    job, form = _job(request, public_id), Reason(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why they are printed again."))
        return _to_job(request, job)
    again = printing.print_again(
        seller=request.seller, job=job, by=request.user, now=timezone.now(), **form.cleaned_data
    )
    return _to_job(request, again)


@require_POST
@member_required(Role.STAFF)
def withdraw(request: SellerRequest, public_id: UUID) -> HttpResponse:
    job = _job(request, public_id)
    if printing.withdraw(seller=request.seller, job=job, by=request.user):
        messages.info(request, _("Withdrawn: what it had not printed yet is free for another job."))
    else:
        messages.info(request, _("Nothing of this job is left to print."))
    return _to_job(request, job)


@require_POST
@member_required(Role.STAFF)
def continue_after(request: SellerRequest, public_id: UUID, letter: str) -> HttpResponse:
    """What comes behind the last good label of a stack, after the paper jammed."""
    stack, form = _stack(request, public_id, letter), Scan(request.POST)
    if not form.is_valid():
        messages.error(request, _("Scan the last label that came out well."))
        return _to_job(request, stack.job)
    try:
        rest = printing.continue_after(
            seller=request.seller,
            stack=stack,
            scanned=form.cleaned_data["scanned"],
            by=request.user,
            now=timezone.now(),
        )
    except CannotContinue as error:
        messages.error(request, str(error))
        return _to_job(request, stack.job)
    except AlreadyContinued as error:
        says = _("Nothing new is printed: stack %(letter)s was continued after this label before, by this job.")
        messages.warning(request, says % {"letter": stack.letter})
        return _to_job(request, error.job)
    return _to_job(request, rest)


@calls_outside
@require_GET
@member_required(Role.STAFF)
def stack_pdf(request: SellerRequest, public_id: UUID, letter: str) -> HttpResponse:
    """The stack itself. The storage is read outside of any transaction, and who opened it first is noted."""
    with seller_scope(request.seller):
        stack = get_object_or_404(queries.stack(request.seller, public_id, letter).exclude(storage_key=""))
        PrintStack.objects.filter(pk=stack.pk, opened_at=None).update(opened_at=timezone.now(), opened_by=request.user)
    return pdf_page(request, key=stack.storage_key, sha256=stack.sha256, name=f"stack-{letter}-{public_id}")


def _job(request: SellerRequest, public_id: UUID) -> PrintJob:
    return get_object_or_404(queries.print_jobs(request.seller), public_id=public_id)


def _stack(request: SellerRequest, public_id: UUID, letter: str) -> PrintStack:
    return get_object_or_404(queries.stack(request.seller, public_id, letter))


def _to_job(request: SellerRequest, job: PrintJob) -> HttpResponse:
    return redirect("fulfillment:print_job", slug=request.seller.slug, public_id=job.public_id)


def _words(job: PrintJob, stacks: Sequence[PrintStack]) -> str:
    """How a job stands, in one line."""
    for stack in stacks if job.is_open else ():
        if stack.progress and stack.laid_out_at is None:
            done = {"letter": stack.letter, "done": stack.progress, "all": stack.asked_for}
            return _("laying out stack %(letter)s: %(done)d of %(all)d") % done
    return job.says or str(job.get_state_display())


def _left_out(job: PrintJob, *, most: int | None) -> list[LeftOut]:
    lines: dict[str, list[PrintJobLine]] = {}
    for line in queries.left_out_lines(job)[:most]:
        lines.setdefault(line.left_out, []).append(line)
    return [
        LeftOut(reason, may_reprint, count, lines.get(reason, []))
        for reason, may_reprint, count in queries.left_out_groups(job)
    ]


def _asks(request: SellerRequest, sent: QueryDict | None, _chosen: list[int]) -> PrintForm:
    options = habits.last_options(request.seller, request.member_id)
    form = PrintForm(sent, initial=PrintForm.initial_of(options))
    form.keep(request.POST)
    return form


def _foresees(asked: PrintForm) -> dict[str, Options]:
    return {"options": asked.shown}


def _do_print(
    request: SellerRequest, press: Press, do: Callable[..., PrintJob] = printing.request_print
) -> HttpResponse:
    job = do(
        seller=request.seller,
        shipment_ids=press.shipment_ids,
        by=request.user,
        now=timezone.now(),
        reprint_reason=press.said["reprint_reason"],
        options=PrintForm.options_of(press.said),
        member_id=request.member_id,
        once=press.once,
    )
    if not job.asked_for:
        raise ValidationError(_("Nothing that you had chosen matches any more. Go back and look once more."))
    if not press.said["reprint_reason"] and printing.has_nothing_free(job):
        raise ValidationError({"reprint_reason": _("Say why: all of them were printed before, or are being printed.")})
    return _to_job(request, job)


PRINT = BulkAct(
    title=gettext_lazy("Print"),
    button=gettext_lazy("Print"),
    consequence=gettext_lazy(
        "One job, in stacks with a PDF each. What is cancelled, held or changed by then is left out, "
        "and listed on the first page of its stack."
    ),
    route="fulfillment:request_print",
    preview=printing.preview,
    do=_do_print,
    asks=_asks,
    foresees=_foresees,
    template="fulfillment/confirm_print.html",
)
LABEL_AND_PRINT = BulkAct(
    title=gettext_lazy("Label and print"),
    button=gettext_lazy("Label and print"),
    consequence=gettext_lazy(
        "Labels are asked for where there are none, and what has come is printed, in stacks with a PDF each. "
        "What does not come in time is left out and said."
    ),
    route="fulfillment:label_and_print",
    preview=chain.preview,
    do=partial(_do_print, do=chain.label_and_print),
    asks=_asks,
    foresees=_foresees,
    template="fulfillment/confirm_print.html",
)
