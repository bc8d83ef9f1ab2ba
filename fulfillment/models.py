"""Papers, and the work rows of what is done to shipments: to label, print, dispatch, cancel, acknowledge, hand over."""

import uuid
from collections.abc import Sequence
from dataclasses import fields
from typing import TypeAlias

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from fulfillment.options import STACK_SIZE, Layout, Options, Sorting
from fulfillment.papers.types import holds
from orders.models import Shipment
from sellers.models import Facility, Member, User
from shipcrowd.flipkart import types
from shipcrowd.flipkart.types import Dimensions
from shipcrowd.tenancy import SellerOwned, SellersKey
from shipcrowd.work import Due, State, WorkRow


class Paper(models.TextChoices):
    LABEL = "label", gettext_lazy("Label")
    INVOICE = "invoice", gettext_lazy("Invoice")
    MANIFEST = "manifest", gettext_lazy("Manifest")
    # Made here, of the invoice or of the page that the label was cut from.
    SLIP = "slip", gettext_lazy("Invoice cut for 4x6")
    UNSPLIT = "unsplit", gettext_lazy("Pages that could not be told apart")


class Document(SellerOwned):
    """A stored paper: written after the bytes are safe; a newer version is a row of its own.

    Its contents never change; that it is void (its parcel was pulled) is noted, and then it is not printed any more.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="documents")
    paper = models.CharField(max_length=10, choices=Paper)
    version = models.PositiveSmallIntegerField(default=1)
    storage_key = models.CharField(max_length=200)  # as stored for printing: a label is cut already
    original_key = models.CharField(max_length=200, blank=True)  # as it came, where that differs
    original_sha256 = models.CharField(max_length=64, blank=True)
    original_pages = models.PositiveSmallIntegerField(default=0)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()  # bytes
    pages = models.PositiveSmallIntegerField(default=1)
    cut_by = models.CharField(max_length=20, blank=True)  # how the cut was found
    # What in a label's own text may be a tracking id; null: it has no text, so that nobody can tell whose it is.
    tracking_ids = ArrayField(models.CharField(max_length=64), null=True)
    stored_at = models.DateTimeField(db_default=Now())
    voided_at = models.DateTimeField(null=True)

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["seller", "shipment", "paper", "version"], name="version_once_a_paper")
        ]

    def __str__(self) -> str:
        return f"document {self.pk}"

    def holds(self, tracking_id: str) -> bool | None:
        """Whether this label's text names that tracking id; None where nobody can tell."""
        return holds(self.tracking_ids, tracking_id)


class PackageSize(SellerOwned):
    """How large and heavy one piece of a SKU is when it is packed, as somebody measured it: centimetres, kilograms."""

    sku = models.CharField(max_length=128)
    length = models.DecimalField(max_digits=6, decimal_places=2)
    breadth = models.DecimalField(max_digits=6, decimal_places=2)
    height = models.DecimalField(max_digits=6, decimal_places=2)
    weight = models.DecimalField(max_digits=7, decimal_places=3)
    entered_at = models.DateTimeField(db_default=Now())
    entered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["seller", "sku"], name="size_once_a_sku"),
            models.CheckConstraint(
                condition=Q(length__gt=0, breadth__gt=0, height__gt=0, weight__gt=0), name="size_is_something"
            ),
        ]

    def __str__(self) -> str:
        return f"package size {self.pk}"

    @property
    def dimensions(self) -> Dimensions:
        return Dimensions(length=self.length, breadth=self.breadth, height=self.height, weight=self.weight)


class SerialNumbers(SellerOwned):
    """What the pieces of an item are called one by one (IMEI …): a list for each piece. Kept as they were told.

    The item by Flipkart's own id: our row of it is removed and written anew as Flipkart tells it.
    """

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="serial_numbers")
    flipkart_order_item_id = models.CharField(max_length=64)
    numbers = models.JSONField()
    entered_at = models.DateTimeField(db_default=Now())
    entered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "shipment", "flipkart_order_item_id"], name="serials_once_an_item"
            )
        ]

    def __str__(self) -> str:
        return f"serial numbers {self.pk}"

    @property
    def pieces(self) -> tuple[tuple[str, ...], ...]:
        return tuple(map(tuple, self.numbers))

    @property
    def as_text(self) -> str:
        """As it is entered: a line for each piece."""
        return "\n".join(", ".join(piece) for piece in self.numbers)


