"""The three grants by GET: what is asked stands in the query, who asks in the Basic header. Source: wire.md 2."""

from collections.abc import Mapping
from datetime import timedelta

from shipcrowd.flipkart.wire.grants import SCOPE, TOKEN_PATH
from shipcrowd.flipkart.wire.values import read_errors
from shipcrowd.transport import Request

# A tenth of its life, a day at most: a token of sixty days is renewed with a day to spare, while the old one works.
LONGEST_MARGIN = timedelta(days=1)
# Where an answer does not say, what the guide found (1.6) is safe.
LIFE_NOT_SAID = timedelta(minutes=55)


def token_life(expires_in: timedelta) -> timedelta:
    """How long to believe a token: what it claims less a margin.

    The claim is true here: client credentials get a token that was issued before once more, with what is left of it.
    """
    if not expires_in:
        return LIFE_NOT_SAID
    return expires_in - min(expires_in / 10, LONGEST_MARGIN)


def encode_client_credentials(*, client_id: str, client_secret: str, basic: bool) -> Request:  # noqa: ARG001 - always Basic
    """A seller's own application."""
    return _token_request(client_id, client_secret, {"grant_type": "client_credentials", "scope": SCOPE})


def encode_code(*, client_id: str, client_secret: str, code: str, redirect_uri: str, state: str) -> Request:
    """The code that came with the callback, for a token; the `state` of the consent is sent once more."""
    asked = {"redirect_uri": redirect_uri, "grant_type": "authorization_code", "state": state, "code": code}
    return _token_request(client_id, client_secret, asked)


def encode_refresh(*, client_id: str, client_secret: str, refresh_token: str) -> Request:
    """The refresh token of an answer may be a new one."""
    return _token_request(client_id, client_secret, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def _token_request(client_id: str, client_secret: str, query: Mapping[str, str]) -> Request:
    basic_auth = (client_id, client_secret)
    return Request("GET", TOKEN_PATH, operation="token", query=query, basic_auth=basic_auth, read_errors=read_errors)
