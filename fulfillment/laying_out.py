"""What a print job prints, in which order, and what it leaves out and why; then the PDF itself."""

import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from fulfillment import queries
from fulfillment.models import Document, PrintJob, PrintJobLine
from fulfillment.papers.joining import Label, join
from fulfillment.papers.layout import THERMAL
from fulfillment.papers.sheets import LeftOut, summary_pdf
from fulfillment.verdicts import in_ist
from orders import rules
from orders.models import Shipment
from shipcrowd import files, work
from shipcrowd.files import Stored, StoredFileChanged, StoredFileLost
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import seller_scope
from shipcrowd.work import Attention

# So many labels are laid out between two signs of progress, which also keep the job's lease.
LABELS_A_SIGN = 50


@dataclass(slots=True)
class Plan:
    """The lines of a job; those that may be printed, in picking order; those that are printed, once it is laid out.

    `lost` are shipments whose stored label cannot be used.
    """

    lines: list[PrintJobLine]
    chosen: list[PrintJobLine]
    planned_at: datetime
    pages: int = 0
    printed: list[PrintJobLine] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    @property
    def left_out(self) -> list[PrintJobLine]:
        return [line for line in self.lines if line.left_out]

    def note_page(self, number: int, page: int) -> None:
        """The nth label stands on this page; of several pages the first counts. What is behind the labels is the
        summary.
        """
        if number <= len(self.printed) and self.printed[number - 1].page is None:
            self.printed[number - 1].page = page

    def in_words(self) -> str:
        """ "38 labels; 2 left out"."""
        left_out = f"; {len(self.left_out)} left out" if self.left_out else ""
        return f"{len(self.printed)} label{'' if len(self.printed) == 1 else 's'}{left_out}"


def plan(job: PrintJob, *, not_named: Collection[int], now: datetime) -> Plan:
    """Which lines may be printed, from what is stored now. `not_named`: shipments that Flipkart did not name when
    asked.

    In the caller's scope; writes nothing.
    """
    lines = list(
        PrintJobLine.objects.filter(seller_id=job.seller_id, job=job).select_related("shipment").order_by("pk")
    )
    labels = {d.shipment_id: d for d in queries.newest_papers(job.seller_id, [line.shipment_id for line in lines])}
    for line in lines:
        label = labels.get(line.shipment_id)
        reason = why_not(line.shipment, label, now)
        if reason is None and line.shipment_id in not_named:
            reason = "Flipkart did not name it when it was read again"
        line.left_out, line.document, line.page = reason or "", None if reason else label, None
    chosen = sorted((line for line in lines if not line.left_out), key=lambda line: picking_order(line.shipment))
    return Plan(lines=lines, chosen=chosen, planned_at=now)


def why_not(shipment: Shipment, label: Document | None, now: datetime) -> str | None:
    """Why a shipment's label must not be printed, or None. Pure."""
    reason = rules.why_not(shipment, rules.Act.PRINT, now)
    if label is not None and label.holds_tracking_id is False and shipment.state != State.CANCELLED:
        return "its label names another tracking id than ours"
    if reason is None and label is None:
        return "no label stored yet"
    return reason


def why_pull(shipment: Shipment, now: datetime) -> str | None:
    """Why a printed parcel must not leave, or None.

    What was handed over meanwhile has left, and what a person has set aside is in their hands already.
    """
    if shipment.attention == Attention.PULL:
        return shipment.attention_says.removesuffix(": pull this parcel") or "needs a person"
    reason = rules.why_not(shipment, rules.Act.PRINT, now)
    return None if shipment.set_aside_at or reason is None or reason.startswith("already handed over") else reason


def picking_order(shipment: Shipment) -> tuple[bool, str, int, str]:
    """Parcels of one SKU together, by quantity; those of several SKUs last."""
    return shipment.sku_count > 1, shipment.sku, shipment.quantity, shipment.flipkart_shipment_id


def lay_out(job: PrintJob, plan: Plan) -> Stored | None:
    """The stored PDF of the plan, with what was left out listed on the last page; None when there is nothing to
    print.

    Labels whose stored file is lost or changed move to the left out. Opens scopes of its own for signs of progress;
    raises StorageFailed.
    """
    if not plan.chosen:
        return None
    with tempfile.TemporaryFile() as file:
        plan.pages = join(_pages(job, plan), file, layout=THERMAL, placed=plan.note_page)
        return files.store_file(job.seller, kind="print", file=file) if plan.printed else None


def _pages(job: PrintJob, plan: Plan) -> Iterator[Label]:
    """Label after label, read once; a damaged one is left out, and the list of those left out comes last."""
    for number, line in enumerate(plan.chosen, start=1):
        try:
            label = Label(_bytes_of(line), note=_note(line.shipment))
        except (StoredFileLost, StoredFileChanged) as error:
            line.left_out, line.document = f"{error}; it is fetched again", None
            plan.lost.append(line.shipment_id)
            continue
        plan.printed.append(line)
        yield label
        if number % LABELS_A_SIGN == 0:
            _show_progress(job, number)
    if plan.left_out:
        yield Label(_summary(job, plan))


def _bytes_of(line: PrintJobLine) -> bytes:
    if line.document is None:
        raise StoredFileLost("there is no stored label")
    return files.read_checked(line.document.storage_key, line.document.sha256)


def _note(shipment: Shipment) -> str:
    """What the packer takes: "TS-BLK-M x 2"; of several SKUs only that they are several."""
    if shipment.sku_count > 1:
        return f"{shipment.sku_count} SKUs, {shipment.quantity} pieces"
    return f"{shipment.sku} x {shipment.quantity}" if shipment.quantity > 1 else shipment.sku


def _summary(job: PrintJob, plan: Plan) -> bytes:
    facts = [
        ("Printed", plan.in_words()),
        ("At", in_ist(plan.planned_at, now=plan.planned_at)),
    ]
    if job.unchecked_since:
        facts.append(("Unchecked", "Flipkart did not answer before this was printed"))
    left_out = [
        LeftOut(line.shipment.flipkart_shipment_id, line.shipment.flipkart_order_id, line.left_out)
        for line in plan.left_out
    ]
    return summary_pdf(title="Left out of this print", facts=facts, left_out=left_out)


def _show_progress(job: PrintJob, number: int) -> None:
    with seller_scope(job.seller_id):
        PrintJob.objects.filter(pk=job.pk, claim_token=job.claim_token).update(progress=number)
    work.keep([job])
