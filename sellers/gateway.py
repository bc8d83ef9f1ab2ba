"""The one place where a seller's connection, its token, its quota and Flipkart's client meet.

Nothing is called while a transaction of ours is open: a slow answer would hold its locks, and a rollback would forget
an effect that took place.
"""

from functools import partial

from django.conf import settings
from django.utils.translation import gettext as _

from sellers import access_tokens, quota, switches
from sellers.access_tokens import NotConnected, TransactionIsOpen, connected_row, refuse_open_transaction, stop
from sellers.facilities import AccountTaken, check_account, stop_as_taken
from sellers.models import Connection, Environment, Seller
from shipcrowd.flipkart.client import FlipkartClient
from shipcrowd.flipkart.types import Abilities
from shipcrowd.flipkart.wire import Wire, wire_named
from shipcrowd.tenancy import seller_scope
from shipcrowd.transport import Answer, Request, Transport
from shipcrowd.transport.errors import CallFailed, NotAuthorized, Throttled

__all__ = [
    "NotConnected",
    "ReadingIsOff",
    "SendingIsOff",
    "TransactionIsOpen",
    "abilities_of",
    "check_account",
    "client_for",
    "heard",
    "open_transport",
    "renew_token",
]

EFFECTS = frozenset({"generate_labels", "dispatch", "cancel", "acknowledge_forms", "sandbox"})
MOST_FORBIDDEN = 3  # answers 403 without a good one between: the application or the seller is shut out


class SendingIsOff(CallFailed):
    """SENDING is off, or the platform has stopped this seller's: no effect leaves the house. Nothing was sent."""


class ReadingIsOff(CallFailed):
    """The platform has stopped reading for this seller. Nothing was asked."""


class LeavesTheSimulator(CallFailed):
    """A demo seller's connection names the real Flipkart: nothing is sent there."""


def client_for(seller_id: int, *, for_polling: bool = False) -> FlipkartClient:
    """Flipkart for this seller; outside of any scope, here and at every call.

    Raises NotConnected, LeavesTheSimulator, and ReadingIsOff for polling. Its calls raise what FlipkartClient says,
    NotConnected when the connection ends meanwhile, Throttled by our own quota or while the token is renewed elsewhere,
    and SendingIsOff for effects.
    """
    refuse_open_transaction()
    with seller_scope(seller_id):
        row = connected_row(seller_id)
        seller = Seller.objects.get(pk=seller_id)
    if for_polling and (why_not := switches.why_not_reading(seller)):
        raise ReadingIsOff("polling", why_not)
    wire = wire_named(row.wire)
    base_url = base_url_of(seller, row.environment, wire)
    return FlipkartClient(
        transport=_Listening(
            base_url,
            seller_id=seller_id,
            call_timeout=settings.FLIPKART_CALL_TIMEOUT,
            answer_timeout=settings.FLIPKART_ANSWER_TIMEOUT,
            max_bytes=settings.FLIPKART_ANSWER_BYTES,
        ),
        wire=wire,
        tokens=access_tokens.StoredTokens(seller_id=seller_id, transport=_for_tokens(base_url), wire=wire),
        before_call=partial(_before_call, seller_id, for_polling),
    )


def abilities_of(seller_id: int) -> Abilities | None:
    """What the seller's connection can do and wants; None where there is none yet. In a scope; calls nobody."""
    name = Connection.objects.filter(seller_id=seller_id).values_list("wire", flat=True).first()
    return wire_named(name).ABILITIES if name else None


def renew_token(seller_id: int) -> None:
    """The current access token is given up as if Flipkart had refused it, and a new one is fetched.

    Outside of any scope. Raises NotConnected, Throttled while somebody else renews, and what the token call raises.
    """
    refuse_open_transaction()
    with seller_scope(seller_id):
        row = connected_row(seller_id)
        seller = Seller.objects.get(pk=seller_id)
    wire = wire_named(row.wire)
    transport = _for_tokens(base_url_of(seller, row.environment, wire))
    stored = access_tokens.StoredTokens(seller_id=seller_id, transport=transport, wire=wire)
    stored.renew(failed=stored.current())


def open_transport(seller: Seller, environment: str, wire: Wire) -> Transport:
    """For token calls before there is a connection: the callback, and pasted credentials. Outside of any scope."""
    refuse_open_transaction()
    return _for_tokens(base_url_of(seller, environment, wire))


def base_url_of(seller: Seller, environment: str, wire: Wire) -> str:
    """Where Flipkart is for this seller. Raises LeavesTheSimulator."""
    if environment == Environment.SIMULATOR:
        return str(settings.SIMULATOR_URL)
    if seller.is_demo:
        raise LeavesTheSimulator("connection", _("A demo seller works with the simulator only."))
    return wire.HOSTS[environment]


def heard(seller_id: int, error: CallFailed | None) -> None:
    """Tell after each task how Flipkart answered: what shuts the seller out turns the connection to "reconnect".

    That is a 401 in spite of a renewed token, three answers 403 without a good one (None) between them, and an account
    that is another seller's.
    """
    if isinstance(error, AccountTaken):
        stop_as_taken(seller_id)
        return
    if isinstance(error, NotAuthorized) and error.status in (401, 403):
        with seller_scope(seller_id):
            _note_refusal(seller_id, error)
    elif error is None:
        with seller_scope(seller_id):
            Connection.objects.filter(seller_id=seller_id, forbidden_in_a_row__gt=0).update(forbidden_in_a_row=0)


def _note_refusal(seller_id: int, error: NotAuthorized) -> None:
    row = Connection.objects.select_for_update().filter(seller_id=seller_id).first()
    if row is None or not row.is_connected:
        return
    if error.status == 401:
        if error.operation != "token":  # of a refused grant the token source has spoken already
            stop(row, _("Flipkart refuses even a fresh access token."))
        return
    row.forbidden_in_a_row += 1
    row.save(update_fields=["forbidden_in_a_row"])
    if row.forbidden_in_a_row >= MOST_FORBIDDEN:
        stop(row, _("Flipkart answers “forbidden” to everything: the application or the account may be suspended."))


def _before_call(seller_id: int, for_polling: bool, operation: str) -> None:
    refuse_open_transaction()
    unless = partial(_refuse_if_switched_off, seller_id, operation) if operation in EFFECTS else None
    quota.take(seller_id, operation=operation, for_polling=for_polling, unless=unless)


def _refuse_if_switched_off(seller_id: int, operation: str) -> None:
    """Asked before each effect, not once a batch: who presses the switch means the next call. Raises SendingIsOff."""
    if why_not := switches.why_not_sending(Seller.objects.get(pk=seller_id)):
        raise SendingIsOff(operation, why_not)


def _for_tokens(base_url: str) -> Transport:
    return Transport(
        base_url, call_timeout=access_tokens.CALL_TIMEOUT, answer_timeout=access_tokens.ANSWER_TIMEOUT, max_bytes=2**20
    )


class _Listening(Transport):
    """Closes the seller's quota when Flipkart says 429."""

    def __init__(
        self, base_url: str, *, seller_id: int, call_timeout: float, answer_timeout: float, max_bytes: int
    ) -> None:
        super().__init__(base_url, call_timeout=call_timeout, answer_timeout=answer_timeout, max_bytes=max_bytes)
        self._seller_id = seller_id

    def send(self, request: Request, *, bearer: str | None = None) -> Answer:
        try:
            return super().send(request, bearer=bearer)
        except Throttled as error:
            quota.close(self._seller_id, retry_after=error.retry_after)
            raise
