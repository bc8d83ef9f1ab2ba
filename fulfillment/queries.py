"""What fulfillment reads: chosen shipments, their label requests, labels and dispatches, print jobs and their lines."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from fulfillment.models import (
    Dispatch,
    Document,
    LabelRequest,
    Paper,
    PrintJob,
    PrintJobLine,
    PrintStack,
    SellerCancellation,
)
from fulfillment.options import Layout
from orders.ingest import lock_readings
from orders.models import Shipment
from sellers.models import Seller
from shipcrowd.work import State


def lock_shipments(seller_id: int, shipment_ids: Iterable[int]) -> list[Shipment]:
    """The shipments as they are now, by key, locked against other writers until the transaction ends.

    Readings first and by Flipkart's id, as ingest locks them, then shipments by key, and both before any work row:
    two workers that lock the same rows in different orders would wait for each other.
    """
    wanted = list(shipment_ids)
    lock_readings(wanted)
    return list(
        Shipment.objects.filter(seller_id=seller_id, pk__in=wanted)
        .order_by("pk")
        .select_for_update(no_key=True, of=("self",))
    )


def label_requests(seller: Seller | int, shipment_ids: Collection[int]) -> dict[int, LabelRequest]:
    """By shipment."""
    rows = LabelRequest.objects.filter(seller=seller, shipment_id__in=shipment_ids).order_by("pk")
    return {row.shipment_id: row for row in rows}


def without_label_request(shipments: QuerySet[Shipment]) -> QuerySet[Shipment]:
    """Those whose label nobody has asked for, or whose request was dropped: set aside meanwhile, and put back since.

    What is on its way, and what ended so that a person must look, is for nobody else to ask for.
    """
    rows = LabelRequest.objects.filter(seller_id=OuterRef("seller_id"), shipment_id=OuterRef("pk"))
    return shipments.exclude(Exists(rows.exclude(state=State.WITHDRAWN, attention="")))


def dispatches(seller: Seller, shipment_ids: Collection[int]) -> dict[int, Dispatch]:
    """By shipment."""
    rows = Dispatch.objects.filter(seller=seller, shipment_id__in=shipment_ids).order_by("pk")
    return {row.shipment_id: row for row in rows}


def cancellations(seller: Seller | int, shipment_ids: Collection[int]) -> dict[int, SellerCancellation]:
    """The newest of each shipment."""
    rows = SellerCancellation.objects.filter(seller=seller, shipment_id__in=shipment_ids).order_by("pk")
    return {row.shipment_id: row for row in rows}


def newest_papers(
    seller_id: int, shipment_ids: Collection[int], papers: Collection[Paper] = (Paper.LABEL,)
) -> list[Document]:
    """The newest version of each of these papers of each shipment, of those that are not void."""
    return list(_newest(seller_id, shipment_ids, papers).filter(voided_at=None))


def void_papers(seller_id: int, shipment_ids: Collection[int], *, now: datetime) -> None:
    """None of their papers is used any more; what is fetched next is a new version."""
    Document.objects.filter(seller_id=seller_id, shipment_id__in=shipment_ids, voided_at=None).update(voided_at=now)


def newest_versions(seller_id: int, shipment_ids: Collection[int]) -> dict[tuple[int, str], int]:
    """The number of the newest version by shipment and paper, void ones too: no number is given twice."""
    return {(paper.shipment_id, paper.paper): paper.version for paper in _newest(seller_id, shipment_ids, list(Paper))}


def _newest(seller_id: int, shipment_ids: Collection[int], papers: Collection[Paper]) -> QuerySet[Document]:
    return (
        Document.objects.filter(seller_id=seller_id, shipment_id__in=shipment_ids, paper__in=papers)
        .order_by("shipment_id", "paper", "-version")
        .distinct("shipment_id", "paper")
    )


def newest_paper(seller_id: int, paper: Paper) -> Document | None:
    """The seller's last stored one of this kind; its shipment is joined."""
    rows = Document.objects.filter(seller_id=seller_id, paper=paper).select_related("shipment")
    return rows.order_by("-pk").first()


