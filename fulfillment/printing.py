"""Print jobs: one PDF of the labels of chosen shipments, in picking order, without what must not leave the house.

What was read too long ago is read again first. Laying out runs without a scope or a transaction, tells its progress,
and may be done twice: nothing is printed until the finished file is named by the job's row.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from fulfillment import labels, laying_out, queries
from fulfillment.laying_out import Plan
from fulfillment.models import PrintJob, PrintJobLine
from fulfillment.verdicts import in_ist
from orders import queries as orders
from orders import reading, timeline
from orders.models import Reading, Shipment
from orders.outcome import Outcome, by_reason
from orders.states import FINAL
from sellers import gateway
from sellers.models import Seller, User
from shipcrowd import audit, queue, work
from shipcrowd.files import StorageFailed, Stored
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import require_scope, seller_scope
from shipcrowd.transport.errors import CallFailed, Throttled
from shipcrowd.work import Attention

KIND = PrintJob.KIND
ASK_AGAIN = timedelta(seconds=30)
CHECK_AFTERWARDS = timedelta(seconds=60)


def request_print(
    *,
    seller: Seller,
    shipment_ids: Collection[int],
    by: User,
    now: datetime,
    unchecked: bool = False,
    once: UUID | None = None,
) -> PrintJob:
    """A print job for these shipments; which of them must be left out is decided when it is laid out.

    `unchecked`: print although Flipkart does not answer, what is stored, to be checked later. `once` names the press:
    a second one with the same gives the job of the first. Rings the bell in the same transaction.
    """
    require_scope(seller)
    with transaction.atomic():
        job, is_new = PrintJob.objects.get_or_create(
            seller=seller,
            public_id=once or uuid4(),
            defaults={
                "wake_at": Now(),
                "asked_by": by,
                "give_up_at": now + settings.GIVE_UP_AFTER,
                "unchecked_since": now if unchecked else None,
            },
        )
        if is_new:
            ids = list(orders.chosen(seller, shipment_ids).values_list("pk", flat=True))
            PrintJobLine.objects.bulk_create(PrintJobLine(seller=seller, job=job, shipment_id=pk) for pk in ids)
            PrintJob.objects.filter(pk=job.pk).update(asked_for=len(ids))
            audit.record(by, "printed labels unchecked" if unchecked else "printed labels", seller=seller, rows=ids)
            queue.ring(seller.pk, KIND)
    job.refresh_from_db()
    return job


def preview(*, seller: Seller, shipment_ids: Collection[int], now: datetime) -> Outcome:
    """What would be printed and what left out, as far as is known now; writes nothing."""
    require_scope(seller)
    shipments = list(orders.chosen(seller, shipment_ids))
    newest = {d.shipment_id: d for d in queries.newest_papers(seller.pk, [shipment.pk for shipment in shipments])}
    reasons = [(shipment, laying_out.why_not(shipment, newest.get(shipment.pk), now)) for shipment in shipments]
    left_out = [(shipment, reason) for shipment, reason in reasons if reason]
    return Outcome(accepted=len(reasons) - len(left_out), left_out=by_reason(left_out))


def print_unchecked(*, seller: Seller, job: PrintJob, by: User, now: datetime) -> bool:
    """A person's word that a job which waits for Flipkart shall be printed as last read; False when it no longer
    waits.
    """
    require_scope(seller)
    with transaction.atomic():
        waiting = PrintJob.objects.filter(seller=seller, pk=job.pk, storage_key="", state__in=work.OPEN)
        if not waiting.filter(unchecked_since=None).update(unchecked_since=now, wake_at=Now()):
            return False
        audit.record(by, "printed labels unchecked", seller=seller, rows=[job.pk])
        queue.ring(seller.pk, KIND)
    return True


def work_due(*, seller_id: int) -> bool:
    """One print job: laid out, or, when it was printed unchecked, looked at afterwards. True when there may be more."""
    rows = work.claim_due(PrintJob, seller_id=seller_id, limit=1, related=["seller"])
    if not rows:
        return False
    with work.mistakes_noted(rows):
        if rows[0].storage_key:
            _check_afterwards(rows[0])
        else:
            _print(rows[0])
    return True


def last_read_at(job: PrintJob) -> datetime | None:
    """When the shipment of the job that was read longest ago was read."""
    readings = Reading.objects.filter(
        seller_id=job.seller_id,
        shipment_id__in=PrintJobLine.objects.filter(seller_id=job.seller_id, job=job).values("shipment_id"),
    )
    return readings.order_by("read_at").values_list("read_at", flat=True).first()


def _print(job: PrintJob) -> None:
    unread, error = _read_again(job, before=timezone.now() - settings.READ_AGAIN_AFTER)
    if unread and error is not None and job.unchecked_since is None:
        _wait(job, error)
        return
    if error is None and job.unchecked_since is not None:
        _forget_unchecked(job)
    now = timezone.now()
    not_named = unread if error is None else set()
    with seller_scope(job.seller_id):
        plan = laying_out.plan(job, not_named=not_named, now=now)
    try:
        laid_out = laying_out.lay_out(job, plan)
    except StorageFailed as failed:
        with seller_scope(job.seller_id):
            work.put_off([job], after=ASK_AGAIN, says=f"waiting: {failed}")
        return
    work.crash_point(f"{KIND}.stored")
    _finish(job, plan, laid_out, now=now)


def _read_again(job: PrintJob, *, before: datetime) -> tuple[set[int], CallFailed | None]:
    """Reads the job's shipments again that were last read before `before`: those still unread, and why if Flipkart
    failed.
    """
    with seller_scope(job.seller_id):
        lines = PrintJobLine.objects.filter(seller_id=job.seller_id, job=job)
        shipments = list(
            Shipment.objects.filter(seller_id=job.seller_id, pk__in=lines.values("shipment_id"))
            .exclude(state__in=FINAL)
            .order_by("pk")
        )
        fresh = set(
            Reading.objects.filter(
                seller_id=job.seller_id, shipment_id__in=[shipment.pk for shipment in shipments], read_at__gte=before
            ).values_list("shipment_id", flat=True)
        )
    stale = [shipment for shipment in shipments if shipment.pk not in fresh]
    if not stale:
        return set(), None
    try:
        client = gateway.client_for(job.seller_id)
    except CallFailed as error:
        return {shipment.pk for shipment in stale}, error
    again = reading.read_again(seller_id=job.seller_id, shipments=stale, client=client)
    return {shipment.pk for shipment in stale} - again.read, again.failed


def _wait(job: PrintJob, error: CallFailed) -> None:
    now = timezone.now()
    after = max(ASK_AGAIN, error.retry_after or ASK_AGAIN) if isinstance(error, Throttled) else ASK_AGAIN
    says = f"Flipkart did not answer at {in_ist(now, now=now)}: nothing is printed before it is known what changed"
    with seller_scope(job.seller_id):
        if job.give_up_at is not None and job.give_up_at <= now:
            work.given_up([job], because=Attention.GIVEN_UP, says=f"tried too long: {says}"[:300])
        else:
            work.put_off([job], after=after, says=says)


def _forget_unchecked(job: PrintJob) -> None:
    """It was to be printed unchecked, and Flipkart has answered after all."""
    with seller_scope(job.seller_id):
        PrintJob.objects.filter(pk=job.pk, claim_token=job.claim_token).update(unchecked_since=None)
    job.unchecked_since = None


def _finish(job: PrintJob, plan: Plan, laid_out: Stored | None, *, now: datetime) -> None:
    """Names the file, marks what is in it as printed, and asks anew for labels whose file was lost; all or nothing."""
    with seller_scope(job.seller_id):
        shipment_ids = [line.shipment_id for line in plan.lines]
        cancelled = {s.pk for s in queries.lock_shipments(job.seller_id, shipment_ids) if s.state == State.CANCELLED}
        if cancelled & {line.shipment_id for line in plan.printed}:
            # Cancelled while it was laid out: the file is not shown to anybody, and the job laid out anew without it.
            work.put_off([job], after=timedelta(0), says="laid out again: a shipment was cancelled meanwhile")
            return
        if not work.done([job], says=plan.in_words()):
            return  # another worker has taken it over
        PrintJobLine.objects.bulk_update(plan.lines, ["document", "page", "left_out"], batch_size=1000)
        printed = [line.shipment_id for line in plan.printed]
        if laid_out is not None:
            _name_file(job, plan, laid_out)
        Shipment.objects.filter(seller_id=job.seller_id, pk__in=printed).update(printed_at=now)
        words = "label printed, unchecked" if job.unchecked_since else "label printed"
        timeline.note(job.seller_id, printed, KIND, words, by=job.asked_by)
        lost = [line.shipment for line in plan.lines if line.shipment_id in plan.lost]
        labels.fetch_anew(job.seller_id, lost, says="its stored file was damaged: fetched again", by=None, now=now)
        work.crash_point(f"{KIND}.settling")
    work.crash_point(f"{KIND}.settled")


def _name_file(job: PrintJob, plan: Plan, laid_out: Stored) -> None:
    PrintJob.objects.filter(pk=job.pk).update(
        storage_key=laid_out.key,
        sha256=laid_out.sha256,
        size=laid_out.size,
        pages=plan.pages,
        progress=len(plan.printed),
        wake_at=Now() + CHECK_AFTERWARDS if job.unchecked_since and plan.printed else None,
    )


def _check_afterwards(job: PrintJob) -> None:
    """What was printed unchecked is read once Flipkart answers; what must not leave any more needs a person at the
    table.
    """
    unread, error = _read_again(job, before=job.settled_at or timezone.now())
    now = timezone.now()
    with seller_scope(job.seller_id):
        if unread and error is not None:
            says = "printed unchecked; Flipkart still does not answer"
            work.put_off([job], after=CHECK_AFTERWARDS, says=says)
            PrintJob.objects.filter(pk=job.pk).update(settled_at=job.settled_at)
            return
        printed = PrintJobLine.objects.filter(seller_id=job.seller_id, job=job, page__isnull=False)
        shipments = queries.lock_shipments(job.seller_id, printed.values_list("shipment_id", flat=True))
        wrong = [(s, reason) for s in shipments if (reason := laying_out.why_pull(s, now))]
        for shipment, reason in wrong:
            Shipment.objects.filter(pk=shipment.pk).update(
                attention=Attention.PULL, attention_says=f"printed unchecked, and now {reason}: pull this parcel"[:300]
            )
        timeline.note(job.seller_id, [s.pk for s, _ in wrong], KIND, "printed unchecked: pull this parcel")
        says = f"printed unchecked, checked at {in_ist(now, now=now)}: "
        says += f"{len(wrong)} of {len(shipments)} must be pulled" if wrong else "nothing was wrong"
        work.done([job], says=says)