class Step(models.TextChoices):
    PACK = "pack", gettext_lazy("asking Flipkart to pack and make the label")
    FETCH = "fetch", gettext_lazy("waiting for the label")


class LabelRequest(WorkRow):
    """Pack a shipment at Flipkart (the effect), then fetch its papers. One a shipment: a retry uses the same row."""

    KIND = "labels"

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="label_requests")
    step = models.CharField(max_length=5, choices=Step, default=Step.PACK)
    fetches = models.PositiveSmallIntegerField(default=0)
    packed_at = models.DateTimeField(null=True)  # when Flipkart said or showed that it is packed

    class Meta(WorkRow.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "shipment"], name="label_asked_once")]
        indexes = [
            models.Index(fields=["seller", "wake_at"], name="labelrequest_due", condition=Q(wake_at__isnull=False)),
            models.Index(fields=["seller", "id"], name="labelrequest_attention", condition=~Q(attention="")),
            models.Index(fields=["seller", "lost_at"], name="labelrequest_lost", condition=Q(lost_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"label request {self.pk}"


class Dispatch(WorkRow):
    """Mark a shipment ready to dispatch at Flipkart. One a shipment: a retry uses the same row."""

    KIND = "dispatches"

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="dispatches")

    class Meta(WorkRow.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "shipment"], name="dispatched_once")]
        indexes = [
            models.Index(fields=["seller", "wake_at"], name="dispatch_due", condition=Q(wake_at__isnull=False)),
            models.Index(fields=["seller", "id"], name="dispatch_attention", condition=~Q(attention="")),
            models.Index(fields=["seller", "lost_at"], name="dispatch_lost", condition=Q(lost_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"dispatch {self.pk}"


class CancelReason(models.TextChoices):
    """Why a seller may cancel; the values are Flipkart's own words."""

    CANNOT_PROCURE_ITEM = types.CancelReason.CANNOT_PROCURE_ITEM.value, gettext_lazy("cannot be procured")
    NOT_ENOUGH_INVENTORY = types.CancelReason.NOT_ENOUGH_INVENTORY.value, gettext_lazy("not enough in stock")
    B2B_ORDER = types.CancelReason.B2B_ORDER.value, gettext_lazy("the order of a business")


class SellerCancellation(WorkRow):
    """Cancel a shipment, or a part of it, at Flipkart before it is packed. One at a time: a retry uses the same row."""

    KIND = "cancellations"

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="cancellations")
    reason = models.CharField(max_length=30, choices=CancelReason)
    group_ids = ArrayField(models.CharField(max_length=64), default=list, blank=True)  # empty: all that is left of it

    class Meta(WorkRow.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "shipment"], condition=~Q(state=State.DONE), name="one_cancellation_at_a_time"
            )
        ]
        indexes = [
            models.Index(fields=["seller", "wake_at"], name="cancellation_due", condition=Q(wake_at__isnull=False)),
            models.Index(fields=["seller", "id"], name="cancellation_attention", condition=~Q(attention="")),
            models.Index(fields=["seller", "lost_at"], name="cancellation_lost", condition=Q(lost_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"cancellation {self.pk}"


class FormAcknowledgement(WorkRow):
    """Tell Flipkart the numbers of the forms that a shipment wants, so that it is packed on. One a shipment."""

    KIND = "form_acks"

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="form_acks")
    numbers = models.JSONField(default=dict)  # by the form's name

    class Meta(WorkRow.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "shipment"], name="acknowledged_once")]
        indexes = [
            models.Index(fields=["seller", "wake_at"], name="form_ack_due", condition=Q(wake_at__isnull=False)),
            models.Index(fields=["seller", "id"], name="form_ack_attention", condition=~Q(attention="")),
            models.Index(fields=["seller", "lost_at"], name="form_ack_lost", condition=Q(lost_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"form acknowledgement {self.pk}"


class PrintOptions(models.Model):
    """The columns of `Options`."""

    layout = models.CharField(max_length=12, choices=Layout, default=Layout.THERMAL)
    sorting = models.CharField(max_length=12, choices=Sorting, default=Sorting.SKU)
    is_reversed = models.BooleanField(default=False)  # for printers that stack face up
    has_separators = models.BooleanField(default=True)  # between groups; between facilities there always is one
    stack_size = models.PositiveIntegerField(default=STACK_SIZE)
    packers = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    is_split_by_packers = models.BooleanField(default=False)

    class Meta:
        abstract = True

    @property
    def options(self) -> Options:
        return Options(**{field.name: getattr(self, field.name) for field in fields(Options)})


class PrintJob(PrintOptions, WorkRow):
    """Chosen shipments, printed as one or more stacks.

    Its worker plans it once (`planned_at`), then lays out one stack a turn. Safe to do twice: a stack's finished file
    is named by the stack's row.
    """

    KIND = "print_jobs"

    asked_for = models.PositiveIntegerField(default=0)
    reprint_reason = models.CharField(max_length=200, blank=True)  # why what was printed is printed again
    keeps_order = models.BooleanField(default=False)  # the lines lie in the order in which they were written
    continues = models.UUIDField(null=True)  # the job of the stack in which the paper had jammed
    labels_until = models.DateTimeField(null=True)  # asked for together with their labels: waited for until then
    then_dispatch = models.BooleanField(default=False)  # what is printed is marked ready to dispatch at once
    planned_at = models.DateTimeField(null=True)
    unchecked_since = models.DateTimeField(null=True)  # may be printed although Flipkart does not answer
    round_id = models.UUIDField(null=True)  # of the print round over several sellers that it belongs to

    class Meta(WorkRow.Meta):
        indexes = [
            models.Index(fields=["seller", "wake_at"], name="printjob_due", condition=Q(wake_at__isnull=False)),
            models.Index(fields=["round_id"], name="printjob_of_round", condition=Q(round_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"print job {self.pk}"

    def is_moving(self, stacks: Sequence["PrintStack"]) -> bool:
        """Whether something of it is still to be laid out; `stacks` are all it has."""
        return self.is_open and (self.planned_at is None or any(stack.laid_out_at is None for stack in stacks))


class PrintStack(SellerOwned):
    """A part of a print job with a PDF of its own, which may be printed while the rest is laid out."""

    job = SellersKey(PrintJob, on_delete=models.CASCADE, related_name="stacks")
    number = models.PositiveSmallIntegerField()
    letter = models.CharField(max_length=4)  # A, B … Z, AA
    packer = models.CharField(max_length=40, blank=True)
    asked_for = models.PositiveIntegerField(default=0)
    progress = models.PositiveIntegerField(default=0)  # parcels laid out so far
    printed = models.PositiveIntegerField(default=0)
    pages = models.PositiveIntegerField(default=0)
    storage_key = models.CharField(max_length=200, blank=True)  # empty when all of it was left out
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveIntegerField(default=0)
    laid_out_at = models.DateTimeField(null=True)
    unchecked_since = models.DateTimeField(null=True)  # laid out although Flipkart did not answer; checked later
    opened_at = models.DateTimeField(null=True)
    opened_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "job", "letter"], name="letter_once_a_job")]

    def __str__(self) -> str:
        return f"print stack {self.pk}"


class PrintJobLine(SellerOwned):
    """A shipment in a print job: where in which stack, or left out and why.

    While `is_claim` it is this job's to print: a shipment is in at most one job that is not over.
    """

    job = SellersKey(PrintJob, on_delete=models.CASCADE, related_name="lines")
    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="print_lines")
    stack = SellersKey(PrintStack, on_delete=models.CASCADE, null=True, related_name="lines")
    place = models.PositiveIntegerField(null=True)  # in its stack, from 1
    document = SellersKey(Document, on_delete=models.PROTECT, null=True, related_name="+")
    page = models.PositiveIntegerField(null=True)  # of its stack's PDF; empty until it is printed
    left_out = models.CharField(max_length=300, blank=True)
    may_reprint = models.BooleanField(default=False)  # left out only because it is printed or in another job
    is_claim = models.BooleanField(default=False)
    # Where the paper jammed behind its first page, the one with its label, only its other pages are printed.
    first_page_is_out = models.BooleanField(db_default=False, default=False)

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["seller", "job", "shipment"], name="shipment_once_a_job"),
            models.UniqueConstraint(fields=["seller", "shipment"], name="claimed_once", condition=Q(is_claim=True)),
        ]
        indexes = [
            models.Index(fields=["seller", "shipment"], name="printjobline_of_shipment"),
            models.Index(fields=["seller", "stack", "place"], name="printjobline_of_stack"),
        ]

    def __str__(self) -> str:
        return f"print job line {self.pk}"


