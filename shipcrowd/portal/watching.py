"""Looks after connections before they break: once an hour a seller's is judged, and its owners are mailed.

A consent that ends soon, reads that have failed for hours, and each morning, where DAILY_DIGEST is on, what is wrong.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from orders.models import PollCursor
from sellers import alerts
from sellers.models import AlertKind, Connection, Seller, Standing, Watch
from shipcrowd.portal import attention
from shipcrowd.portal.doctor import consent_ends_at
from shipcrowd.tenancy import require_scope, seller_scope

EVERY = timedelta(hours=1)
READS_FAIL_AFTER = timedelta(hours=3)
DIGEST_FROM = 8  # o'clock, Indian time


def begin(seller: Seller, connection: Connection) -> None:
    """A connection has come to be: it is looked after from now on. In the caller's scope (settings.ON_CONNECTED)."""
    require_scope(seller)
    Watch.objects.update_or_create(seller=connection.seller, defaults={"wake_at": Now() + EVERY})


def work_watch(*, seller_id: int, **_unknown: object) -> bool:
    """One look; nothing is called, and what is told once is not told again."""
    now = timezone.now()
    with seller_scope(seller_id):
        if not Watch.objects.filter(seller_id=seller_id, wake_at__lte=Now()).update(wake_at=Now() + EVERY):
            return False
        row = Connection.objects.filter(seller_id=seller_id).select_related("seller").first()
        if row is None or row.standing == Standing.DISCONNECTED:
            Watch.objects.filter(seller_id=seller_id).update(wake_at=None)
            return False
        if row.is_connected:
            _tell_of_consent(row, now)
            _tell_of_reading(row, now)
        _tell_digest(row.seller, now)
    return False


def _tell_of_consent(row: Connection, now: datetime) -> None:
    ends_at = consent_ends_at(row)
    if ends_at is None:
        return
    passed = [days for days in settings.CONSENT_ENDS_SOON_DAYS if ends_at - now <= timedelta(days=days)]
    if passed:
        until = date_format(timezone.localtime(ends_at), "j M Y")
        alerts.raise_alert(
            row.seller,
            AlertKind.ENDS_SOON,
            key=f"{ends_at:%Y-%m-%d}:{min(passed)}",
            subject=_("{seller}: the consent at Flipkart ends on {until}").format(seller=row.seller.name, until=until),
            text=_("Press Connect again before that, and nothing stops."),
        )


def _tell_of_reading(row: Connection, now: datetime) -> None:
    cursor = PollCursor.objects.filter(seller=row.seller, connection=row).first()
    if cursor is None:
        return
    since = cursor.last_good_at or row.consented_at  # a first walk that never ends is told of too
    if since is None or now - since < READS_FAIL_AFTER:
        return
    at = date_format(timezone.localtime(since), "j M H:i")
    alerts.raise_alert(
        row.seller,
        AlertKind.READS_FAIL,
        key=f"{since:%Y-%m-%dT%H:%M}",
        subject=_("{seller}: Flipkart has not been read since {at}").format(seller=row.seller.name, at=at),
        text=_("New orders do not arrive. {says}").format(says=cursor.says),
    )


def _tell_digest(seller: Seller, now: datetime) -> None:
    """What needs a person, by reason and number; no mail where nothing does."""
    local = timezone.localtime(now)
    if not settings.DAILY_DIGEST or local.hour < DIGEST_FROM:
        return
    found = attention.summary(seller)
    if found:
        alerts.raise_alert(
            seller,
            AlertKind.DIGEST,
            key=local.date().isoformat(),
            subject=_("{seller}: {count} things need a person").format(
                seller=seller.name, count=sum(group.count for group in found)
            ),
            text="\n".join(f"{group.count}  {group.what}: {group.why}" for group in found),
            route="portal:attention",
        )
