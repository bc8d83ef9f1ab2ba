"""Sellers, the people who work for them, and their line to Flipkart."""

import uuid
from datetime import timedelta

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from shipcrowd.encryption import SealedTextField
from shipcrowd.tenancy import ScopedQuerySet, SellerOwned, SellersKey
from shipcrowd.work import Due, WorkRow


class User(AbstractUser):
    """A person. Packers have no e-mail address; `is_staff` marks platform ops."""

    email = models.EmailField(blank=True)
    must_change_password = models.BooleanField(default=False)  # after a one-time password


class Seller(models.Model):
    """The tenant."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50, unique=True)
    is_demo = models.BooleanField(default=False)  # never leaves the simulator
    # Why platform ops have stopped it, shown on every screen of the seller's; empty while it runs.
    reading_stopped = models.CharField(max_length=300, blank=True)
    sending_stopped = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = ScopedQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return self.slug


class Role(models.TextChoices):
    OWNER = "owner", gettext_lazy("Owner")
    STAFF = "staff", gettext_lazy("Warehouse staff")
    VIEWER = "viewer", gettext_lazy("Viewer")


class Member(SellerOwned):
    """A user with a role in a seller."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=10, choices=Role)
    joined_at = models.DateTimeField(db_default=Now())

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "user"], name="one_role_in_a_seller")]

    def __str__(self) -> str:
        return f"member {self.pk}"


class Invitation(SellerOwned):
    """A one-time link by which somebody joins a seller; only the digest of its secret is kept."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    role = models.CharField(max_length=10, choices=Role)
    email = models.EmailField(blank=True)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    invited_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)

    LIFE = timedelta(hours=72)

    def __str__(self) -> str:
        return f"invitation {self.pk}"


class Environment(models.TextChoices):
    SIMULATOR = "simulator", gettext_lazy("Simulator")
    SANDBOX = "sandbox", gettext_lazy("Flipkart sandbox")
    PRODUCTION = "production", gettext_lazy("Flipkart")


class WireName(models.TextChoices):
    GUIDE = "guide", gettext_lazy("Integration guide")
    OFFICIAL = "official", gettext_lazy("Flipkart's published API")


class Standing(models.TextChoices):
    """How a connection stands."""

    CONNECTED = "connected", gettext_lazy("Connected")
    RECONNECT = "reconnect", gettext_lazy("Must be renewed")
    DISCONNECTED = "disconnected", gettext_lazy("Not connected")


class Connection(SellerOwned):
    """The seller's line to Flipkart. Its secrets are sealed to this row; quota stands apart (Quota)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.CharField(max_length=10, choices=Environment)
    wire = models.CharField(max_length=10, choices=WireName)
    standing = models.CharField(max_length=12, choices=Standing, default=Standing.DISCONNECTED)
    says = models.CharField(max_length=300, blank=True)  # why it must be renewed, in words a person knows
    # A seller's own application, pasted by hand; empty where the platform's own application is used.
    client_id = models.CharField(max_length=200, blank=True)
    client_secret = SealedTextField(blank=True)
    access_token = SealedTextField(blank=True)
    refresh_token = SealedTextField(blank=True)
    token_fetched_at = models.DateTimeField(null=True)
    token_believed_until = models.DateTimeField(null=True)
    # Who refreshes now, so that two workers never do: a lease, never a row lock held over a call.
    refresh_token_lease = models.UUIDField(null=True)
    refresh_leased_until = models.DateTimeField(null=True)
    connected_at = models.DateTimeField(null=True)
    consented_at = models.DateTimeField(null=True)  # when a person last gave the grant, which ends by itself
    clock_skew_s = models.IntegerField(null=True)  # Flipkart's clock less ours, seconds, at the last token
    connected_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    forbidden_in_a_row = models.PositiveSmallIntegerField(default=0)  # answers 403 since the last good one

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller"], name="one_connection_a_seller")]

    def __str__(self) -> str:
        return f"connection {self.pk}"

    @property
    def is_connected(self) -> bool:
        return self.standing == Standing.CONNECTED


class Quota(SellerOwned):
    """The token bucket of a connection. A lean row without an index on what changes, so that its updates stay cheap."""

    connection = SellersKey(Connection, on_delete=models.CASCADE, related_name="+")
    left = models.FloatField()
    kept_for_polling = models.FloatField(db_default=0.0)  # of `left`, what only polling may take (quota.py)
    counted_at = models.DateTimeField(db_default=Now())
    closed_until = models.DateTimeField(null=True)  # after a 429
    closed_in_a_row = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "connection"], name="one_quota_a_connection")]

    def __str__(self) -> str:
        return f"quota {self.pk}"


