"""What a print job does on its turn: it is planned once, then one stack is laid out, then the turn goes on to others.

So the first stack can be printed while the rest is built, and no seller waits for all of another's. Just before a stack
is laid out, what was read too long ago is read again. Laying out runs without a scope or a transaction, and may be done
twice: nothing is printed until the finished file is named by the stack's row.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fulfillment import chain, dispatch, labels, laying_out, queries, slips, ways
from fulfillment.laying_out import Plan, counted
from fulfillment.models import PrintJob, PrintJobLine, PrintStack
from fulfillment.options import Layout
from fulfillment.stacking import Part, order_of, parts
from fulfillment.verdicts import in_ist, why_unread
from orders import reading, timeline
from orders.models import Shipment
from orders.rules import in_indian_words
from orders.states import FINAL
from sellers import gateway
from shipcrowd import work
from shipcrowd.files import StorageFailed, Stored
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport.errors import Broken, CallFailed, NotAuthorized, NoToken, Throttled, Unreachable
from shipcrowd.transport.retry import SHORTEST_PAUSE
from shipcrowd.work import Attention

KIND = PrintJob.KIND
ASK_AGAIN = timedelta(seconds=30)
# Then a person may print unchecked whatever the cause: the courier does not wait.
PATIENCE = timedelta(minutes=2)
CHECK_AFTERWARDS = timedelta(seconds=60)
CUT_OFF = (gateway.NotConnected, NotAuthorized)


def work_due(*, seller_id: int) -> bool:
    """One job's next step. True when there may be more."""
    rows = work.claim_due(PrintJob, seller_id=seller_id, limit=1, related=["seller", "asked_by"])
    if not rows:
        return False
    job = rows[0]
    with work.mistakes_noted(rows), suppress(work.TakenOver):  # then another worker goes on with it
        if job.planned_at is None:
            if not chain.wait_for_labels(job):
                _plan(job)
        elif (stack := _next_stack(job)) is not None:
            _print(job, stack)
        else:
            _check_afterwards(job)
    return True


def _next_stack(job: PrintJob) -> PrintStack | None:
    with seller_scope(job.seller_id):
        stack = queries.stacks(job).filter(laid_out_at=None).first()
    if stack is not None:
        stack.job = job
    return stack


# --- Planning --------------------------------------------------------------------------------------------------------


def _plan(job: PrintJob) -> None:
    """Which shipments lie in which stack, in their order, as far as is known now."""
    _read_what_may_be_free_again(job)
    now = timezone.now()
    with seller_scope(job.seller_id):
        # Whoever takes shipments over for a reprint holds them too: what is read here is still so when it is written.
        of_job = PrintJobLine.objects.filter(seller_id=job.seller_id, job=job)
        queries.lock_shipments(job.seller_id, of_job.values_list("shipment_id", flat=True))
        lines = _lines(job)
        reasons = _why_not(job, lines, now)
        for line in lines:
            line.left_out = line.left_out or reasons.get(line.pk, "")
        chosen = [line for line in lines if not line.left_out]
        if not job.keeps_order:
            chosen.sort(key=lambda line: order_of(line.shipment, job.sorting))
        stacks = parts(len(chosen), job.options)
        words = ngettext("%(count)d stack to lay out", "%(count)d stacks to lay out", len(stacks))
        says = words % {"count": len(stacks)}
        ours = (
            work.goes_on([job], after=timedelta(0), says=says)
            if stacks
            else work.done([job], says=counted(job.options, 0, len(lines)))
        )
        if not ours:
            return  # another worker has taken it over
        PrintJob.objects.filter(pk=job.pk).update(planned_at=now)
        _write_stacks(job, stacks, lines, chosen)
    work.crash_point(f"{KIND}.planned")


def _read_what_may_be_free_again(job: PrintJob) -> None:
    """What would be left out for a hold or a state that may be over by now is read first; the rest has its turn with
    its stack. When Flipkart does not answer it stays left out: nothing wrong is printed.
    """
    now = timezone.now()
    with seller_scope(job.seller_id):
        lines = [line for line in _lines(job) if not line.left_out and line.shipment.state not in FINAL]
        reasons = _why_not(job, lines, now)
    doubtful = [line.shipment_id for line in lines if line.pk in reasons and line.shipment.label_stored_at]
    reading.read_stale(job.seller_id, doubtful, before=now - settings.READ_AGAIN_AFTER)


