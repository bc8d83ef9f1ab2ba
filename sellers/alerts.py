"""What a seller's owners are told by mail: that a connection has ended or will end, and a daily digest where it is on.

An alert is a row before it is a mail, and stays on the connection's page, whether or not a mail server is set up. A
worker that dies between sending and writing down sends again: a mail may come twice, and is never lost. Who was mailed
stays on the row: what the mail server does not take for one owner is tried again for that one alone.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import send_mail
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from sellers.models import Alert, AlertKind, Member, Role, Seller
from shipcrowd import queue, work
from shipcrowd.tenancy import require_scope, seller_scope

log = logging.getLogger(__name__)

KIND = Alert.KIND
ASK_AGAIN = timedelta(minutes=5)
_FOR_GOOD = 500
NO_SERVER = gettext_lazy("not mailed: no mail server is set up")
NOBODY = gettext_lazy("not mailed: no owner has an e-mail address")


def raise_alert(seller: Seller, kind: AlertKind, *, subject: str, text: str, key: str = "", route: str = "") -> None:
    """Tells the owners once for each `key` (empty: each time it is raised). In the seller's scope.

    `route` is the page that mends it, the connection's by default; `text` holds nothing of a buyer's.
    """
    require_scope(seller)
    link = f"{settings.PUBLIC_URL}{reverse(route or 'sellers:connection', args=[seller.slug])}"
    values = {
        "seller": seller,
        "kind": kind,
        "subject": " ".join(subject.split())[:200],
        "text": text,
        "link": link,
        "wake_at": Now(),
    }
    if key:
        _row, is_new = Alert.objects.get_or_create(seller=seller, kind=kind, key=key, defaults=values)
    else:
        Alert.objects.create(**values)
        is_new = True
    if is_new:
        queue.ring(seller.pk, KIND)


def connection_ended(seller: Seller, says: str) -> None:
    """The connection must be renewed by an owner: nothing is read or sent until then."""
    raise_alert(
        seller,
        AlertKind.RECONNECT,
        subject=_("{seller}: renew the connection to Flipkart").format(seller=seller.name),
        text=_("Flipkart no longer lets Shipcrowd in, so nothing is read or sent. {says}").format(says=says),
    )


def latest(seller: Seller, *, most: int = 10) -> Sequence[Alert]:
    return list(Alert.objects.filter(seller=seller).order_by("-pk")[:most])


def work_due(*, seller_id: int) -> bool:
    """Mails what is due; True when there may be more. Outside of any scope."""
    rows = work.claim_due(Alert, seller_id=seller_id, limit=1, related=["seller"])
    if not rows:
        return False
    with work.mistakes_noted(rows):
        _send(rows[0])
    return True


def _send(alert: Alert) -> None:
    with seller_scope(alert.seller_id):
        owners = _owners(alert.seller_id)
    told = {*alert.mailed_to, *alert.refused_to}
    if not settings.EMAIL_IS_SET or not (owners or told):
        with seller_scope(alert.seller_id):
            work.withdrawn([alert], says=str(NOBODY if settings.EMAIL_IS_SET else NO_SERVER))
        return
    waiting = 0
    # One mail each: owners need not know each other's addresses, and one that is not taken keeps it from nobody else.
    for address, owner_ids in owners.items():
        if told.issuperset(owner_ids):
            continue
        try:
            send_mail(alert.subject, f"{alert.text}\n\n{alert.link}\n", None, [address])
        except (SMTPException, OSError) as error:
            log.warning("an alert of seller %s was not mailed (%s)", alert.seller_id, type(error).__name__)
            if not _refuses_the_address(error):
                waiting += len(owner_ids)
                continue
            alert.refused_to += owner_ids
        else:
            work.crash_point(f"{KIND}.called")
            alert.mailed_to += owner_ids
        if not _note(alert):
            return  # another worker has taken it over
    _settle(alert, waiting)


def _owners(seller_id: int) -> dict[str, list[int]]:
    """Keys of the owners by their address; in the caller's scope."""
    owners = Member.objects.filter(seller_id=seller_id, role=Role.OWNER, user__is_active=True)
    found: dict[str, list[int]] = {}
    for address, user_id in (
        owners.exclude(user__email="").order_by("user__email", "pk").values_list("user__email", "user_id")
    ):
        found.setdefault(address, []).append(user_id)
    return found


def _refuses_the_address(error: OSError) -> bool:
    """Whether the mail server will never take mail for it (5xx to RCPT); 4xx is "not now" (RFC 5321, 4.2.1)."""
    if not isinstance(error, SMTPRecipientsRefused):
        return False
    return all(code >= _FOR_GOOD for code, _words in error.recipients.values())


def _note(alert: Alert) -> bool:
    """Kept at once: a worker that dies at the next owner mails this one no second time. False: it is not ours now."""
    if not work.keep([alert]):
        return False
    with seller_scope(alert.seller_id):
        row = Alert.objects.filter(pk=alert.pk, claim_token=alert.claim_token)
        return bool(row.update(mailed_to=alert.mailed_to, refused_to=alert.refused_to))


def _settle(alert: Alert, waiting: int) -> None:
    """`waiting` is how many owners the mail server may still take it for."""
    says = [_mailed(len(alert.mailed_to)), _refused(len(alert.refused_to))]
    with seller_scope(alert.seller_id):
        if waiting and not _is_old(alert, work.database_now()):
            rest = _("the mail server does not take it just now: tried again")
            work.put_off([alert], after=ASK_AGAIN, says=_joined(*says, rest))
            return
        if waiting:
            says.append(_not_mailed(waiting))
        if waiting or not alert.mailed_to:
            work.given_up([alert], because="", says=_joined(*says))
        else:
            work.done([alert], says=_joined(*says))


def _mailed(count: int) -> str:
    if not count:
        return ""
    return ngettext("mailed to {count} owner", "mailed to {count} owners", count).format(count=count)


def _refused(count: int) -> str:
    if not count:
        return ""
    words = ngettext(
        "the mail server refuses the address of {count} owner",
        "the mail server refuses the addresses of {count} owners",
        count,
    )
    return words.format(count=count)


def _not_mailed(count: int) -> str:
    words = ngettext(
        "not mailed to {count} owner: the mail server did not take it for a day",
        "not mailed to {count} owners: the mail server did not take it for a day",
        count,
    )
    return words.format(count=count)


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _is_old(alert: Alert, now: datetime) -> bool:
    return now - alert.asked_at > settings.GIVE_UP_AFTER
