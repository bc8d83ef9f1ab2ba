"""Connecting a seller to Flipkart and cutting the line: consent in the browser, pasted keys, and disconnecting.

A press of Connect leaves a ConnectAttempt whose secret `state` travels to Flipkart and back; only its digest is kept.
The calls themselves are made outside of any scope: short scope, call, short scope.
"""

import hashlib
import secrets
from collections.abc import Callable
from enum import Enum

from django.conf import settings
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sellers import gateway
from sellers.access_tokens import remember
from sellers.models import ConnectAttempt, Connection, Environment, Quota, Seller, Standing, User, WireName
from shipcrowd import audit
from shipcrowd.flipkart import tokens
from shipcrowd.flipkart.types import Token
from shipcrowd.flipkart.wire import wire_named
from shipcrowd.tenancy import require_scope, seller_scope, through_door
from shipcrowd.transport.errors import CallFailed, NotAuthorized, Refused, UnexpectedPayload, safe_code

LONGEST_STATE = 200


class Trouble(Enum):
    """Why a connection did not come about: what happened, and what to do."""

    NO_CLIENT = (
        gettext_lazy("This platform has no application of its own at Flipkart."),
        gettext_lazy("Paste the keys of your own application instead, or ask the platform's operators."),
    )
    NOT_HTTPS = (
        gettext_lazy("Flipkart answers to https addresses only, and this portal has none."),
        gettext_lazy("Ask the platform's operators to set PUBLIC_URL to an https address."),
    )
    WRONG_STATE = (
        gettext_lazy("This answer does not belong to any Connect that was pressed here."),
        gettext_lazy("Nothing was connected. Open your seller and press Connect yourself."),
    )
    OTHER_PERSON = (
        gettext_lazy("Connect was pressed by somebody else."),
        gettext_lazy("Nothing was connected. Log in as the person who pressed Connect, and press it again."),
    )
    OTHER_SESSION = (
        gettext_lazy("Connect was pressed in another browser, or before you logged in again."),
        gettext_lazy("Nothing was connected. Press Connect again, and stay in this browser."),
    )
    NOT_ALLOWED = (
        gettext_lazy("You are no longer an owner of this seller."),
        gettext_lazy("Nothing was connected. Ask an owner to press Connect."),
    )
    EXPIRED = (
        gettext_lazy("It took longer than ten minutes to come back from Flipkart."),
        gettext_lazy("Nothing was connected. Press Connect again."),
    )
    REPLAYED = (
        gettext_lazy("This answer was used already."),
        gettext_lazy("Look whether the seller is connected; if it is not, press Connect again."),
    )
    DENIED = (
        gettext_lazy("Access was denied on Flipkart's page."),
        gettext_lazy("Nothing was connected. Press Connect again and choose Allow when you are ready."),
    )
    REFUSED = (
        gettext_lazy("Flipkart did not give its consent."),
        gettext_lazy("Nothing was connected. Press Connect again; if it happens twice, ask the platform's operators."),
    )
    CODE_REFUSED = (
        gettext_lazy("Flipkart no longer accepts the code that came back: it has expired, or was used already."),
        gettext_lazy("Nothing was connected. Press Connect again and do not wait on the way."),
    )
    CLIENT_REFUSED = (
        gettext_lazy("Flipkart does not accept this application's id and secret."),
        gettext_lazy("Check both; a secret that was generated anew replaces the old one at once."),
    )
    NO_ANSWER = (
        gettext_lazy("Flipkart did not answer."),
        gettext_lazy("Nothing was connected. Try again in a few minutes."),
    )
    STRANGE_ANSWER = (
        gettext_lazy("Flipkart answered something that this version does not understand."),
        gettext_lazy("Nothing was connected. Ask the platform's operators."),
    )

    @property
    def happened(self) -> str:
        return str(self.value[0])

    @property
    def what_to_do(self) -> str:
        return str(self.value[1])


class CannotConnect(Exception):
    """`trouble` says it to a person; `code` is Flipkart's own word where it gave one that is safe to show."""

    def __init__(self, trouble: Trouble, *, seller: Seller | None = None, code: str = "") -> None:
        super().__init__(trouble.name)
        self.trouble, self.seller, self.code = trouble, seller, code


# --- Consent in the browser ------------------------------------------------------------------------------------------


