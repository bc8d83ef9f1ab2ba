"""A connection's access token: believed for as long as its wire says, and renewed by one worker at a time.

The one who renews holds a lease in the row, never a lock over the call; who finds it taken is put off for a second. A
new token is stored only while the secrets it was made of are still the connection's: a disconnect or a changed secret
wins.
"""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import connection as database
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from sellers import alerts
from sellers.models import Connection, Standing
from shipcrowd.flipkart import tokens
from shipcrowd.flipkart.types import Token
from shipcrowd.flipkart.wire import Wire, wire_named
from shipcrowd.tenancy import current_scope, seller_scope
from shipcrowd.transport import Transport
from shipcrowd.transport.errors import CallFailed, NotAuthorized, NoToken, Throttled

LEASE = timedelta(seconds=20)
# Seconds: a token call ends before its lease does, so that nobody renews beside it.
CALL_TIMEOUT, ANSWER_TIMEOUT = 8.0, 15.0
ASK_AGAIN = timedelta(seconds=1)
ASK_AGAIN_AFTER_FAILURE = timedelta(seconds=30)
# RFC 6749, 5.2, and wire.md 1: whoever asks is not known. Where that is the platform, no seller can mend it.
CLIENT_IS_REFUSED = frozenset({"invalid_client", "unauthorized_client", "unauthorized"})


class NotConnected(CallFailed):
    """The seller has no working connection: nothing was sent, and nothing will be until an owner connects."""