def _why_not(job: PrintJob, lines: Sequence[PrintJobLine], now: datetime) -> dict[int, str]:
    """By line, why its label must not be printed; whether its invoice is there is seen with its stack."""
    papers = laying_out.papers_of(job.seller_id, [line.shipment_id for line in lines], Layout.THERMAL)
    found = {
        line.pk: laying_out.why_not(line.shipment, papers.get(line.shipment_id, {}), Layout.THERMAL, now)
        for line in lines
    }
    return {line: reason for line, reason in found.items() if reason}


def _lines(job: PrintJob) -> list[PrintJobLine]:
    lines = PrintJobLine.objects.filter(seller_id=job.seller_id, job=job).order_by("pk")
    return list(lines.select_related("shipment__facility"))


def _write_stacks(
    job: PrintJob, wanted: Sequence[Part], lines: Sequence[PrintJobLine], chosen: Sequence[PrintJobLine]
) -> None:
    stacks = PrintStack.objects.bulk_create(
        PrintStack(
            seller_id=job.seller_id,
            job=job,
            number=part.number,
            letter=part.letter,
            packer=part.packer,
            asked_for=part.end - part.start,
        )
        for part in wanted
    )
    for part, stack in zip(wanted, stacks, strict=True):
        for place, line in enumerate(chosen[part.start : part.end], start=1):
            line.stack, line.place = stack, place
    # Of what is left out nothing is claimed any more: another job may have it.
    for line in lines:
        line.is_claim = line.is_claim and not line.left_out
    _update_lines(lines)


