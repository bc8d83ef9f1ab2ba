"""The WSGI application: a request in, through token, quota and faults to the world, and the call into the ledger.

Two formats are served from one world: the guide's (`api`), and below /sellers the one that Flipkart publishes
(`official`). One account may be asked in either.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from shipcrowd.simulator import api, console, control, official, spoiling
from shipcrowd.simulator.accounts import Account
from shipcrowd.simulator.authorize import authorize_page
from shipcrowd.simulator.faults import Fault, Faults
from shipcrowd.simulator.ledger import Call, Ledger
from shipcrowd.simulator.oauth import OAuth, OAuthError
from shipcrowd.simulator.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GUIDE = "guide"
QUOTA = 100
QUOTA_WINDOW = timedelta(minutes=1)
LARGEST_BODY = 2**20
#: What the server under the application puts here is called in place of a sleep: f(seconds).
PAUSE = "shipcrowd.simulator.pause"

REDIRECT_URIS = ("http://127.0.0.1:8000/auth/flipkart/callback", "http://localhost:8000/auth/flipkart/callback")


class Dropped(ConnectionAbortedError):
    """The connection is closed without an answer. Werkzeug's server closes it, `mounted` raises ConnectionError."""


class Simulator:
    """A stateful Flipkart: a WSGI callable with `.world`, `.faults`, `.ledger`, `.quota`."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] | None = None,
        seed: int = 0,
        portal_secret: str = "simulator-portal-secret",  # noqa: S107 - guards a pretended Flipkart
        redirect_uris: Iterable[str] = REDIRECT_URIS,
        calls_per_minute: int | None = QUOTA,
        packing_seconds: tuple[float, float] | None = None,
    ) -> None:
        self.clock = clock or (lambda: datetime.now(UTC))
        self.ledger = Ledger()
        self.faults = Faults()
        self.world = World(clock=self.clock, ledger=self.ledger, seed=seed)
        if packing_seconds is not None:
            self.world.take_to_pack(*packing_seconds)
        self.oauth = OAuth(
            world=self.world,
            ledger=self.ledger,
            clock=self.clock,
            portal_secret=portal_secret,
            redirect_uris=tuple(redirect_uris),
        )
        self.quota = Quota(limit=calls_per_minute)
        self.changes = 0
        self._late: list[tuple[datetime, Callable[[], object]]] = []
        self._late_lock = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = LARGEST_BODY
        try:
            response: Response = self._respond(request)
        except HTTPException as error:
            response = _errors(error.code or 500, (error.name or "error").upper().replace(" ", "_"), error.name)
        finally:
            self.changes += 1
        response.headers["Date"] = http_date(self.clock())
        return response(environ, start_response)

    def settle(self) -> None:
        """Let effects that were put off by slow(effect="late") happen, if their time has come."""
        now = self.clock()
        with self._late_lock:
            due = [effect for at, effect in self._late if at <= now]
            self._late = [(at, effect) for at, effect in self._late if at > now]
        for effect in due:
            effect()
        self.world.settle()

    def _respond(self, request: Request) -> Response:
        endpoint, values = ROUTES.bind_to_environ(request.environ).match()
        self.settle()
        if endpoint == "console":
            return console.respond(self, request)
        if endpoint == "control":
            return control.respond(self, request, values["path"])
        if endpoint == "token":
            return self._recorded(request, "token", None, (), lambda: self._grant(request))
        if endpoint == "authorize":
            return self._recorded(
                request, "authorize", None, (), lambda: authorize_page(self.oauth, self.world, request)
            )
        wire, _, operation = endpoint.rpartition(":")
        operation = official.operation_of(operation, request.headers.get("Accept", ""))
        return self._call(request, wire or GUIDE, operation, values)

    # The seller API

    def _call(self, request: Request, wire: str, operation: str, values: Mapping[str, Any]) -> Response:
        token = request.authorization.token or "" if request.authorization else ""
        account = self.oauth.account_of(token)
        if account is None:
            return self._recorded(request, operation, None, (), _invalid_token, fault=None)
        retry_after = self.quota.take(account.account_id, self.clock())
        if retry_after is not None:
            return self._recorded(request, operation, account, (), lambda: _throttled(str(retry_after)), fault=None)
        body = None if request.method == "GET" else _read_json(request)
        named = values.get("ids") or request.args.get("shipmentIds")
        ids = tuple(named.split(",")) if named else _ids_in(body)
        asked = official.Asked(
            operation=operation,
            method=request.method,
            name=request.path.rpartition("/")[2],
            ids=ids,
            body=body,
            query=request.args.to_dict(),
            accept=request.headers.get("Accept", ""),
        )
        fault = self.faults.take(operation, account.account_id)

        def work() -> Response:
            return self._work(account, asked, fault) if wire == GUIDE else self._work_officially(account, asked, fault)

        def answer() -> Response:
            if fault and fault.kind == "token_dead":
                self.oauth.kill(token)
                return _invalid_token()
            return work()

        return self._recorded(request, operation, account, ids, answer, fault=fault, wire=wire)

    def _work(self, account: Account, asked: official.Asked, fault: Fault | None) -> Response:
        try:
            answer = self._ask(asked.operation, account, asked.ids, asked.body, fault)
        except api.ApiError as refused:
            return _json(refused.body, refused.status)
        if fault and not spoiling.has_met(asked.operation, fault, answer):
            self.faults.give_back(fault)
        elif fault:
            answer = spoiling.spoil(asked.operation, fault, answer, asked.ids)
        return _json(answer)

    def _work_officially(self, account: Account, asked: official.Asked, fault: Fault | None) -> Response:
        try:
            answer = official.answer(self.world, account, asked, fault)
        except api.ApiError as refused:
            return _json(refused.body, refused.status)
        if fault and not official.has_met(asked.operation, fault, answer):
            self.faults.give_back(fault)
        elif fault:
            answer = official.spoil(asked.operation, fault, answer, asked.ids)
        if isinstance(answer, bytes) and answer.startswith(b"%PDF"):
            return Response(answer, content_type="application/pdf")
        return Response(answer, content_type="application/json") if isinstance(answer, bytes) else _json(answer)

    def _ask(
        self, operation: str, account: Account, ids: Sequence[str], body: Any, fault: Fault | None
    ) -> dict[str, Any]:
        if operation == "search":
            return api.search(self.world, account, body, fault)
        if operation == "shipments":
            return api.shipments(self.world, account, ids)
        if operation == "shipping_details":
            return api.shipping_details(self.world, account, ids)
        if operation == "generate_labels":
            return api.generate_labels(self.world, account, ids, fault)
        if operation == "download_labels":
            return api.download_labels(self.world, account, ids, fault)
        return api.dispatch(self.world, account, body, fault)

    def _grant(self, request: Request) -> Response:
        basic = request.authorization
        credentials = (basic.username or "", basic.password or "") if basic and basic.type == "basic" else None
        try:
            is_published = request.method == "GET"
            asked = request.args if is_published else request.form
            answer = self.oauth.grant(asked, credentials, is_published=is_published)
            return _json(answer, headers={"Cache-Control": "no-store"})
        except OAuthError as refused:
            return _json({"error": refused.error, "error_description": refused.description}, refused.status)

    # Faults that befall any call, and the ledger

    def _recorded(
        self,
        request: Request,
        operation: str,
        account: Account | None,
        ids: Sequence[str],
        answer: Callable[[], Response],
        wire: str = "",
        **taken: Fault | None,
    ) -> Response:
        """Run `answer` under its fault and write the call down, answered or not."""
        fault = taken["fault"] if "fault" in taken else self.faults.take(operation)
        status = 0
        try:
            response = self._under(fault, operation, answer, request)
            status = response.status_code
            return response
        finally:
            self.ledger.record_call(
                Call(
                    operation=operation,
                    account=account.account_id if account else "",
                    at=self.clock(),
                    status=status,
                    fault=fault.kind if fault else "",
                    ids=tuple(ids),
                    wire=wire,
                )
            )

    def _under(self, fault: Fault | None, operation: str, answer: Callable[[], Response], request: Request) -> Response:
        if fault is None:
            return answer()
        if fault.kind == "drop_before":
            raise Dropped
        if fault.kind == "drop_after":
            answer()
            raise Dropped
        if fault.kind == "slow":
            return self._slow(fault, answer, request.environ.get(PAUSE, time.sleep))
        if refusal := _refusal(fault):
            if fault.options.get("effect"):
                answer()
            return refusal
        if fault.kind == "html":
            if fault.options.get("effect", True):
                answer()
            return Response(spoiling.GATEWAY_PAGE, int(fault.options.get("status", 200)), content_type="text/html")
        response = answer()
        if fault.kind == "truncated":
            body = response.get_data()
            response.set_data(body[: int(len(body) * float(fault.options.get("keep", 0.5)))])
        if operation == "token" and fault.kind == "missing_field" and response.status_code == 200:
            response.set_data(json.dumps(spoiling.spoil("token", fault, json.loads(response.get_data()), ())))
        return response

    def _slow(self, fault: Fault, answer: Callable[[], Response], pause: Callable[[float], None]) -> Response:
        """effect True: done, then slow. "late": done when the seconds have passed, heard or not. False: never."""
        span = fault.seconds(40)
        effect = fault.options.get("effect", True)
        if effect == "late":
            late = (self.clock() + timedelta(seconds=span), answer)
            with self._late_lock:
                self._late.append(late)
            pause(span)
            with self._late_lock:
                if late in self._late:
                    self._late.remove(late)
                    return answer()
            return _errors(503, "TIMEOUT", "too slow")
        if effect:
            response = answer()
            pause(span)
            return response
        pause(span)
        return _errors(503, "TIMEOUT", "too slow")


class Quota:
    """So many calls in any rolling minute per account (guide, API Quota Limits); `limit` None switches it off."""

    def __init__(self, *, limit: int | None) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._taken: dict[str, deque[datetime]] = {}

    def take(self, account_id: str, now: datetime) -> int | None:
        """Count one call: None if it may pass, else the seconds after which one may. A refused call is free."""
        with self._lock:
            if self.limit is None:
                return None
            taken = self._taken.setdefault(account_id, deque())
            while taken and taken[0] <= now - QUOTA_WINDOW:
                taken.popleft()
            if len(taken) >= self.limit:
                oldest = taken[0] if taken else now
                return max(1, ceil((oldest + QUOTA_WINDOW - now).total_seconds()))
            taken.append(now)
            return None


ROUTES = Map(
    [
        Rule("/oauth-service/oauth/authorize", endpoint="authorize", methods=["GET", "POST"]),
        Rule("/oauth-service/oauth/token", endpoint="token", methods=["GET", "POST"]),
        Rule("/v3/orders/search", endpoint="search", methods=["POST"]),
        Rule("/v3/shipments/dispatch", endpoint="dispatch", methods=["POST"]),
        Rule("/v3/shipments/<ids>", endpoint="shipments", methods=["GET"]),
        Rule("/v3/shipments/<ids>/shippingDetails", endpoint="shipping_details", methods=["GET"]),
        Rule("/v3/shipments/<ids>/labels", endpoint="generate_labels", methods=["POST"]),
        Rule("/v3/shipments/<ids>/labels", endpoint="download_labels", methods=["GET"]),
        *official.ROUTES,
        Rule("/", endpoint="console", methods=["GET", "POST"]),
        Rule("/control/<path:path>", endpoint="control"),
    ],
    merge_slashes=False,
)


def _refusal(fault: Fault) -> Response | None:
    """The answer of a fault that refuses the whole call."""
    if fault.kind == "unauthorized":
        return _invalid_token()
    if fault.kind == "forbidden":
        return _errors(403, "FORBIDDEN", "access to this resource is forbidden")
    if fault.kind == "throttled":
        return _throttled(fault.options.get("retry_after", "5"))
    if fault.kind == "server_error":
        return _errors(int(fault.options.get("status", 500)), "INTERNAL_SERVER_ERROR", "something went wrong")
    return None


def _json(answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(answer), status, headers, content_type="application/json")


def _errors(status: int, code: str, message: str) -> Response:
    return _json({"errors": [{"code": code, "message": message}]}, status)


def _invalid_token() -> Response:
    return _json({"error": "invalid_token"}, 401)


def _throttled(retry_after: str | None) -> Response:
    response = _errors(429, "TOO_MANY_REQUESTS", "quota exceeded")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _read_json(request: Request) -> Any:
    """The body, {} where there is none, None where it is no JSON (the operations refuse that)."""
    raw = request.get_data()
    try:
        return json.loads(raw) if raw else {}
    except ValueError:
        return None


def _ids_in(body: Any) -> tuple[str, ...]:
    """Of a list of ids, or of rows that name one each."""
    if not isinstance(body, dict):
        return ()
    rows = body.get("shipments")
    named = [row.get("shipmentId") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None
    ids: object = body.get("shipmentIds") if named is None else named
    return tuple(i for i in ids if isinstance(i, str)) if isinstance(ids, list) else ()