class ConnectAttempt(SellerOwned):
    """The `state` of one press of Connect: random, single-use, bound to user, session, seller and environment."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    session_digest = models.CharField(max_length=64)
    environment = models.CharField(max_length=10, choices=Environment)
    wire = models.CharField(max_length=10, choices=WireName)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    LIFE = timedelta(minutes=10)

    def __str__(self) -> str:
        return f"connect attempt {self.pk}"


class Facility(SellerOwned):
    """A place that ships: Flipkart's locationId, and what only the seller knows of it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    flipkart_location_id = models.CharField(max_length=64)
    name = models.CharField(max_length=100)
    address_line1 = models.CharField(max_length=200, blank=True)
    address_line2 = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=100, blank=True)
    pincode = models.CharField(max_length=6, blank=True)
    gstin = models.CharField(max_length=15, blank=True)
    phone = models.CharField(max_length=20, blank=True)
    # Pickup times in IST by weekday, Monday first: seven lists such as ["14:00"]; none on `holidays` (ISO dates).
    pickup_times = models.JSONField(default=list, blank=True)
    holidays = models.JSONField(default=list, blank=True)
    prefetch_at = models.TimeField(null=True)  # IST: labels for the next pickup are asked for by themselves; empty: off
    first_seen_at = models.DateTimeField(db_default=Now())

    class Meta(SellerOwned.Meta):
        constraints = [
            models.UniqueConstraint(fields=["seller", "flipkart_location_id"], name="facility_once_a_seller")
        ]

    def __str__(self) -> str:
        return f"facility {self.pk}"

    @property
    def missing(self) -> list[str]:
        """What a person must still fill in, in their words."""
        wanted = {
            "address": self.address_line1,
            "city": self.city,
            "state": self.state,
            "pincode": self.pincode,
            "GSTIN": self.gstin,
            "phone": self.phone,
            "pickup times": any(self.pickup_times),
        }
        return [name for name, value in wanted.items() if not value]


class MemberFacility(SellerOwned):
    """A facility that is a member's by default: their lists open on it."""

    member = SellersKey(Member, on_delete=models.CASCADE, related_name="facilities")
    facility = SellersKey(Facility, on_delete=models.CASCADE, related_name="+")

    class Meta(SellerOwned.Meta):
        constraints = [models.UniqueConstraint(fields=["seller", "member", "facility"], name="facility_once_a_member")]

    def __str__(self) -> str:
        return f"member's facility {self.pk}"


class AlertKind(models.TextChoices):
    """Why owners get a mail."""

    RECONNECT = "reconnect", gettext_lazy("Connection ended")
    ENDS_SOON = "ends_soon", gettext_lazy("Connection ends soon")
    READS_FAIL = "reads_fail", gettext_lazy("Reading fails")
    DIGEST = "digest", gettext_lazy("Daily digest")


class Alert(WorkRow):
    """A mail to a seller's owners, and what their connection's page shows of it. Holds nothing of a buyer's."""

    KIND = "alerts"

    kind = models.CharField(max_length=10, choices=AlertKind)
    key = models.CharField(max_length=64, blank=True)  # the same thing is told once; empty: each time
    subject = models.CharField(max_length=200)
    text = models.TextField()
    link = models.CharField(max_length=300)
    # Keys of the owners whose mail the server took, and of those whose address it refuses for good.
    mailed_to = models.JSONField(db_default=models.Value([], models.JSONField()))
    refused_to = models.JSONField(db_default=models.Value([], models.JSONField()))

    class Meta(WorkRow.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["seller", "kind", "key"], condition=~models.Q(key=""), name="alert_once_a_key"
            )
        ]
        indexes = [
            models.Index(fields=["seller", "wake_at"], name="alert_due", condition=models.Q(wake_at__isnull=False))
        ]

    def __str__(self) -> str:
        return f"alert {self.pk}"


class Watch(Due):
    """When somebody next looks whether a seller's connection will break, and whether a digest is due."""

    KIND = "watch"

    class Meta(Due.Meta):
        constraints = [models.UniqueConstraint(fields=["seller"], name="one_watch_a_seller")]

    def __str__(self) -> str:
        return f"watch {self.pk}"
