"""Print jobs, as people ask for them: chosen shipments become stacks of paper, each shipment once.

What a job does then, stack by stack, is `print_work`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from fulfillment import claiming, habits, laying_out, presses, queries
from fulfillment.models import PrintJob, PrintJobLine, PrintStack
from fulfillment.options import Options
from fulfillment.stacking import sheets_between
from orders import queries as orders
from orders.models import Reading, Shipment
from orders.outcome import Outcome, by_reason
from sellers.models import Seller, User
from shipcrowd import audit, queue, work
from shipcrowd.tenancy import require_scope

KIND = PrintJob.KIND
BATCH = 5000  # rows of one statement


class CannotContinue(Exception):
    """Where a stack cannot be continued, in words for the person at the printer."""


class AlreadyContinued(Exception):
    """Its rest was printed behind this very parcel before: by `job`."""

    def __init__(self, job: PrintJob) -> None:
        super().__init__(f"print job {job.pk}")
        self.job = job


def request_print(
    *,
    seller: Seller,
    shipment_ids: Sequence[int],
    by: User,
    now: datetime,
    options: Options | None = None,
    reprint_reason: str = "",
    unchecked: bool = False,
    keeps_order: bool = False,
    member_id: int | None = None,
    once: UUID | None = None,
    round_id: UUID | None = None,
    continues: UUID | None = None,
    begun: Collection[int] = (),
) -> PrintJob:
    """A print job that claims these shipments; the printed ones, and those in another job, are left out in words.

    With a `reprint_reason` those are printed again, and taken over from the other job. What else must be left out is
    decided when each stack is laid out. `unchecked`: print although Flipkart does not answer, what is stored, to be
    checked later. `keeps_order`: as the shipments are given. `member_id`: whose habit these options become. `once`
    names the press: a second one with the same gives the job of the first. `continues` is the job whose paper jammed;
    of the shipments in `begun` the first page is out. Rings the bell in the same transaction.
    """
    require_scope(seller)
    options = options or Options()
    with transaction.atomic():
        job, is_new = PrintJob.objects.get_or_create(
            seller=seller,
            public_id=presses.row_id(seller, once),
            defaults={
                "wake_at": Now(),
                "asked_by": by,
                "give_up_at": now + settings.GIVE_UP_AFTER,
                "reprint_reason": reprint_reason,
                "keeps_order": keeps_order,
                "round_id": round_id,
                "continues": continues,
                "unchecked_since": now if unchecked else None,
                **options.as_columns(),
            },
        )
        if is_new:
            shipments = _in_order(queries.lock_shipments(seller.pk, shipment_ids), shipment_ids, keeps_order)
            _write_lines(job, shipments, begun, by=by, now=now)
            habits.remember(seller, member_id, options)
            did = "printed labels unchecked" if unchecked else "printed labels"
            audit.record(by, did, seller=seller, rows=[s.pk for s in shipments], why=reprint_reason)
            queue.ring(seller.pk, KIND)
    job.refresh_from_db()
    return job


def preview(*, seller: Seller, shipment_ids: Collection[int], now: datetime, options: Options | None = None) -> Outcome:
    """What these options would print and leave out, as far as is known now; writes nothing."""
    require_scope(seller)
    options = options or Options()
    shipments = list(orders.chosen(seller, shipment_ids))
    taken = claiming.why_taken(seller.pk, shipments, now) if options.prints_labels else {}
    against = laying_out.foreseen(seller.pk, shipments, options.layout, now)
    left_out = [(s, reason) for s in shipments if (reason := against.get(s.pk) or taken.get(s.pk))]
    return Outcome(
        sheets_between=sheets_between(s for s in shipments if s.pk not in against and s.pk not in taken),
        accepted=len(shipments) - len(left_out),
        left_out=by_reason(left_out),
        again=len(taken.keys() - against.keys()),
    )


def has_nothing_free(job: PrintJob) -> bool:
    """Whether all that was asked for had been printed before, or was another job's to print. In the caller's scope."""
    return not PrintJobLine.objects.filter(seller_id=job.seller_id, job=job, may_reprint=False).exists()


def print_again(*, seller: Seller, job: PrintJob, left_out: str, reason: str, by: User, now: datetime) -> PrintJob:
    """A reprint of what this job left out with these words, laid out as it was; pressed again, the same one."""
    require_scope(seller)
    lines = PrintJobLine.objects.filter(seller=seller, job=job, left_out=left_out, may_reprint=True).order_by("pk")
    ids = list(lines.values_list("shipment_id", flat=True))
    return request_print(
        seller=seller,
        shipment_ids=ids,
        by=by,
        now=now,
        options=job.options,
        reprint_reason=reason,
        keeps_order=True,
        once=uuid5(job.public_id, f"{left_out} {reason}"),
    )


def continue_after(*, seller: Seller, stack: PrintStack, scanned: str, by: User, now: datetime) -> PrintJob:
    """After the paper jammed: what comes out behind the last good label, as a job of its own, checked again.

    It begins with what comes behind that label of its own parcel, such as its invoice: nobody knows whether that came.
    Raises CannotContinue; where it was continued behind that very parcel before, AlreadyContinued.
    """
    require_scope(seller)
    lines = [line for line in queries.lines_of_stack(stack) if line.page is not None]
    found = set(orders.scanned_ids(seller, scanned))
    if not any(line.shipment_id in found for line in lines):
        raise CannotContinue(_not_in(stack, orders.scanned_id(scanned), found))
    last, ahead = _split_after(found, lines)
    begun = [last] if _has_pages_behind(stack, last) else []
    rest = [line.shipment_id for line in lines if line in begun or line.pk in ahead]
    if not rest:
        raise CannotContinue(_("This was the last parcel of stack %(letter)s.") % {"letter": stack.letter})
    name = last.shipment.tracking_id or last.shipment.flipkart_shipment_id
    reason = _("continued after %(id)s, stack %(letter)s page %(page)d")
    if begun:
        reason = _("continued after %(id)s, stack %(letter)s page %(page)d, its other pages first")
    reason %= {"id": name, "letter": stack.letter, "page": last.page}
    # Named by its line too: two who scan may read the words in two languages.
    once = uuid5(stack.job.public_id, f"continued after line {last.pk}")
    with transaction.atomic():
        queries.lock_shipments(seller.pk, rest)  # before the job, as everybody does
        # Two who scan at once come one after the other, so that the second finds the first one's job.
        PrintJob.objects.select_for_update().get(pk=stack.job_id)
        same = Q(public_id=presses.row_id(seller, once)) | Q(reprint_reason=reason)
        if known := continuations(stack.job).filter(same).first():
            raise AlreadyContinued(known)
        return request_print(
            seller=seller,
            shipment_ids=rest,
            by=by,
            now=now,
            options=stack.job.options.for_one(stack.packer),
            reprint_reason=reason,
            keeps_order=True,
            once=once,
            continues=stack.job.public_id,
            begun=[line.shipment_id for line in begun],
        )


def _split_after(found: Collection[int], lines: Sequence[PrintJobLine]) -> tuple[PrintJobLine, set[int]]:
    """The last line of these shipments to leave the printer, and the keys of those behind it; `lines` are printed ones.

    As the sheets come out, for a printer that stacks face up from the end, with their slots as they are filled. Pure.
    """
    printed = sorted(lines, key=lambda line: (line.page or 0, line.place or 0))
    at = max(number for number, line in enumerate(printed) if line.shipment_id in found)
    return printed[at], {line.pk for line in printed[at + 1 :]}


def _has_pages_behind(stack: PrintStack, line: PrintJobLine) -> bool:
    """Whether the page with its label is followed by others of its parcel. Turned round, they have come before it."""
    if stack.job.is_reversed:
        return False
    papers = laying_out.papers_of(stack.seller_id, [line.shipment_id], stack.job.layout)
    return laying_out.has_further_pages(line, papers.get(line.shipment_id, {}), stack.job.layout)


def continuations(job: PrintJob) -> QuerySet[PrintJob]:
    """The jobs that printed the rest of one of its stacks, oldest first."""
    return PrintJob.objects.filter(seller_id=job.seller_id, continues=job.public_id).order_by("pk")


def _not_in(stack: PrintStack, scanned: str, found: Collection[int]) -> str:
    words = {"id": scanned, "letter": stack.letter}
    elsewhere = PrintJobLine.objects.filter(
        seller_id=stack.seller_id, job_id=stack.job_id, shipment_id__in=found, page__isnull=False
    )
    if line := elsewhere.select_related("stack").first():
        return _("“%(id)s” lies in stack %(other)s: scan it there") % (words | {"other": line.stack.letter})
    return _("“%(id)s” is not in stack %(letter)s: scan the last label that came out well") % words


def withdraw(*, seller: Seller, job: PrintJob, by: User) -> bool:
    """What of the job is not printed yet is given back; False when nothing of it is left to print."""
    require_scope(seller)
    with transaction.atomic():
        # Whoever lays out its last stack holds it: what is read next is how that ended.
        PrintJob.objects.select_for_update().get(seller=seller, pk=job.pk)
        unfinished = PrintJob.objects.filter(
            Q(planned_at=None) | Q(stacks__laid_out_at=None),
            seller=seller,
            pk=job.pk,
            state__in=(*work.OPEN, work.State.GIVEN_UP),
        )
        if not PrintJob.objects.filter(pk__in=unfinished.values("pk")).update(
            state=work.State.WITHDRAWN,
            claim_token=None,
            wake_at=None,
            attention="",
            says=_("withdrawn"),
            settled_at=Now(),
        ):
            return False
        claiming.release(job)
        audit.record(by, "withdrew a print job", seller=seller, rows=[job.pk])
    return True


def print_unchecked(*, seller: Seller, job: PrintJob, by: User, now: datetime) -> bool:
    """A person's word that a job which waits for Flipkart shall be printed as last read; False when it no longer
    waits.
    """
    require_scope(seller)
    with transaction.atomic():
        waiting = PrintJob.objects.filter(seller=seller, pk=job.pk, state__in=work.OPEN)
        if not waiting.filter(unchecked_since=None).update(unchecked_since=now):
            return False
        waiting.filter(state=work.State.DUE).update(wake_at=Now())  # what a worker has in hand keeps its lease
        audit.record(by, "printed labels unchecked", seller=seller, rows=[job.pk])
        queue.ring(seller.pk, KIND)
    return True


def last_read_at(job: PrintJob) -> datetime | None:
    """When the shipment of the job that was read longest ago was read."""
    readings = Reading.objects.filter(
        seller_id=job.seller_id,
        shipment_id__in=PrintJobLine.objects.filter(seller_id=job.seller_id, job=job).values("shipment_id"),
    )
    return readings.order_by("read_at").values_list("read_at", flat=True).first()


def _in_order(shipments: Sequence[Shipment], wanted: Sequence[int], keeps_order: bool) -> list[Shipment]:
    if not keeps_order:
        return list(shipments)
    places = {shipment_id: place for place, shipment_id in enumerate(wanted)}
    return sorted(shipments, key=lambda shipment: places[shipment.pk])


def _write_lines(
    job: PrintJob, shipments: Sequence[Shipment], begun: Collection[int], *, by: User, now: datetime
) -> None:
    """A line each, and the claim with it where the shipment is free; they are locked."""
    taken: dict[int, str] = {}
    if job.options.prints_labels and job.reprint_reason:
        claiming.take_over(job.seller_id, [shipment.pk for shipment in shipments], by=by)
    elif job.options.prints_labels:
        taken = claiming.why_taken(job.seller_id, shipments, now)
    PrintJobLine.objects.bulk_create(
        (
            PrintJobLine(
                seller_id=job.seller_id,
                job=job,
                shipment=shipment,
                left_out=taken.get(shipment.pk, "")[:300],
                may_reprint=shipment.pk in taken,
                is_claim=job.options.prints_labels and shipment.pk not in taken,
                first_page_is_out=shipment.pk in begun,
            )
            for shipment in shipments
        ),
        batch_size=BATCH,
    )
    PrintJob.objects.filter(pk=job.pk).update(asked_for=len(shipments))