class PrintHabit(PrintOptions, SellerOwned):
    """How a member printed last."""

    member = SellersKey(Member, on_delete=models.CASCADE, related_name="+")

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "member"], name="one_habit_a_member")]

    def __str__(self) -> str:
        return f"print habit {self.pk}"


class CheckName(models.TextChoices):
    """Points of the go-live checklist, in the guide's order (8.3)."""

    TOKEN = "token", gettext_lazy("Token refresh")
    LABELS = "labels", gettext_lazy("Labels")
    SELF_SHIP = "self_ship", gettext_lazy("Self-ship")
    NOTIFICATIONS = "notifications", gettext_lazy("Notifications")
    RETURNS = "returns", gettext_lazy("Returns")
    STOCK = "stock", gettext_lazy("Stock")
    PAYMENTS = "payments", gettext_lazy("COD and prepaid")
    INVOICES = "invoices", gettext_lazy("Invoices")


class GoLiveCheck(WorkRow):
    """One point of a seller's go-live checklist and how it last ended; run again, it is the same row."""

    KIND = "checks"

    name = models.CharField(max_length=15, choices=CheckName)
    passed = models.BooleanField(null=True)
    chosen = models.JSONField(default=list, blank=True)  # keys of the shipments that it is trying

    class Meta(WorkRow.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "name"], name="check_once_a_seller")]
        indexes = [models.Index(fields=["seller", "wake_at"], name="check_due", condition=Q(wake_at__isnull=False))]

    def __str__(self) -> str:
        return f"go-live check {self.pk}"