def _update_lines(lines: Sequence[PrintJobLine]) -> None:
    """One statement for thousands of lines."""
    rows = [
        (line.pk, line.stack_id, line.place, line.document_id, line.page, line.left_out, line.is_claim)
        for line in lines
    ]
    columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(7)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            update fulfillment_printjobline l
            set stack_id = a.stack_id, place = a.place, document_id = a.document_id, page = a.page,
                left_out = a.left_out, is_claim = a.is_claim
            from unnest(%s::bigint[], %s::bigint[], %s::int[], %s::bigint[], %s::int[], %s::text[], %s::bool[])
                as a (id, stack_id, place, document_id, page, left_out, is_claim)
            where l.id = a.id
            """,
            columns,
        )


# --- One stack -------------------------------------------------------------------------------------------------------


def _print(job: PrintJob, stack: PrintStack) -> None:
    with seller_scope(job.seller_id):
        ids = list(queries.lines_of_stack(stack).filter(left_out="").values_list("shipment_id", flat=True))
    unread, error = reading.read_stale(job.seller_id, ids, before=timezone.now() - settings.READ_AGAIN_AFTER)
    if unread and error is not None and job.unchecked_since is None:
        _wait(job, error)
        return
    try:
        left = slips.prepare(stack)
    except StorageFailed as failed:
        _wait_for_storage(job, failed)
        return
    if left:
        with seller_scope(job.seller_id):
            words = _("cutting invoices for stack %(letter)s: %(count)d to go")
            says = words % {"letter": stack.letter, "count": left}
            work.goes_on([job], after=timedelta(0), says=says)
        return
    now = timezone.now()
    stack.unchecked_since = now if unread and error is not None else None
    not_named = unread if error is None else set()
    with seller_scope(job.seller_id):
        plan = laying_out.plan(stack, not_named=not_named, now=now)
    try:
        laid_out = laying_out.lay_out(stack, plan)
    except StorageFailed as failed:
        _wait_for_storage(job, failed)
        return
    work.crash_point(f"{KIND}.stored")
    _finish(job, stack, plan, laid_out, now=now)


def _wait(job: PrintJob, error: CallFailed) -> None:
    now = timezone.now()
    says = _("%(why)s: nothing is printed before it is known what changed")
    says = (says % {"why": _why_unread(error, now)})[:300]
    with seller_scope(job.seller_id):
        is_late = isinstance(error, (Unreachable, Broken)) or now - _last_step_at(job) >= PATIENCE
        attention = Attention.LATE if is_late else Attention.RECONNECT if isinstance(error, CUT_OFF) else ""
        if PrintJob.objects.filter(pk=job.pk, unchecked_since__isnull=False).exists() and job.unchecked_since is None:
            work.put_off([job], after=timedelta(0), says=says)  # meanwhile a person said not to wait
        elif job.give_up_at is not None and job.give_up_at <= now:
            over = _("tried too long: %(why)s") % {"why": says}
            work.given_up([job], because=Attention.GIVEN_UP, says=over[:300])
        else:
            work.put_off([job], after=_pause(error), says=says, attention=attention)


def _why_unread(error: CallFailed, now: datetime) -> str:
    """Why nothing could be read, and who can help it. Pure."""
    if isinstance(error, CUT_OFF):
        return _("An owner must reconnect Flipkart")
    if isinstance(error, Throttled) and not isinstance(error, NoToken):
        return _("Too many calls to Flipkart at once, it goes on by itself")
    if isinstance(error, (Unreachable, Broken, NoToken)):
        return why_unread(error, now=now)
    return error.says.rstrip(".")


def _pause(error: CallFailed) -> timedelta:
    """Until a call is worth another try. Pure."""
    if not isinstance(error, Throttled) or error.retry_after is None:
        return ASK_AGAIN
    return min(max(error.retry_after, SHORTEST_PAUSE), settings.READ_AGAIN_AFTER)


def _last_step_at(job: PrintJob) -> datetime:
    """When the job was planned, or its last stack laid out."""
    last = PrintStack.objects.filter(seller_id=job.seller_id, job=job).aggregate(at=Max("laid_out_at"))["at"]
    return last or job.planned_at or job.asked_at


def _wait_for_storage(job: PrintJob, failed: StorageFailed) -> None:
    with seller_scope(job.seller_id):
        work.put_off([job], after=ASK_AGAIN, says=_("waiting: %(why)s") % {"why": failed})


def _finish(job: PrintJob, stack: PrintStack, plan: Plan, laid_out: Stored | None, *, now: datetime) -> None:
    """Names the file, marks what is in it as printed, and asks anew for labels whose file was lost; all or nothing."""
    with seller_scope(job.seller_id):
        shipments = queries.lock_shipments(job.seller_id, [line.shipment_id for line in plan.lines])
        if changed := _changed_meanwhile(job, plan, shipments, now):
            # The file is not shown to anybody, and the stack laid out anew without them.
            words = _("laid out again: %(count)d changed meanwhile") % {"count": changed}
            work.put_off([job], after=timedelta(0), says=words)
            return
        if not _go_on(job, stack, plan):
            return  # another worker has taken it over
        for line in plan.lines:
            line.is_claim = False
        _update_lines(plan.lines)
        _name_file(stack, plan, laid_out, now=now)
        if plan.options.prints_labels:
            printed = [line.shipment_id for line in plan.whole]
            Shipment.objects.filter(seller_id=job.seller_id, pk__in=printed).update(printed_at=now)
            _dispatch(job, printed, now=now)
        timeline.note_each(job.seller_id, _told(job, stack, plan), KIND, by=job.asked_by)
        lost = [line.shipment for line in plan.lines if line.shipment_id in plan.lost]
        damaged = _("its stored file was damaged: fetched again")
        queries.void_papers(job.seller_id, [shipment.pk for shipment in lost], now=now)
        labels.fetch_anew(job.seller_id, lost, says=damaged, by=None, now=now)
        work.crash_point(f"{KIND}.settling")
    work.crash_point(f"{KIND}.settled")


def _changed_meanwhile(job: PrintJob, plan: Plan, shipments: Sequence[Shipment], now: datetime) -> int:
    """How many of what is in the file must not be: cancelled, held, set aside, or taken over by another job since it
    was planned.
    """
    current = {shipment.pk: shipment for shipment in shipments}
    papers = laying_out.papers_of(job.seller_id, list(current), job.layout)
    held = set(
        PrintJobLine.objects.filter(pk__in=[line.pk for line in plan.chosen], is_claim=True).values_list(
            "pk", flat=True
        )
    )
    return sum(
        bool(laying_out.why_not(current[line.shipment_id], papers.get(line.shipment_id, {}), job.layout, now))
        or (plan.options.prints_labels and line.pk not in held)
        for line in plan.chosen
    )


def _go_on(job: PrintJob, stack: PrintStack, plan: Plan) -> bool:
    """The job's next step: its next stack, or its end; False when it is not ours any more."""
    waiting = PrintStack.objects.filter(seller_id=job.seller_id, job=job, laid_out_at=None).exclude(pk=stack.pk)
    if left := waiting.count():
        words = _("stack %(letter)s is ready; %(count)d more to lay out")
        says = words % {"letter": stack.letter, "count": left}
        return bool(work.goes_on([job], after=timedelta(0), says=says))
    before = PrintStack.objects.filter(seller_id=job.seller_id, job=job).exclude(pk=stack.pk)
    lines = PrintJobLine.objects.filter(seller_id=job.seller_id, job=job).exclude(stack=stack)
    of_lines = lines.aggregate(
        printed=Count("pk", filter=Q(page__isnull=False, first_page_is_out=False)),
        begun=Count("pk", filter=Q(page__isnull=False, first_page_is_out=True)),
        left_out=Count("pk", filter=~Q(left_out="")),
    )
    says = counted(
        plan.options,
        of_lines["printed"] + len(plan.whole),
        of_lines["left_out"] + len(plan.left_out),
        begun=of_lines["begun"] + len(plan.chosen) - len(plan.whole),
        stacks=before.count() + 1,
    )
    if not work.done([job], says=says):
        return False
    if stack.unchecked_since or before.filter(unchecked_since__isnull=False).exists():
        PrintJob.objects.filter(pk=job.pk).update(wake_at=Now() + CHECK_AFTERWARDS)
    return True


