"""How many calls a seller may still make: a bucket of QUOTA_BURST tokens that fills by QUOTA_PER_MINUTE.

So any 60 seconds hold at most what was in the bucket and what came back meanwhile: 20 + 80 = 100. Who may take: polling
leaves the last QUOTA_KEPT_FROM_POLLING tokens to people's clicks, and clicks leave to polling a share that fills by
QUOTA_FOR_POLLING a minute up to SHARE tokens. Neither ever waits until the other has ended.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from sellers.models import Quota
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport import retry
from shipcrowd.transport.errors import Throttled
from shipcrowd.work import database_now

# Of the burst, no more than this is set aside for polling: a poll that waits for it then walks five pages at once.
SHARE = 5
QUOTA_FOR_POLLING = 15  # a minute
# Who was disconnected meanwhile asks again then.
ASK_AGAIN = timedelta(minutes=1)
# Another 429 so soon after the quota was open again comes in a row with the one before.
IN_A_ROW = timedelta(minutes=2)

_PASSED = "greatest(0, extract(epoch from clock.at - q.counted_at)::float8)"
# A bucket filled beyond its brim is left as it is, and does not fill.
_LEFT = f"(case when q.left >= %(burst)s then q.left else least(%(burst)s, q.left + %(rate)s * {_PASSED}) end)"
_SHARE = f"least(%(share)s, q.kept_for_polling + %(share_rate)s * {_PASSED})"
# In the sub-select, so that one statement has one time; a row that was locked meanwhile may be counted later than that.
_CLOCK = "(select clock_timestamp() as at) clock"
_MAY_TAKE = {
    False: f"{_LEFT} - {_SHARE} >= 1",
    True: f"({_LEFT} >= %(kept_from_polling)s + 1 or {_SHARE} >= 1)",
}
_SHARE_TAKEN = {
    False: "0",
    True: f"(case when {_LEFT} >= %(kept_from_polling)s + 1 then 0 else 1 end)",
}


def take(
    seller_id: int, *, operation: str, for_polling: bool = False, unless: Callable[[], None] | None = None
) -> datetime:
    """One call's worth, committed in a short scope of its own; returns when, by the database's clock.

    `unless` is called in that scope, and raises what else is against the call. Raises Throttled with the time after
    which it is worth asking again.
    """
    with seller_scope(seller_id), connection.cursor() as cursor:
        if unless:
            unless()
        # A database that crashes may give a few tokens back: cheaper than a write to disk for each call.
        cursor.execute("set local synchronous_commit to off")
        taken_at = _take(cursor, seller_id, for_polling)
        if taken_at is None and _add_row(cursor, seller_id):
            taken_at = _take(cursor, seller_id, for_polling)
        if taken_at is not None:
            return taken_at
        wait = _wait(cursor, seller_id, for_polling)
    raise Throttled(operation, _("our own quota of calls is spent for the moment"), retry_after=wait)


def left(seller_ids: Sequence[int]) -> dict[int, float]:
    """How many calls each seller's clicks may make at once, now, in one statement; in a scope of theirs.

    A full bucket where no call was made yet.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"select q.seller_id, case when coalesce(q.closed_until <= clock.at, true) then {_LEFT} else 0 end "  # noqa: S608
            f"from sellers_quota q, {_CLOCK} where q.seller_id = any(%(sellers)s)",
            _numbers(0) | {"sellers": list(seller_ids)},
        )
        found = {seller_id: max(float(tokens), 0.0) for seller_id, tokens in cursor.fetchall()}
    return dict.fromkeys(seller_ids, float(settings.QUOTA_BURST)) | found


def time_for(calls: int, *, left: float) -> timedelta:
    """How long so many calls of people's clicks take, while polling takes its own share. Pure."""
    waits_for = max(calls - left, 0.0)
    return timedelta(minutes=waits_for / (settings.QUOTA_PER_MINUTE - QUOTA_FOR_POLLING))