def begin(*, seller: Seller, user: User, session_key: str) -> str:
    """The address of Flipkart's consent page for this press of Connect. Raises CannotConnect. Source: guide 1.5."""
    require_scope(seller)
    environment, wire_name = where(seller)
    wire = wire_named(wire_name)
    if not settings.FLIPKART_CLIENT_ID:
        raise CannotConnect(Trouble.NO_CLIENT, seller=seller)
    address = redirect_uri(environment)
    state = secrets.token_urlsafe(32)
    ConnectAttempt.objects.create(
        seller=seller,
        user=user,
        digest=digest_of(state),
        session_digest=digest_of(session_key),
        environment=environment,
        wire=wire_name,
        expires_at=Now() + ConnectAttempt.LIFE,
    )
    return tokens.authorize_url(
        gateway.base_url_of(seller, environment, wire),
        wire,
        client_id=settings.FLIPKART_CLIENT_ID,
        redirect_uri=address,
        state=state,
    )


def finish(
    *, user: User, session_key: str, may_connect: Callable[[User, Seller], bool], asked: dict[str, str]
) -> Connection:
    """What Flipkart's answer (`state`, and `code` or `error`) leads to; outside of any scope. Raises CannotConnect.

    An answer that came to the wrong person spends nothing: only who pressed Connect can.
    """
    attempt = _find(asked.get("state", ""))
    if attempt.user_id != user.pk:
        raise CannotConnect(Trouble.OTHER_PERSON)
    if not secrets.compare_digest(attempt.session_digest, digest_of(session_key)):
        raise CannotConnect(Trouble.OTHER_SESSION)
    with seller_scope(attempt.seller_id):
        seller = Seller.objects.get(pk=attempt.seller_id)
        is_ours = ConnectAttempt.objects.filter(pk=attempt.pk, used_at=None).update(used_at=Now())
        is_late = not ConnectAttempt.objects.filter(pk=attempt.pk, expires_at__gt=Now()).exists()
    _refuse(not is_ours, Trouble.REPLAYED, seller)
    _refuse(is_late, Trouble.EXPIRED, seller)
    _refuse(not may_connect(user, seller), Trouble.NOT_ALLOWED, seller)
    _refuse(asked.get("error") == "access_denied", Trouble.DENIED, seller)
    if asked.get("error") or not asked.get("code"):
        raise CannotConnect(Trouble.REFUSED, seller=seller, code=safe_code(asked.get("error", "")))
    token = _exchange(seller, attempt, asked["code"], asked["state"])
    with seller_scope(seller):
        return _store(
            seller=seller, by=user, environment=attempt.environment, wire_name=attempt.wire, keys=("", ""), token=token
        )


def redirect_uri(environment: str) -> str:
    """Where Flipkart sends the browser back to: from PUBLIC_URL alone. Raises CannotConnect unless it is https.

    Flipkart accepts nothing else (guide 1.3). The simulator does, outside DEBUG too: it gives no access to anything
    real, the demo speaks http, and `check --deploy` finds both an error.
    """
    if not (settings.PUBLIC_URL.startswith("https://") or settings.DEBUG or environment == Environment.SIMULATOR):
        raise CannotConnect(Trouble.NOT_HTTPS)
    return f"{settings.PUBLIC_URL}{reverse('flipkart_callback')}"


def where(seller: Seller) -> tuple[str, str]:
    """Environment and wire of a new connection: the settings', but the simulator's for a demo seller."""
    if seller.is_demo:
        return Environment.SIMULATOR, settings.FLIPKART_WIRE or WireName.GUIDE
    return settings.FLIPKART, settings.FLIPKART_WIRE


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _find(state: str) -> ConnectAttempt:
    digest = digest_of(state)
    attempt = None
    if 0 < len(state) <= LONGEST_STATE:
        attempt = through_door("connect", digest, lambda: ConnectAttempt.objects.filter(digest=digest).first())
    if attempt is None:
        raise CannotConnect(Trouble.WRONG_STATE)
    return attempt


def _refuse(is_so: bool, trouble: Trouble, seller: Seller) -> None:
    if is_so:
        raise CannotConnect(trouble, seller=seller)


def _exchange(seller: Seller, attempt: ConnectAttempt, code: str, state: str) -> Token:
    wire = wire_named(attempt.wire)
    transport = gateway.open_transport(seller, attempt.environment, wire)
    try:
        return tokens.grant_by_code(
            transport,
            wire,
            client_id=settings.FLIPKART_CLIENT_ID,
            client_secret=settings.FLIPKART_CLIENT_SECRET,
            code=code,
            redirect_uri=redirect_uri(attempt.environment),
            state=state,
        )
    except CallFailed as error:
        raise CannotConnect(_trouble_of(error), seller=seller, code=getattr(error, "code", "")) from error


