"""Orders and shipments as last read from Flipkart, and what became of each. They are written in bulk."""

from collections import Counter

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Reverse, Upper
from django.utils.translation import gettext_lazy

from orders.states import OPEN_STATES, STATE_CHOICES
from sellers.models import Connection, Facility, User
from shipcrowd.flipkart.types import State
from shipcrowd.tenancy import SellerOwned, SellersKey
from shipcrowd.work import Attention, Due, WorkRow


class PaymentType(models.TextChoices):
    PREPAID = "PREPAID", gettext_lazy("Prepaid")
    COD = "COD", gettext_lazy("COD")
    UNKNOWN = "UNKNOWN", gettext_lazy("unknown")


class SetAsideReason(models.TextChoices):
    """Why a person keeps a parcel back. The value is what the warehouse says."""

    SHORT = "short", gettext_lazy("Short: not all of it is there")
    DAMAGED = "damaged", gettext_lazy("Damaged")
    ADDRESS = "address", gettext_lazy("The address cannot be right")


class Order(SellerOwned):
    """A buyer's order; its shipments are the unit of work."""

    flipkart_order_id = models.CharField(max_length=64)
    ordered_at = models.DateTimeField(null=True)

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "flipkart_order_id"], name="order_once_a_seller")]

    def __str__(self) -> str:
        return f"order {self.pk}"