def print_jobs(seller: Seller) -> QuerySet[PrintJob]:
    """Newest first, with how many shipments were left out and how many stacks there are; who asked is joined.

    Counted for the jobs that are read, and not for all that ever were.
    """
    lines = PrintJobLine.objects.filter(seller=seller, job=OuterRef("pk")).exclude(left_out="").order_by()
    left_out = lines.values("job").annotate(n=Count("pk")).values("n")
    stacks = PrintStack.objects.filter(seller=seller, job=OuterRef("pk")).order_by().values("job")
    return (
        PrintJob.objects.filter(seller=seller)
        .select_related("asked_by")
        .annotate(
            left_out_count=Coalesce(Subquery(left_out), 0),
            stack_count=Coalesce(Subquery(stacks.annotate(n=Count("pk")).values("n")), 0),
        )
        .order_by("-pk")
    )


def stacks(job: PrintJob) -> QuerySet[PrintStack]:
    """In the order of their letters; who opened them is joined."""
    return PrintStack.objects.filter(seller_id=job.seller_id, job=job).select_related("opened_by").order_by("number")


def stack(seller: Seller, job_id: UUID, letter: str) -> QuerySet[PrintStack]:
    """One stack by what stands in its address; its job and who asked for it are joined."""
    found = PrintStack.objects.filter(seller=seller, job__public_id=job_id, letter=letter)
    return found.select_related("job__asked_by", "job__seller")


def lines_of_stack(stack: PrintStack) -> QuerySet[PrintJobLine]:
    """Of a stack in its order; shipment and facility are joined."""
    lines = PrintJobLine.objects.filter(seller_id=stack.seller_id, stack=stack)
    return lines.select_related("shipment__facility").order_by("place")


def left_out_lines(job: PrintJob) -> QuerySet[PrintJobLine]:
    """What a print job left out, by reason; the shipment is joined."""
    return (
        PrintJobLine.objects.filter(seller_id=job.seller_id, job=job)
        .exclude(left_out="")
        .select_related("shipment")
        .order_by("left_out", "shipment__flipkart_shipment_id", "pk")
    )


def untold_before(stack: PrintStack) -> QuerySet[PrintJobLine]:
    """What was left out before this stack and stands on no paper: when the job was planned, if no stack before it has a
    file, and in the stacks without one since the last that has.
    """
    on_paper = PrintStack.objects.filter(seller_id=stack.seller_id, job=stack.job, number__lt=stack.number)
    told = on_paper.exclude(storage_key="").aggregate(last=Max("number"))["last"]
    untold = Q(stack__number__gt=told or 0, stack__number__lt=stack.number)
    return left_out_lines(stack.job).filter(untold if told else untold | Q(stack=None))


def left_out_groups(job: PrintJob) -> list[tuple[str, bool, int]]:
    """(reason, whether a reprint would include them, how many), in the order of `left_out_lines`."""
    lines = PrintJobLine.objects.filter(seller_id=job.seller_id, job=job).exclude(left_out="").order_by("left_out")
    counted = lines.values("left_out", "may_reprint").annotate(n=Count("pk"))
    return list(counted.values_list("left_out", "may_reprint", "n"))


def last_prints(seller_id: int, shipment_ids: Collection[int]) -> dict[int, PrintJobLine]:
    """Where the label of each of these shipments was printed last; stack, job and who asked are joined."""
    printed = PrintJobLine.objects.filter(seller_id=seller_id, shipment_id__in=shipment_ids, page__isnull=False)
    printed = printed.exclude(job__layout=Layout.INVOICES).exclude(first_page_is_out=True)
    newest = printed.order_by("shipment_id", "-pk").distinct("shipment_id").select_related("stack__job__asked_by")
    return {line.shipment_id: line for line in newest}


def claims(seller_id: int, shipment_ids: Collection[int]) -> dict[int, PrintJobLine]:
    """The lines by which these shipments are some job's to print, by shipment; the job and who asked are joined."""
    held = PrintJobLine.objects.filter(seller_id=seller_id, shipment_id__in=shipment_ids, is_claim=True)
    return {line.shipment_id: line for line in held.select_related("job__asked_by").order_by("pk")}