class Ways(SellerOwned):
    """How a seller's warehouse works, where it may choose; a seller without a row has chosen nothing."""

    is_full_chain = models.BooleanField(default=False)  # "label and print" marks ready to dispatch too
    changed_at = models.DateTimeField(null=True)
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller"], name="ways_once_a_seller")]

    def __str__(self) -> str:
        return f"ways {self.pk}"


class Prefetch(Due):
    """A facility's time of day at which labels are asked for by themselves; `wake_at` is the next such time."""

    KIND = "prefetch"

    facility = SellersKey(Facility, on_delete=models.CASCADE, related_name="+")
    last_at = models.DateTimeField(null=True)
    last_asked = models.PositiveIntegerField(default=0)

    class Meta(Due.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "facility"], name="prefetch_once_a_facility")]

    def __str__(self) -> str:
        return f"prefetch {self.pk}"


class HandOver(WorkRow):
    """A sheet for one courier at one facility: the parcels that wait there, for a signature. Kept as it was printed."""

    KIND = "hand_overs"

    facility = SellersKey(Facility, on_delete=models.PROTECT, null=True, related_name="+")
    courier = models.CharField(max_length=64, blank=True)
    parcels = models.PositiveIntegerField(default=0)
    to_pull = models.PositiveIntegerField(default=0)
    manifests = models.PositiveIntegerField(default=0)  # of Flipkart's, behind the sheet
    pages = models.PositiveIntegerField(default=0)
    storage_key = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True)
    opened_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(WorkRow.Meta):
        indexes = [models.Index(fields=["seller", "wake_at"], name="handover_due", condition=Q(wake_at__isnull=False))]

    def __str__(self) -> str:
        return f"hand-over {self.pk}"


# What is sent to Flipkart for one shipment each, and what a person can press Retry for. The other kinds of work
# (hand-over sheets, look-ups, go-live checks, mails) say on pages of their own how they ended.
EffectRow: TypeAlias = LabelRequest | Dispatch | SellerCancellation | FormAcknowledgement
EFFECTS: tuple[type[EffectRow], ...] = (LabelRequest, Dispatch, SellerCancellation, FormAcknowledgement)
RETRIED: tuple[type[EffectRow | PrintJob], ...] = (*EFFECTS, PrintJob)
