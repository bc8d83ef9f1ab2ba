"""The three grants of OAuth, the address where a seller consents, and the protocol by which the client gets its token.

Tokens are kept and renewed by the portal (one at a time, in its database); here is only the talking.
"""

from dataclasses import replace
from typing import Protocol

from shipcrowd.flipkart.types import Token
from shipcrowd.flipkart.wire import Wire
from shipcrowd.transport import Request, Transport, url_of
from shipcrowd.transport.errors import NotAuthorized, Refused
from shipcrowd.transport.retry import parse_http_date

# RFC 6749, 5.2: the client or the grant is not accepted. They come with 400 or 401; either way a person must reconnect.
GRANT_IS_GONE = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "unauthorized", "access_denied"})


class TokenSource(Protocol):
    """Who gives the client its token."""

    def current(self) -> str:
        """A token that is believed to be good; may fetch one."""
        ...

    def renew(self, *, failed: str) -> str:
        """A token after `failed` got a 401: fetched anew only if the stored one still is `failed`."""
        ...


def grant_by_client_credentials(
    transport: Transport, wire: Wire, *, client_id: str, client_secret: str, basic: bool = False
) -> Token:
    """A token for a seller's own application; no refresh token. Source: guide 1.4.

    Raises NotAuthorized when the credentials are not accepted, and what Transport.send raises.
    """
    request = wire.encode_client_credentials(client_id=client_id, client_secret=client_secret, basic=basic)
    return _fetch_token(transport, wire, request)


def grant_by_code(
    transport: Transport, wire: Wire, *, client_id: str, client_secret: str, code: str, redirect_uri: str, state: str
) -> Token:
    """Token and refresh token for the code of a callback, which is good once and for minutes.

    `state` is that of the consent: Flipkart's published format wants it once more. Source: guide 1.5, wire.md 2.
    """
    request = wire.encode_code(
        client_id=client_id, client_secret=client_secret, code=code, redirect_uri=redirect_uri, state=state
    )
    return _fetch_token(transport, wire, request)


def grant_by_refresh(
    transport: Transport, wire: Wire, *, client_id: str, client_secret: str, refresh_token: str
) -> Token:
    """A new token; `refresh_token` of the answer is None when the old one stays good. Source: guide-gaps 14."""
    request = wire.encode_refresh(client_id=client_id, client_secret=client_secret, refresh_token=refresh_token)
    return _fetch_token(transport, wire, request)


def authorize_url(base_url: str, wire: Wire, *, client_id: str, redirect_uri: str, state: str) -> str:
    """Where to send the seller's browser for consent. Source: guide 1.5 step 1."""
    request = wire.encode_authorize(client_id=client_id, redirect_uri=redirect_uri, state=state)
    return url_of(base_url, request.path, request.query)


def _fetch_token(transport: Transport, wire: Wire, request: Request) -> Token:
    try:
        answer = transport.send(request)
    except Refused as error:
        if error.code not in GRANT_IS_GONE:
            raise
        status, code = error.status, error.code
    else:
        return replace(wire.decode_token(answer), answered_at=parse_http_date(answer.headers.get("Date")))
    raise NotAuthorized(request.operation, status=status, code=code)