def _name_file(stack: PrintStack, plan: Plan, laid_out: Stored | None, *, now: datetime) -> None:
    PrintStack.objects.filter(pk=stack.pk).update(
        laid_out_at=now,
        printed=len(plan.chosen),
        progress=len(plan.chosen),
        pages=plan.pages if laid_out else 0,
        storage_key=laid_out.key if laid_out else "",
        sha256=laid_out.sha256 if laid_out else "",
        size=laid_out.size if laid_out else 0,
        unchecked_since=stack.unchecked_since if plan.chosen else None,
    )


def _dispatch(job: PrintJob, printed: Sequence[int], *, now: datetime) -> None:
    """The full chain's last step, while its seller still wants it; each row then looks for itself whether it may."""
    if job.then_dispatch and printed and ways.of(job.seller_id).is_full_chain:
        dispatch.request_dispatch(seller=job.seller, shipment_ids=printed, by=job.asked_by, now=now)


def _told(job: PrintJob, stack: PrintStack, plan: Plan) -> dict[int, str]:
    """What the timeline says of each shipment in the stack."""
    printed = _in_words(job, stack, plan)
    words = _("%(what)s: job of %(at)s, stack %(letter)s, page %(page)s")
    place = {"at": in_indian_words(job.asked_at), "letter": stack.letter}
    rest = _("its other pages printed (%(why)s)") % {"why": job.reprint_reason}
    what = {line.pk: rest if line.first_page_is_out else printed for line in plan.chosen}
    return {line.shipment_id: words % (place | {"what": what[line.pk], "page": line.page}) for line in plan.chosen}


def _in_words(job: PrintJob, stack: PrintStack, plan: Plan) -> str:
    what = _("label printed") if plan.options.prints_labels else _("invoice printed")
    if job.reprint_reason:
        what = _("%(what)s again (%(why)s)") % {"what": what, "why": job.reprint_reason}
    if stack.unchecked_since:
        what = _("%(what)s, unchecked") % {"what": what}
    return what


# --- Afterwards ------------------------------------------------------------------------------------------------------


def _check_afterwards(job: PrintJob) -> None:
    """What was printed unchecked is read once Flipkart answers; what must not leave any more needs a person at the
    table.
    """
    with seller_scope(job.seller_id):
        lines = PrintJobLine.objects.filter(seller_id=job.seller_id, job=job, page__isnull=False)
        ids = list(lines.filter(stack__unchecked_since__isnull=False).values_list("shipment_id", flat=True))
    unread, error = reading.read_stale(job.seller_id, ids, before=job.settled_at or timezone.now())
    now = timezone.now()
    with seller_scope(job.seller_id):
        if unread and error is not None:
            says = (_("printed unchecked, not checked yet: %(why)s") % {"why": _why_unread(error, now)})[:300]
            work.put_off([job], after=CHECK_AFTERWARDS, says=says)
            PrintJob.objects.filter(pk=job.pk).update(settled_at=job.settled_at)
            return
        shipments = queries.lock_shipments(job.seller_id, ids)
        # What was pulled meanwhile no longer counts as printed, and is not asked for a second time.
        wrong = [(s, reason) for s in shipments if s.printed_at and (reason := laying_out.why_pull(s, now))]
        for shipment, reason in wrong:
            words = _("printed unchecked, and now %(why)s") % {"why": reason}
            Shipment.objects.filter(pk=shipment.pk).update(attention=Attention.PULL, attention_says=words[:300])
        told = [shipment.pk for shipment, _reason in wrong]
        timeline.note(job.seller_id, told, KIND, _("printed unchecked: pull this parcel"))
        words = _("printed unchecked, checked at %(at)s: nothing was wrong")
        if wrong:
            words = _("printed unchecked, checked at %(at)s: %(wrong)d of %(count)d must be pulled")
        checked = {"at": in_ist(now, now=now), "wrong": len(wrong), "count": len(shipments)}
        work.done([job], says=words % checked)