def _trouble_of(error: CallFailed) -> Trouble:
    if isinstance(error, NotAuthorized):
        # 401 is about the application (RFC 6749, 5.2); what comes with 400 is about the code.
        is_client = error.status == 401 or error.code in ("invalid_client", "unauthorized", "unauthorized_client")
        return Trouble.CLIENT_REFUSED if is_client else Trouble.CODE_REFUSED
    if isinstance(error, Refused):
        return Trouble.REFUSED
    return Trouble.STRANGE_ANSWER if isinstance(error, UnexpectedPayload) else Trouble.NO_ANSWER


# --- A seller's own application --------------------------------------------------------------------------------------


def connect_with_keys(*, seller: Seller, by: User, client_id: str, client_secret: str) -> Connection:
    """Connects, or replaces a secret that was generated anew; outside of any scope. Raises CannotConnect.

    The keys are tried by a real token call before they are kept. Source: guide 1.2 and 1.4.
    """
    environment, wire_name = where(seller)
    wire = wire_named(wire_name)
    transport = gateway.open_transport(seller, environment, wire)
    try:
        token = tokens.grant_by_client_credentials(transport, wire, client_id=client_id, client_secret=client_secret)
    except CallFailed as error:
        trouble = Trouble.CLIENT_REFUSED if isinstance(error, NotAuthorized) else _trouble_of(error)
        raise CannotConnect(trouble, seller=seller, code=getattr(error, "code", "")) from error
    with seller_scope(seller):
        return _store(
            seller=seller,
            by=by,
            environment=environment,
            wire_name=wire_name,
            keys=(client_id, client_secret),
            token=token,
        )


def _store(
    *, seller: Seller, by: User, environment: str, wire_name: str, keys: tuple[str, str], token: Token
) -> Connection:
    Seller.objects.select_for_update().get(pk=seller.pk)  # two who connect at once make one connection
    row = Connection.objects.filter(seller=seller).first() or Connection(seller=seller)
    other_application = bool(keys[0]) and keys[0] != row.client_id
    if row.standing == Standing.DISCONNECTED or row.environment != environment or other_application:
        # Renewing keeps its age. Of two lines to one account the younger one stops: other keys may be of another one.
        row.connected_at = Now()
    row.consented_at = Now()
    row.environment, row.wire, row.standing, row.says = environment, wire_name, Standing.CONNECTED, ""
    row.client_id, row.client_secret = keys
    row.refresh_token = ""  # of another grant, if there was one
    remember(row, token)
    row.refresh_token_lease = row.refresh_leased_until = None
    row.forbidden_in_a_row = 0
    row.connected_by = by
    row.save()
    row.refresh_from_db()
    Quota.objects.get_or_create(seller=seller, connection=row, defaults={"left": settings.QUOTA_BURST})
    for name in settings.ON_CONNECTED:
        import_string(name)(seller=seller, connection=row)
    audit.record(by, "connected this seller to Flipkart", seller=seller, rows=[row])
    return row


# --- Cutting the line ------------------------------------------------------------------------------------------------


def open_effects(seller: Seller) -> list[tuple[str, int]]:
    """What is on its way and would be parked: words and how many."""
    require_scope(seller)
    return [found for name in settings.ON_DISCONNECT for found in import_string(f"{name}.open_effects")(seller)]


def disconnect(*, seller: Seller, by: User) -> None:
    """Parks what is on its way and forgets every secret of the connection; its history stays."""
    require_scope(seller)
    row = Connection.objects.select_for_update().filter(seller=seller).first()
    if row is None or row.standing == Standing.DISCONNECTED:
        return
    for name in settings.ON_DISCONNECT:
        import_string(f"{name}.park")(seller, by)
    row.standing, row.says, row.client_id = Standing.DISCONNECTED, "", ""
    row.client_secret = row.access_token = row.refresh_token = None
    row.token_fetched_at = row.token_believed_until = None
    row.refresh_token_lease = row.refresh_leased_until = None
    row.save()
    ConnectAttempt.objects.filter(seller=seller, used_at=None).delete()
    audit.record(by, "cut the connection to Flipkart", seller=seller, rows=[row])


def not_connected_words(row: Connection | None) -> str:
    """Why nothing goes to Flipkart, for a person; "" while the connection works."""
    if row is None or row.standing == Standing.DISCONNECTED:
        return _("This seller is not connected to Flipkart.")
    return "" if row.is_connected else row.says or _("The connection to Flipkart must be renewed.")