class Shipment(SellerOwned):
    """One parcel of an order, as last ingested."""

    public_id = models.UUIDField(db_default=models.Func(function="gen_random_uuid"), unique=True, editable=False)
    order = SellersKey(Order, on_delete=models.CASCADE, related_name="shipments")
    # Without an index of its own: those that begin with the seller serve as well.
    facility = SellersKey(Facility, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    flipkart_shipment_id = models.CharField(max_length=64)
    flipkart_order_id = models.CharField(max_length=64)  # the order's, here for search
    ordered_at = models.DateTimeField()
    state = models.CharField(max_length=20, choices=STATE_CHOICES)
    state_word = models.CharField(max_length=50)  # Flipkart's own
    is_open = models.GeneratedField(
        expression=Q(state__in=OPEN_STATES),  # type: ignore[arg-type]  # a condition is one; the stubs say otherwise
        output_field=models.BooleanField(),
        db_persist=True,
    )
    is_on_hold = models.BooleanField(default=False)
    dispatch_after_at = models.DateTimeField(null=True)
    dispatch_by_at = models.DateTimeField(null=True)
    deliver_by_at = models.DateTimeField(null=True)
    payment_type = models.CharField(max_length=10, choices=PaymentType, default=PaymentType.UNKNOWN)
    cod_amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)  # rupees
    total_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)  # rupees, all items
    tracking_id = models.CharField(max_length=64, blank=True)
    courier = models.CharField(max_length=64, blank=True)
    invoice_number = models.CharField(max_length=64, blank=True)
    # What only Flipkart's published format tells; its own words, empty where it says nothing.
    shipment_type = models.CharField(max_length=10, blank=True, db_default="")
    service_tier = models.CharField(max_length=20, blank=True, db_default="")
    packaging_policy = models.CharField(max_length=40, blank=True, db_default="")
    is_multi_parcel = models.BooleanField(db_default=False)
    forms = models.JSONField(default=list, blank=True)  # wanted by a state: [{name, link, is_automated, status}]
    # Its sub-shipments: [{id, packages: [{sku, title, dimensions}]}], dimensions as texts in cm and kg.
    parcels = models.JSONField(default=list, blank=True)
    tracking_ids = models.JSONField(default=list, blank=True)  # of each parcel, once packed
    # As what each parcel was packed, told with its tracking id: [{length, breadth, height, weight}], in cm and kg.
    packed_sizes = models.JSONField(null=True)
    # For picking order and lists, from the items that live: one SKU, or the first of several.
    sku = models.CharField(max_length=128, blank=True)
    sku_count = models.PositiveSmallIntegerField(default=0)
    quantity = models.PositiveIntegerField(default=0)
    read_began_at = models.DateTimeField()  # of the copy that is stored here: an older one never overwrites it
    flipkart_updated_at = models.DateTimeField(null=True)
    first_seen_at = models.DateTimeField(db_default=Now())
    state_changed_at = models.DateTimeField(db_default=Now())
    # Written by fulfillment, in the transaction of its own row.
    label_requested_at = models.DateTimeField(null=True)
    label_stored_at = models.DateTimeField(null=True)
    labelled_outside = models.BooleanField(default=False)
    printed_at = models.DateTimeField(null=True)
    packed_at_bench_at = models.DateTimeField(null=True)
    dispatch_requested_at = models.DateTimeField(null=True)
    # When it was ready to dispatch, by our own call or by the read that showed it; and whether that was after its
    # dispatch-by: null where nobody can tell.
    dispatched_at = models.DateTimeField(null=True)
    was_dispatched_late = models.BooleanField(null=True)
    # While a person keeps it back (SetAside); empty otherwise.
    set_aside_at = models.DateTimeField(null=True)
    set_aside_reason = models.CharField(max_length=10, choices=SetAsideReason, blank=True, db_default="")
    attention = models.CharField(max_length=20, choices=Attention, default=Attention.NONE, blank=True)
    attention_says = models.CharField(max_length=300, blank=True)
    # When it was last pulled out of a stack: what was printed before is void. While it must be pulled, the tracking ids
    # of those of its parcels that were.
    pulled_at = models.DateTimeField(null=True)
    pulled_ids = models.JSONField(db_default=models.Value([], models.JSONField()))
    # Last characters of an id, for "ends in 4471": LIKE would not use an index under row-level security.
    shipment_id_reversed = models.GeneratedField(
        expression=Reverse(Upper("flipkart_shipment_id")), output_field=models.CharField(max_length=64), db_persist=True
    )
    order_id_reversed = models.GeneratedField(
        expression=Reverse(Upper("flipkart_order_id")), output_field=models.CharField(max_length=64), db_persist=True
    )
    tracking_id_reversed = models.GeneratedField(
        expression=Reverse(Upper("tracking_id")), output_field=models.CharField(max_length=64), db_persist=True
    )
    invoice_number_reversed = models.GeneratedField(
        expression=Reverse(Upper("invoice_number")), output_field=models.CharField(max_length=64), db_persist=True
    )

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["seller", "flipkart_shipment_id"], name="shipment_once_a_seller"),
        ]
        indexes = [
            models.Index(fields=["seller", "order"], name="shipment_of_order"),
            models.Index(fields=["seller", "-ordered_at", "-id"], name="shipment_newest"),
            models.Index(fields=["seller", "state", "-ordered_at", "-id"], name="shipment_by_state"),
            # The same two for one facility: pages of it, and counts of what has left it.
            models.Index(fields=["seller", "facility", "-ordered_at", "-id"], name="shipment_facility_newest"),
            models.Index(fields=["seller", "facility", "state", "-ordered_at", "-id"], name="shipment_facility_state"),
            models.Index(fields=["seller", "dispatch_by_at", "id"], name="shipment_open", condition=Q(is_open=True)),
            models.Index(fields=["seller", "id"], name="shipment_attention", condition=~Q(attention="")),
            models.Index(
                fields=["seller", "dispatched_at"], name="shipment_dispatched", condition=Q(dispatched_at__isnull=False)
            ),
            models.Index(
                fields=["seller", "ordered_at"], name="shipment_in_parcels", condition=Q(is_multi_parcel=True)
            ),
            *[
                models.Index(
                    fields=["seller", column], name=f"shipment_{name}", opclasses=["int8_ops", "varchar_pattern_ops"]
                )
                for name, column in (
                    ("by_shipment_id", "flipkart_shipment_id"),
                    ("by_order_id", "flipkart_order_id"),
                    ("by_tracking_id", "tracking_id"),
                    ("by_invoice", "invoice_number"),
                    ("ends_shipment", "shipment_id_reversed"),
                    ("ends_order", "order_id_reversed"),
                    ("ends_tracking", "tracking_id_reversed"),
                    ("ends_invoice", "invoice_number_reversed"),
                )
            ],
        ]

    def __str__(self) -> str:
        return f"shipment {self.pk}"

    @property
    def parcel_ids(self) -> list[str]:
        """The tracking id of each parcel in which it travels; empty before it is packed."""
        if len(self.tracking_ids) > 1:
            return list(self.tracking_ids)
        return [self.tracking_id] if self.tracking_id else []

    @property
    def parcels_to_pull(self) -> list[str]:
        """Of a shipment that must be pulled, the tracking ids of the parcels that still lie in a stack."""
        return [*(Counter(self.parcel_ids) - Counter(self.pulled_ids)).elements()]