class TransactionIsOpen(RuntimeError):
    """A call was about to be made inside a transaction of ours: a programmer's mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token is asked with: a seller's own application, or the platform's with a refresh token."""

    has_own_client: bool
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)

    @classmethod
    def of(cls, row: Connection) -> "Grant":
        if row.client_id:
            return cls(has_own_client=True, client_id=row.client_id, client_secret=row.client_secret, refresh_token="")
        return cls(
            has_own_client=False,
            client_id=settings.FLIPKART_CLIENT_ID,
            client_secret=settings.FLIPKART_CLIENT_SECRET,
            refresh_token=row.refresh_token,
        )

    def ask(self, transport: Transport, wire: Wire) -> Token:
        """Raises what Transport.send raises; NotAuthorized also when there is nothing left to ask with."""
        client_id, client_secret = self.client_id, self.client_secret
        if self.has_own_client:
            return tokens.grant_by_client_credentials(transport, wire, client_id=client_id, client_secret=client_secret)
        if not self.refresh_token:
            says = _("it has ended, and nothing is there to renew it with")
            raise NotAuthorized("token", says, code="invalid_grant")
        return tokens.grant_by_refresh(
            transport, wire, client_id=client_id, client_secret=client_secret, refresh_token=self.refresh_token
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTokens:
    """The client's TokenSource over a seller's connection, to be used outside of any scope.

    Both methods raise NotConnected, NotAuthorized when the grant is gone, Throttled while somebody else renews, and
    NoToken when the token call failed otherwise, both with the time after which to ask again.
    """

    seller_id: int
    transport: Transport
    wire: Wire

    def current(self) -> str:
        refuse_open_transaction()
        with seller_scope(self.seller_id):
            fresh = _fresh(connected_row(self.seller_id))
        return fresh or self._fetch(failed="")

    def renew(self, *, failed: str) -> str:
        refuse_open_transaction()
        with seller_scope(self.seller_id):
            fresh = _fresh(connected_row(self.seller_id), but_not=failed)
        return fresh or self._fetch(failed=failed)

    def _fetch(self, *, failed: str) -> str:
        lease = uuid.uuid4()
        with seller_scope(self.seller_id):
            is_ours = _lease(self.seller_id, lease)
            row = connected_row(self.seller_id)
            fresh = _fresh(row, but_not=failed)  # somebody may have been quicker
            if fresh and is_ours:
                _release(self.seller_id, lease)
            grant = Grant.of(row)
        if fresh:
            return fresh
        if not is_ours:
            raise Throttled("token", _("the access token is just being renewed"), retry_after=ASK_AGAIN)
        try:
            token = grant.ask(self.transport, self.wire)
        except CallFailed as error:
            self._note_failure(error, lease, grant)
            raise _without_token(error, grant) from error
        return self._store(token, lease, grant)

    def _store(self, token: Token, lease: uuid.UUID, grant: Grant) -> str:
        with seller_scope(self.seller_id):
            row = Connection.objects.select_for_update().filter(seller_id=self.seller_id).first()
            if row is None or not row.is_connected:
                raise NotConnected("token", _("The connection was changed while its token was renewed."))
            if Grant.of(row) != grant:  # somebody renewed it too, while this one stood still for longer than its lease
                raise Throttled("token", _("the access token was renewed meanwhile"), retry_after=ASK_AGAIN)
            remember(row, token)
            if row.refresh_token_lease == lease:
                row.refresh_token_lease = row.refresh_leased_until = None
            row.save()
        return token.access_token

    def _note_failure(self, error: CallFailed, lease: uuid.UUID, grant: Grant) -> None:
        """A grant that is gone ends the connection, unless somebody has stored a newer one meanwhile."""
        with seller_scope(self.seller_id):
            row = Connection.objects.select_for_update().filter(seller_id=self.seller_id).first()
            if row is not None and row.is_connected and is_gone(error, grant) and Grant.of(row) == grant:
                stop(row, _("Flipkart no longer accepts this connection ({code}).").format(code=_code(error)))
            _release(self.seller_id, lease)


def refuse_open_transaction() -> None:
    """Raises TransactionIsOpen inside a scope or an atomic block; that of Django's test case is not ours."""
    ours = [block for block in database.atomic_blocks if not getattr(block, "_from_testcase", False)]
    if ours or current_scope() is not None:
        raise TransactionIsOpen("no call to Flipkart inside a transaction")


def connected_row(seller_id: int) -> Connection:
    """The seller's working connection; inside a scope. Raises NotConnected with a sentence for a person."""
    row = (
        Connection.objects.filter(seller_id=seller_id)
        .annotate(is_believed=ExpressionWrapper(Q(token_believed_until__gt=Now()), BooleanField()))
        .first()
    )
    if row is None or row.standing == Standing.DISCONNECTED:
        raise NotConnected("connection", _("This seller is not connected to Flipkart."))
    if not row.is_connected:
        raise NotConnected("connection", row.says or _("The connection to Flipkart must be renewed."))
    return row


def remember(row: Connection, token: Token) -> None:
    """Puts `token` on the row, believed from now on by the database's clock; the caller saves."""
    row.access_token = token.access_token
    if token.refresh_token:
        row.refresh_token = token.refresh_token
    row.token_fetched_at = Now()
    if token.answered_at:
        # An HTTP date has no parts of a second: half of one is its likeliest rest.
        row.clock_skew_s = round((token.answered_at - timezone.now()).total_seconds() + 0.5)
    row.token_believed_until = Now() + wire_named(row.wire).token_life(token.expires_in)


def is_gone(error: CallFailed, grant: Grant) -> bool:
    """Whether asking for a token failed because this seller's grant is not accepted; a bare 403 does not say so."""
    is_refused = isinstance(error, NotAuthorized) and (error.status != 403 or error.code in tokens.GRANT_IS_GONE)
    return is_refused and not _is_the_platforms(error, grant)


def _is_the_platforms(error: CallFailed, grant: Grant) -> bool:
    return isinstance(error, NotAuthorized) and not grant.has_own_client and error.code in CLIENT_IS_REFUSED


def _without_token(error: CallFailed, grant: Grant) -> CallFailed:
    """What a failed token call is to whoever wanted to send something else with it."""
    if _is_the_platforms(error, grant):
        says = _(
            "Flipkart does not accept the platform's own application ({code}): whoever runs this platform must look at "
            "FLIPKART_CLIENT_ID and FLIPKART_CLIENT_SECRET"
        )
        return NoToken("token", says.format(code=_code(error)), retry_after=ASK_AGAIN_AFTER_FAILURE)
    if isinstance(error, (NotAuthorized, Throttled)):
        return error
    says = _("no access token could be had, and without one nothing is sent ({error})")
    return NoToken("token", says.format(error=error), retry_after=ASK_AGAIN_AFTER_FAILURE)


def stop(row: Connection, says: str) -> None:
    """Nothing is sent over this connection until an owner connects again; `says` tells them why, on screen and by
    mail.
    """
    row.standing, row.says = Standing.RECONNECT, says[:300]
    row.save(update_fields=["standing", "says"])
    alerts.connection_ended(row.seller, row.says)


def _fresh(row: Connection, *, but_not: str = "") -> str:
    """The stored token if it may still be used, else ""."""
    token: str = row.access_token if getattr(row, "is_believed", False) else ""
    return "" if token == but_not else token


def _lease(seller_id: int, lease: uuid.UUID) -> bool:
    free = Q(refresh_leased_until=None) | Q(refresh_leased_until__lte=Now())
    connected = Connection.objects.filter(free, seller_id=seller_id, standing=Standing.CONNECTED)
    return bool(connected.update(refresh_token_lease=lease, refresh_leased_until=Now() + LEASE))


def _release(seller_id: int, lease: uuid.UUID) -> None:
    Connection.objects.filter(seller_id=seller_id, refresh_token_lease=lease).update(
        refresh_token_lease=None, refresh_leased_until=None
    )


def _code(error: CallFailed) -> str:
    return getattr(error, "code", "") or f"HTTP {getattr(error, 'status', '?')}"