def close(seller_id: int, *, retry_after: timedelta | None) -> None:
    """Flipkart answered 429: nothing is taken until its time, and the bucket fills from zero."""
    with seller_scope(seller_id), connection.cursor() as cursor:
        _add_row(cursor, seller_id)
        row = Quota.objects.select_for_update().filter(seller_id=seller_id).first()
        if row is None:
            return  # disconnected meanwhile
        now = database_now()
        row.closed_in_a_row = closings_in_a_row(row.closed_in_a_row, closed_until=row.closed_until, now=now)
        jitter = random.random()  # noqa: S311
        wait = retry_after or retry.closed_without_word(row.closed_in_a_row, jitter=jitter)
        row.closed_until = max(row.closed_until or now, now + wait)
        row.left, row.kept_for_polling, row.counted_at = 0, 0, now
        row.save(update_fields=["left", "kept_for_polling", "counted_at", "closed_until", "closed_in_a_row"])


def closings_in_a_row(before: int, *, closed_until: datetime | None, now: datetime) -> int:
    """The number of this closing. Calls that were on their way when the quota closed bring no new one. Pure."""
    if closed_until is None or now > closed_until + IN_A_ROW:
        return 1
    return before if now < closed_until else before + 1


def _take(cursor: Any, seller_id: int, for_polling: bool) -> datetime | None:
    cursor.execute(
        f'update sellers_quota q set "left" = {_LEFT} - 1, '  # noqa: S608 - our own expressions
        f"kept_for_polling = {_SHARE} - {_SHARE_TAKEN[for_polling]}, counted_at = greatest(q.counted_at, clock.at) "
        f"from {_CLOCK} where q.seller_id = %(seller)s and coalesce(q.closed_until <= clock.at, true) "
        f"and {_MAY_TAKE[for_polling]} returning q.counted_at",
        _numbers(seller_id),
    )
    row = cursor.fetchone()
    return row[0] if row else None


def _add_row(cursor: Any, seller_id: int) -> bool:
    """Whether the seller's connection had no bucket yet; it has a full one now."""
    cursor.execute(
        'insert into sellers_quota (seller_id, connection_id, "left", kept_for_polling) '
        "select seller_id, id, %s, 0 from sellers_connection where seller_id = %s on conflict do nothing returning 1",
        [settings.QUOTA_BURST, seller_id],
    )
    return cursor.fetchone() is not None


def _wait(cursor: Any, seller_id: int, for_polling: bool) -> timedelta:
    """Until a call may be made: a click's next token; polling's whole share, so that it wakes once for five calls."""
    cursor.execute(
        f"select {_LEFT}, {_SHARE}, extract(epoch from q.closed_until - clock.at)::float8 "  # noqa: S608
        f"from sellers_quota q, {_CLOCK} where q.seller_id = %(seller)s",
        numbers := _numbers(seller_id),
    )
    row = cursor.fetchone()
    if row is None:
        return ASK_AGAIN  # disconnected meanwhile
    left, share, closed_for = row
    rate, share_rate = numbers["rate"], numbers["share_rate"]
    if for_polling:
        seconds = min((numbers["kept_from_polling"] + 1 - left) / rate, (numbers["share"] - share) / share_rate)
    else:
        seconds = (1 - (left - share)) / (rate - (share_rate if share < numbers["share"] else 0))
    return timedelta(seconds=max(seconds, closed_for or 0, 0.05))


def _numbers(seller_id: int) -> dict[str, Any]:
    return {
        "seller": seller_id,
        "burst": settings.QUOTA_BURST,
        "rate": settings.QUOTA_PER_MINUTE / 60,
        "share": min(SHARE, settings.QUOTA_BURST),
        "share_rate": QUOTA_FOR_POLLING / 60,
        "kept_from_polling": settings.QUOTA_KEPT_FROM_POLLING,
    }