class SetAside(SellerOwned):
    """A person kept a shipment back, and perhaps put it back again. While it is kept, the shipment says so too."""

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="set_asides")
    reason = models.CharField(max_length=10, choices=SetAsideReason)
    note = models.CharField(max_length=200, blank=True)
    set_aside_at = models.DateTimeField()
    set_aside_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    put_back_at = models.DateTimeField(null=True)
    put_back_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "shipment"], name="set_aside_once", condition=Q(put_back_at__isnull=True)
            )
        ]
        indexes = [models.Index(fields=["seller", "shipment"], name="set_aside_of_shipment")]

    def __str__(self) -> str:
        return f"set aside {self.pk}"


class ShipmentItem(SellerOwned):
    """A line of a shipment. Prices are rupees for the whole line."""

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="items")
    flipkart_order_item_id = models.CharField(max_length=64)
    sku = models.CharField(max_length=128)
    fsn = models.CharField(max_length=64, blank=True)
    hsn = models.CharField(max_length=16, blank=True)
    title = models.CharField(max_length=500, blank=True)
    quantity = models.PositiveIntegerField()
    mrp = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    selling_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    total_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    state_word = models.CharField(max_length=50, blank=True)
    flipkart_listing_id = models.CharField(max_length=64, blank=True, db_default="")
    cancellation_group_id = models.CharField(max_length=64, blank=True, db_default="")
    is_replacement = models.BooleanField(db_default=False)
    item_id_reversed = models.GeneratedField(
        expression=Reverse(Upper("flipkart_order_item_id")),
        output_field=models.CharField(max_length=64),
        db_persist=True,
    )

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "shipment", "flipkart_order_item_id"], name="item_once_a_shipment"
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="item_quantity_positive"),
        ]
        indexes = [
            models.Index(fields=["seller", "sku"], name="item_by_sku"),
            *[
                models.Index(fields=["seller", column], name=name, opclasses=["int8_ops", "varchar_pattern_ops"])
                for name, column in (("item_by_id", "flipkart_order_item_id"), ("item_ends_id", "item_id_reversed"))
            ],
        ]

    def __str__(self) -> str:
        return f"item {self.pk}"

    @property
    def is_cancelled(self) -> bool:
        """Of a shipment that lives on; nothing of it is to be packed."""
        return self.state_word == State.CANCELLED


