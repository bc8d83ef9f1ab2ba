"""How a seller's connection stands, line by line: each green, or with what to do. Values in, lines out of `judge`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from orders.display import span
from orders.models import PollCursor
from sellers import quota
from sellers.models import Connection, Facility, Seller, Standing
from shipcrowd.work import database_now

MOST_SKEW = 5.0  # seconds between two clocks that nobody need mind
# A read that is so late is no longer a pause of its own.
READ_IS_LATE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Line:
    """`tone` is good, warn, bad, or empty for what is not built yet; `link` leads to what mends it."""

    title: str
    tone: str
    says: str
    link: str = ""
    link_says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What is known of a connection that is, or was, there."""

    row: Connection
    cursor: PollCursor | None
    places: Sequence[Facility]
    quota_left: float
    database_skew_s: float
    slug: str


def lines(*, seller: Seller, row: Connection | None, now: datetime) -> list[Line]:
    """In the seller's scope; none before the first Connect."""
    if row is None or not row.connected_at:
        return []
    signs = Signs(
        row=row,
        cursor=PollCursor.objects.filter(seller=seller, connection=row).first(),
        places=list(Facility.objects.filter(seller=seller).order_by("name", "pk")),
        quota_left=quota.left([seller.pk])[seller.pk],
        database_skew_s=(timezone.now() - database_now()).total_seconds(),
        slug=seller.slug,
    )
    return judge(signs, now)


def judge(signs: Signs, now: datetime) -> list[Line]:
    """The lines in the order in which things break."""
    return [
        _access(signs.row, now),
        _consent(signs.row, now),
        _reading(signs, now),
        _facilities(signs),
        _clocks(signs),
        _quota(signs),
        Line(_("Listings without SKU"), "", _("comes with listings and stock")),
        Line(_("Last notification"), "", _("comes with notifications; until then Flipkart is asked every few minutes")),
    ]


def consent_ends_at(row: Connection) -> datetime | None:
    """When a person must consent again; None for a seller's own keys, which do not end by themselves."""
    return None if row.client_id or row.consented_at is None else row.consented_at + settings.CONSENT_LIFE


def consent_that_ends(row: Connection | None, now: datetime) -> Line | None:
    """What an owner should know before nothing goes any more; None where all is well, or where more is wrong."""
    line = _consent(row, now) if row is not None and row.is_connected else None
    return line if line is not None and line.tone == "warn" else None


def _access(row: Connection, now: datetime) -> Line:
    title = _("Access")
    if not row.is_connected:
        return Line(title, "bad", row.says or _("not connected: an owner presses Connect"))
    if row.token_fetched_at is None:
        return Line(title, "warn", _("no token was fetched yet: the next call does it"))
    age = span(max(now - row.token_fetched_at, timedelta(0)))
    return Line(title, "good", _("token renewed %(age)s ago; the next call renews it when it must") % {"age": age})


def _consent(row: Connection, now: datetime) -> Line:
    title, ends_at = _("Consent"), consent_ends_at(row)
    if row.standing == Standing.DISCONNECTED:
        return Line(title, "", _("given up when the connection was cut: an owner presses Connect"))
    if row.client_id:
        return Line(title, "good", _("by your own application's keys, which do not end by themselves"))
    if ends_at is None:
        return Line(title, "bad", _("not given: an owner presses Connect"))
    until = date_format(timezone.localtime(ends_at), "j M Y")
    if ends_at <= now:
        return Line(title, "bad", _("ended on %(until)s: an owner presses Connect again") % {"until": until})
    if not row.is_connected:
        return Line(title, "warn", _("given until %(until)s, but of no use: see Access") % {"until": until})
    is_soon = ends_at - now <= timedelta(days=max(settings.CONSENT_ENDS_SOON_DAYS))
    says = _("ends on %(until)s: press Connect again before that") if is_soon else _("good until %(until)s")
    return Line(title, "warn" if is_soon else "good", says % {"until": until})


def _reading(signs: Signs, now: datetime) -> Line:
    title, cursor = _("Reading"), signs.cursor
    if cursor is None or cursor.last_good_at is None:
        return Line(title, "warn", (cursor.says if cursor else "") or _("nothing was read yet"))
    at = date_format(timezone.localtime(cursor.last_good_at), "j M H:i")
    if now - cursor.last_good_at > READ_IS_LATE:
        says = _("last read to the end at %(at)s. %(says)s") % {"at": at, "says": cursor.says}
        return Line(title, "bad", says.strip())
    return Line(title, "good", _("last read to the end at %(at)s") % {"at": at})


def _facilities(signs: Signs) -> Line:
    title = _("Facilities")
    lacking = [f"{place.name}: {', '.join(place.missing)}" for place in signs.places if place.missing]
    link = reverse("sellers:facilities", args=[signs.slug])
    if not signs.places:
        return Line(title, "", _("they come with the first shipments"))
    if lacking:
        return Line(title, "warn", _("missing at %(places)s") % {"places": "; ".join(lacking)}, link, _("Fill in"))
    return Line(title, "good", _("%(count)d, all complete") % {"count": len(signs.places)})


def _clocks(signs: Signs) -> Line:
    """Leases go by the database's clock, deadlines by Flipkart's: who is off acts too early or too late."""
    title, theirs, ours = _("Clocks"), signs.row.clock_skew_s, signs.database_skew_s
    if abs(ours) > MOST_SKEW:
        says = _("this machine and the database differ by %(seconds)d s: set up NTP on both") % {"seconds": ours}
        return Line(title, "bad", says)
    if theirs is None:
        return Line(title, "", _("measured with the next token"))
    if abs(theirs) > MOST_SKEW:
        says = _("Flipkart and this machine differ by %(seconds)d s: set up NTP") % {"seconds": theirs}
        return Line(title, "warn", says)
    return Line(title, "good", _("within %(seconds)d s of Flipkart's") % {"seconds": MOST_SKEW})


def _quota(signs: Signs) -> Line:
    title, rate = _("Quota"), settings.QUOTA_PER_MINUTE
    if signs.quota_left < 1:
        says = _("used up, or Flipkart asked for a pause: wait, up to %(rate)d calls come back each minute after it")
        return Line(title, "warn", says % {"rate": rate})
    says = _("%(left)d of %(all)d calls at once are left; %(rate)d come back each minute")
    return Line(title, "good", says % {"left": signs.quota_left, "all": settings.QUOTA_BURST, "rate": rate})
