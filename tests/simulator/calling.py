"""How the simulator's own tests call it: plain requests, and none of the client that it is there to test."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from shipcrowd.simulator import Account, Simulator, mounted

BASE = "http://flipkart.test"


class StandingClock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 7, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def moves(self, **span: float) -> None:
        self.now += timedelta(**span)


class Caller:
    """One seller's session. Every call gives the answer as it came; `json` only where it is asked for."""

    def __init__(self, simulator: Simulator, account: Account, base: str = BASE) -> None:
        self.base = base
        self.account = account
        self.session = requests.Session()
        self.session.trust_env = False
        if base == BASE:
            self.session.mount(BASE, mounted(simulator))
        self.log_in()

    def log_in(self) -> None:
        answer = self.token(grant_type="client_credentials", scope="Seller_Api", **self.credentials())
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def credentials(self) -> dict[str, str]:
        return {"client_id": self.account.client_id, "client_secret": self.account.client_secret}

    def token(self, auth: tuple[str, str] | None = None, **form: str) -> requests.Response:
        return requests.Session.post(self.session, f"{self.base}/oauth-service/oauth/token", data=form, auth=auth)

    def search(self, marker: str = "", size: int = 50, **wanted: Any) -> requests.Response:
        pagination = {"pageSize": size} | ({"marker": marker} if marker else {})
        body = {"filter": wanted, "pagination": pagination}
        return self.session.post(f"{self.base}/v3/orders/search", json=body, timeout=30)

    def shipments(self, ids: Sequence[str]) -> requests.Response:
        return self.session.get(f"{self.base}/v3/shipments/{','.join(ids)}", timeout=30)

    def shipping_details(self, ids: Sequence[str]) -> requests.Response:
        return self.session.get(f"{self.base}/v3/shipments/{','.join(ids)}/shippingDetails", timeout=30)

    def generate_labels(self, ids: Sequence[str]) -> requests.Response:
        return self.session.post(f"{self.base}/v3/shipments/{','.join(ids)}/labels", timeout=30)

    def download_labels(self, ids: Sequence[str]) -> requests.Response:
        return self.session.get(f"{self.base}/v3/shipments/{','.join(ids)}/labels", timeout=30)

    def dispatch(self, ids: Sequence[str]) -> requests.Response:
        return self.session.post(f"{self.base}/v3/shipments/dispatch", json={"shipmentIds": list(ids)}, timeout=30)

    def call(self, operation: str, ids: Sequence[str]) -> requests.Response:
        if operation == "search":
            return self.search()
        if operation == "token":
            return self.token(grant_type="client_credentials", scope="Seller_Api", **self.credentials())
        return getattr(self, operation)(ids)