class Buyer(SellerOwned):
    """Where a shipment goes: personal data, shown masked except where the work needs it."""

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200, blank=True)
    phone = models.CharField(max_length=30, blank=True)
    # Address as {name, line1, line2, landmark, city, state, state_code, pincode, phone}; null until read.
    shipping_address = models.JSONField(null=True)
    delivery_address = models.JSONField(null=True)
    billing_address = models.JSONField(null=True)
    details_read_at = models.DateTimeField(null=True)  # section 2.3: delivery, billing, tracking

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "shipment"], name="one_buyer_a_shipment")]
        indexes = [
            models.Index(
                fields=["seller", "shipment"], name="buyer_without_details", condition=Q(details_read_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"buyer of shipment {self.shipment_id}"


class Reading(SellerOwned):
    """When a shipment was last read and what came, apart from it, so that an unchanged one costs its row nothing.

    Who ingests a shipment holds this row locked: time and fingerprint of the last read change together.
    """

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="+")
    # The shipment's, here too: an unchanged read then looks at no other table. Empty until the first read.
    flipkart_shipment_id = models.CharField(max_length=64, null=True)  # noqa: DJ001 - many may be empty, each once
    read_at = models.DateTimeField()  # when that read began, by the database's clock
    fingerprint = models.BinaryField(max_length=16, null=True)  # of what came; empty makes the next read write again
    follow_at = models.DateTimeField(null=True)  # when it wants to be read next; empty once it is final

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["seller", "shipment"], name="one_reading_a_shipment"),
            models.UniqueConstraint(fields=["seller", "flipkart_shipment_id"], name="reading_by_shipment_id"),
        ]
        indexes = [
            models.Index(fields=["seller", "follow_at"], name="reading_to_follow", condition=Q(follow_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"reading of shipment {self.shipment_id}"


class Cursor(Due):
    """A connection's turn to be read. Who works it holds `token`; `wake_at` is then the end of that lease."""

    connection = SellersKey(Connection, on_delete=models.CASCADE, related_name="+")
    token = models.UUIDField(null=True)
    failures_in_a_row = models.PositiveSmallIntegerField(default=0)
    says = models.CharField(max_length=300, blank=True)  # why the last run ended early, in words; empty when it did not

    class Meta(Due.Meta):
        abstract = True


class PollCursor(Cursor):
    """How far the search of a connection's shipments has come. It moves only with the last page of a walk."""

    KIND = "poll"

    read_until = models.DateTimeField(null=True)  # order dates up to here were walked to the end
    last_good_at = models.DateTimeField(null=True)
    last_full_at = models.DateTimeField(null=True)  # first poll, then the daily search of all open states
    last_late_at = models.DateTimeField(null=True)  # when those that were approved late were last looked for
    walk = models.JSONField(null=True)  # where an unfinished walk stands: walks.Walk
    behind = models.JSONField(default=dict)  # searches that could not be read, and from when they are asked next

    class Meta(Cursor.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "connection"], name="one_cursor_a_connection")]

    def __str__(self) -> str:
        return f"poll cursor {self.pk}"


class FollowCursor(Cursor):
    """When open shipments of a connection are next re-read by id."""

    KIND = "follow"

    class Meta(Cursor.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "connection"], name="one_follower_a_connection")]

    def __str__(self) -> str:
        return f"follow cursor {self.pk}"


class Unreadable(SellerOwned):
    """A row of Flipkart's that we could not read: kept with its reason until a later read succeeds."""

    public_id = models.UUIDField(db_default=models.Func(function="gen_random_uuid"), unique=True, editable=False)
    flipkart_shipment_id = models.CharField(max_length=64, blank=True)
    path = models.CharField(max_length=200)
    says = models.CharField(max_length=300)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["seller", "flipkart_shipment_id", "path"], name="unreadable_once")
        ]

    def __str__(self) -> str:
        return f"unreadable {self.pk}"


class TimelineEntry(SellerOwned):
    """One thing that happened to a shipment, without personal data. `by` empty is the machine or Flipkart."""

    shipment = SellersKey(Shipment, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=20)
    says = models.CharField(max_length=300)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta(SellerOwned.Meta):
        indexes = [models.Index(fields=["seller", "shipment", "at"], name="timeline_of_shipment")]

    def __str__(self) -> str:
        return f"timeline {self.pk}"


class LookUp(WorkRow):
    """An id that a person looks up at Flipkart, because it is not here."""

    KIND = "lookups"

    flipkart_shipment_id = models.CharField(max_length=64)
    looks = models.PositiveSmallIntegerField(default=0)  # that Flipkart did not answer

    class Meta(WorkRow.Meta):
        indexes = [models.Index(fields=["seller", "wake_at"], name="lookup_due", condition=Q(wake_at__isnull=False))]

    def __str__(self) -> str:
        return f"look-up {self.pk}"
