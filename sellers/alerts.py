"""What a seller's owners are told by mail: that a connection has ended or will end, and a daily digest where it is on.

An alert is a row before it is a mail, and stays on the connection's page, whether or not a mail server is set up. A
worker that dies between sending and writing down sends again: a mail may come twice, and is never lost.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException

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
        owners = Member.objects.filter(seller_id=alert.seller_id, role=Role.OWNER, user__is_active=True)
        addresses = sorted(set(owners.exclude(user__email="").values_list("user__email", flat=True)))
    if not settings.EMAIL_IS_SET or not addresses:
        with seller_scope(alert.seller_id):
            work.withdrawn([alert], says=str(NOBODY if settings.EMAIL_IS_SET else NO_SERVER))
        return
    try:
        # One mail each: owners need not know each other's addresses.
        for address in addresses:
            send_mail(alert.subject, f"{alert.text}\n\n{alert.link}\n", None, [address])
    except (SMTPException, OSError) as error:
        log.warning("an alert of seller %s was not mailed (%s)", alert.seller_id, type(error).__name__)
        _try_later(alert)
        return
    work.crash_point(f"{KIND}.called")
    with seller_scope(alert.seller_id):
        says = ngettext("mailed to {count} owner", "mailed to {count} owners", len(addresses))
        work.done([alert], says=says.format(count=len(addresses)))


def _try_later(alert: Alert) -> None:
    with seller_scope(alert.seller_id):
        if _is_old(alert, work.database_now()):
            says = _("not mailed: the mail server did not take it for a day")
            work.given_up([alert], because="", says=says)
        else:
            says = _("the mail server does not take it just now: tried again")
            work.put_off([alert], after=ASK_AGAIN, says=says)


def _is_old(alert: Alert, now: datetime) -> bool:
    return now - alert.asked_at > settings.GIVE_UP_AFTER
