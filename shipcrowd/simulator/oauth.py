"""Flipkart's OAuth server: codes, tokens, rotating refresh tokens.

Asked by POST it is the guide's (1.4, 1.5; guide-gaps 10, 14, 15), whose tokens die within the hour. Asked by GET it is
the one that Flipkart publishes (wire.md 2): Basic always, the consent's state once more, opaque tokens that live for
the sixty days they claim, and for a seller's own application the same token again while it lives.
"""

import hmac
import secrets
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from shipcrowd.simulator.accounts import Account
from shipcrowd.simulator.ledger import Grant, Ledger
from shipcrowd.simulator.world import World

PORTAL_CLIENT_ID = "shipcrowd-portal"
SCOPE = "Seller_Api"
CODE_LIFE = timedelta(minutes=5)
# What the answer claims, and what is true (guide 1.6).
CLAIMED_LIFE_S = 5_184_000
TOKEN_LIFE = timedelta(hours=1)
PUBLISHED_LIFE = timedelta(days=60)
REFRESH_LIFE = timedelta(days=180)
GIVEN_KEPT = 2_000


class OAuthError(Exception):
    """RFC 6749 5.2: `error` is its word, `status` 401 where the client is not who it says."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(slots=True, kw_only=True, repr=False)
class Ticket:
    """A code, an access token or a refresh token: whose it is, who may use it, until when."""

    account_id: str
    client_id: str
    expires_at: datetime
    redirect_uri: str = ""
    state: str = ""
    is_published: bool = False


class OAuth:
    """The authorization server. Guarded by the world's lock."""

    def __init__(
        self,
        *,
        world: World,
        ledger: Ledger,
        clock: Callable[[], datetime],
        portal_secret: str,
        redirect_uris: tuple[str, ...],
    ) -> None:
        self.redirect_uris = redirect_uris
        self.portal_secret = portal_secret
        self._world = world
        self._ledger = ledger
        self._clock = clock
        self._codes: dict[str, Ticket] = {}
        self._access: dict[str, Ticket] = {}
        self._refresh: dict[str, Ticket] = {}
        self._given: deque[str] = deque(maxlen=GIVEN_KEPT)

    @property
    def given(self) -> set[str]:
        """Each code and token that it gave, and the states that codes were asked with, spent and dead ones too; the
        newest at least. What nobody may log.
        """
        with self._world.lock:
            return {*self._given, *(secret for tickets in self._tickets().values() for secret in tickets)}

    # The person in the browser

    def check_redirect(self, client_id: str, redirect_uri: str) -> None:
        """Before anything is sent anywhere: a known client and a registered address. Raises OAuthError."""
        if client_id != PORTAL_CLIENT_ID:
            raise OAuthError("invalid_client", "No application with this client_id is registered.")
        if redirect_uri not in self.redirect_uris:
            raise OAuthError("invalid_request", "This redirect_uri is not registered for the application.")

    def allow(self, account_id: str, redirect_uri: str, state: str = "") -> str:
        """The seller said yes: a code for one use within five minutes. Raises OAuthError for an unknown account."""
        with self._world.lock:
            if account_id not in self._world.accounts:
                raise OAuthError("access_denied", "Choose the seller account to log in as.")
            code = self._give(secrets.token_urlsafe(24))
            if state:
                self._give(state)
            self._codes[code] = Ticket(
                account_id=account_id,
                client_id=PORTAL_CLIENT_ID,
                expires_at=self._clock() + CODE_LIFE,
                redirect_uri=redirect_uri,
                state=state,
            )
            return code

    # The token endpoint

    def grant(
        self, form: Mapping[str, str], basic: tuple[str, str] | None, *, is_published: bool = False
    ) -> dict[str, Any]:
        """The answer of /oauth-service/oauth/token, `is_published` by GET; every call is in the ledger.

        Raises OAuthError.
        """
        with self._world.lock:
            grant_type = form.get("grant_type", "")
            account_id, error = "", ""
            try:
                account_id, answer = self._grant(grant_type, form, basic, is_published=is_published)
            except OAuthError as refused:
                error = refused.error
                raise
            finally:
                self._ledger.record_grant(
                    Grant(grant_type=grant_type, account=account_id, at=self._clock(), error=error)
                )
            return answer

    def account_of(self, token: str) -> Account | None:
        """Whose token it is, while it lives."""
        with self._world.lock:
            ticket = self._access.get(token)
            if ticket is None or ticket.expires_at <= self._clock():
                return None
            return self._world.accounts.get(ticket.account_id)

    def kill(self, token: str) -> None:
        """This access token is dead from now on."""
        with self._world.lock:
            self._access.pop(token, None)

    def revoke(self, account: Account) -> None:
        """The seller withdrew the grant: all tokens and codes of the account are dead."""
        with self._world.lock:
            for tickets in (self._codes, self._access, self._refresh):
                for secret in [s for s, ticket in tickets.items() if ticket.account_id == account.account_id]:
                    del tickets[secret]

    def kill_tokens(self, account: Account | None = None) -> None:
        """All access tokens (of one account) are dead; refresh tokens live on."""
        with self._world.lock:
            for token in [t for t, k in self._access.items() if account is None or k.account_id == account.account_id]:
                del self._access[token]

    def saved(self) -> dict[str, Any]:
        tickets_saved = {
            name: {secret: {**asdict(t), "expires_at": t.expires_at.isoformat()} for secret, t in tickets.items()}
            for name, tickets in self._tickets().items()
        }
        return {**tickets_saved, "given": list(self._given)}

    def restore(self, saved: dict[str, Any]) -> None:
        for name, tickets in self._tickets().items():
            for secret, row in saved[name].items():
                tickets[secret] = Ticket(**{**row, "expires_at": datetime.fromisoformat(row["expires_at"])})
        self._given.extend(saved.get("given", ()))  # files of before have none

    def _tickets(self) -> dict[str, dict[str, Ticket]]:
        return {"codes": self._codes, "access": self._access, "refresh": self._refresh}

    def _give(self, secret: str) -> str:
        self._given.append(secret)
        return secret

    def _grant(
        self, grant_type: str, form: Mapping[str, str], basic: tuple[str, str] | None, *, is_published: bool
    ) -> tuple[str, dict[str, Any]]:
        by_form = ("", "") if is_published else (form.get("client_id", ""), form.get("client_secret", ""))
        client_id, client_secret = basic or by_form
        owner = self._check_client(client_id, client_secret)
        if grant_type == "client_credentials":
            if owner is None:
                raise OAuthError("unauthorized_client", "This application must ask the seller (authorization code).")
            if form.get("scope") != SCOPE:
                raise OAuthError("invalid_scope", f"Invalid scope: {form.get('scope', 'Default')}")
            if is_published:
                return owner.account_id, self._same_access(owner.account_id, client_id)
            return owner.account_id, {**self._new_access(owner.account_id, client_id), "jti": str(uuid.uuid4())}
        if grant_type == "authorization_code":
            return self._by_code(form, client_id, is_published=is_published)
        if grant_type == "refresh_token":
            return self._by_refresh(form, client_id, is_published=is_published)
        raise OAuthError("unsupported_grant_type", f"Unsupported grant type: {grant_type}")

    def _check_client(self, client_id: str, client_secret: str) -> Account | None:
        """The seller whose own application it is; None for the portal's. Raises OAuthError."""
        owner = next((a for a in self._world.accounts.values() if a.client_id == client_id), None)
        if owner is None and client_id != PORTAL_CLIENT_ID:
            raise OAuthError("unauthorized", "No client with requested id", 401)
        expected = owner.client_secret if owner else self.portal_secret
        if not hmac.compare_digest(client_secret.encode(), expected.encode()):
            raise OAuthError("unauthorized", "Bad credentials", 401)
        return owner

    def _by_code(self, form: Mapping[str, str], client_id: str, *, is_published: bool) -> tuple[str, dict[str, Any]]:
        # Taken out before it is looked at: a code is spent by the first try, right or wrong (RFC 6749 4.1.2).
        ticket = self._codes.pop(form.get("code", ""), None)
        if ticket is None or ticket.expires_at <= self._clock() or ticket.client_id != client_id:
            raise OAuthError("invalid_grant", "Invalid authorization code")
        if form.get("redirect_uri") != ticket.redirect_uri:
            raise OAuthError("invalid_grant", "Redirect URI mismatch.")
        if is_published and form.get("state", "") != ticket.state:
            raise OAuthError("invalid_grant", "State mismatch.")
        return ticket.account_id, self._new_pair(ticket.account_id, client_id, is_published=is_published)

    def _by_refresh(self, form: Mapping[str, str], client_id: str, *, is_published: bool) -> tuple[str, dict[str, Any]]:
        ticket = self._refresh.pop(form.get("refresh_token", ""), None)
        if ticket is None or ticket.expires_at <= self._clock() or ticket.client_id != client_id:
            raise OAuthError("invalid_grant", "Invalid refresh token")
        return ticket.account_id, self._new_pair(ticket.account_id, client_id, is_published=is_published)

    def _new_pair(self, account_id: str, client_id: str, *, is_published: bool) -> dict[str, Any]:
        refresh_token = self._give(str(uuid.uuid4()) if is_published else f"fkr.{secrets.token_urlsafe(48)}")
        self._refresh[refresh_token] = Ticket(
            account_id=account_id, client_id=client_id, expires_at=self._clock() + REFRESH_LIFE
        )
        access = self._new_access(account_id, client_id, is_published=is_published)
        return {"access_token": access.pop("access_token"), "refresh_token": refresh_token, **access}

    def _same_access(self, account_id: str, client_id: str) -> dict[str, Any]:
        """The token that was given before, with what is left of its life; a new one where none lives."""
        now = self._clock()
        for token, ticket in self._access.items():
            if ticket.is_published and ticket.client_id == client_id and ticket.expires_at > now:
                return _published(token, ticket, now)
        return self._new_access(account_id, client_id, is_published=True)

    def _new_access(self, account_id: str, client_id: str, *, is_published: bool = False) -> dict[str, Any]:
        now = self._clock()
        for token in [t for t, ticket in self._access.items() if ticket.expires_at <= now]:
            del self._access[token]
        token = self._give(str(uuid.uuid4()) if is_published else f"fka.{secrets.token_urlsafe(48)}")
        life = PUBLISHED_LIFE if is_published else TOKEN_LIFE
        ticket = Ticket(account_id=account_id, client_id=client_id, expires_at=now + life, is_published=is_published)
        self._access[token] = ticket
        if is_published:
            return _published(token, ticket, now)
        return {"access_token": token, "token_type": "Bearer", "expires_in": CLAIMED_LIFE_S, "scope": SCOPE}


def _published(token: str, ticket: Ticket, now: datetime) -> dict[str, Any]:
    left = int((ticket.expires_at - now).total_seconds())
    return {"access_token": token, "token_type": "bearer", "expires_in": left, "scope": SCOPE}
