"""Who may see and do what: roles, and the middleware that runs a seller's page inside that seller's scope.

Every route below `/s/<slug>/` names the least role with `member_required`; one that does not is refused. A stranger's
seller is a 404, as one that does not exist. The admin runs in everyone's scope, for platform ops, and is audited.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from ipaddress import ip_address
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import ProgrammingError, transaction
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from sellers.models import Member, Role, Seller, User
from shipcrowd import audit
from shipcrowd.tenancy import everyone_scope, seller_scope, through_door

P = ParamSpec("P")
T = TypeVar("T")
View = Callable[..., HttpResponseBase]

REASON_KEPT = timedelta(hours=1)
_RANK = {Role.VIEWER: 0, Role.STAFF: 1, Role.OWNER: 2}


class SellerRequest(HttpRequest):
    """A request below `/s/<slug>/`: `seller` and `role` are set. Ops are no members, and write with a reason only."""

    user: User
    seller: Seller
    role: Role
    member_id: int | None
    is_ops: bool
    ops_reason: str


@dataclass(frozen=True, slots=True)
class Membership:
    seller: Seller
    role: Role
    member_id: int


def memberships(user: User) -> list[Membership]:
    """The user's sellers by name, read through the door that shows nobody else's."""

    def read() -> list[Membership]:
        rows = Member.objects.filter(user=user).select_related("seller").order_by("seller__name", "pk")
        return [Membership(row.seller, Role(row.role), row.pk) for row in rows]

    return through_door("user", str(user.pk), read)


def seller_by_slug(slug: str) -> Seller | None:
    """For ops, who are members of none."""
    return through_door("slug", slug, lambda: Seller.objects.filter(slug=slug).first())


def member_required(
    least: Role,
) -> Callable[[Callable[Concatenate[SellerRequest, P], HttpResponseBase]], View]:
    """The least role that a page wants. The view is called as `view(request, **url parameters without the slug)`."""

    def mark(view: Callable[Concatenate[SellerRequest, P], HttpResponseBase]) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, slug: str, **kwargs: Any) -> HttpResponseBase:
            asked = cast(SellerRequest, request)
            if _RANK[asked.role] < _RANK[least]:
                raise PermissionDenied(_("Your role in this seller does not allow that. Ask an owner."))
            return view(asked, *args, **kwargs)

        checked.least_role = least  # type: ignore[attr-defined]  # read by ScopeMiddleware and the routes' test
        return checked

    return mark


def calls_outside(view: View) -> View:
    """A page that calls or streams (Flipkart, storage, mail): it gets no open scope, and opens short ones itself."""
    view.calls_outside = True  # type: ignore[attr-defined]
    return view


def address_of(request: HttpRequest) -> str | None:
    """Where a request comes from, so that wrong passwords lock out whoever tried them, and not all behind one proxy.

    X-Forwarded-For is believed of TRUSTED_PROXIES only: of its addresses the last that is none of theirs.
    """
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    came_from: str | None = request.META.get("REMOTE_ADDR") or None
    while hops and came_from in settings.TRUSTED_PROXIES:
        try:
            came_from = str(ip_address(hops.pop()))
        except ValueError:
            break  # no address: the proxy's own is as far as anybody knows
    return came_from


def ops_required(view: View) -> View:
    """Platform ops only; anybody else sees a page that does not exist."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return log_in_first(request, else_to="/")
        if not request.user.is_staff:
            raise Http404
        return view(request, *args, **kwargs)

    return checked


def log_in_first(request: HttpRequest, *, else_to: str) -> HttpResponseBase:
    """To the log-in, and from there to the page that was asked for; what was pressed is not done and leads to the page
    it was pressed on, since its own address cannot be opened.
    """
    if request.method in ("GET", "HEAD"):
        return redirect_to_login(request.get_full_path())
    messages.warning(request, _("You were logged out meanwhile, and nothing was done. Log in, and press it again."))
    return redirect_to_login(page_before(request) or else_to)


def page_before(request: HttpRequest) -> str:
    """Where the person came from, if that is a page of ours that they may go back to; else ""."""
    back = str(request.POST.get("back") or request.GET.get("back") or request.headers.get("Referer") or "")
    is_ours = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return back if is_ours and urlsplit(back).path != resolve_url(settings.LOGIN_URL) else ""


def give_reason(request: HttpRequest, seller: Seller, reason: str) -> None:
    """Ops say why they act for a seller: kept an hour in their session, and shown on the seller's own screens."""
    until = timezone.now() + REASON_KEPT
    request.session["ops_reasons"] = request.session.get("ops_reasons", {}) | {seller.slug: [reason, until.isoformat()]}
    with seller_scope(seller):
        audit.record(cast(User, request.user), "entered this seller to act for it", seller=seller, why=reason)


def reason_of(request: HttpRequest, slug: str) -> str:
    """Why ops act for this seller, while that is kept; "" where they have not said it, or more than an hour ago."""
    reason, until = request.session.get("ops_reasons", {}).get(slug, ("", ""))
    return reason if until and datetime.fromisoformat(until) > timezone.now() else ""


class ScopeMiddleware:
    """Calls the view itself, inside the scope, rendering included: what a failed view wrote is rolled back.

    A plain `with` around `get_response` would commit it, because Django has made an answer of the exception by then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if _waits_for_own_password(request):
            return redirect("password_change")
        if request.resolver_match and "admin" in request.resolver_match.app_names:
            return self._admin(request, view, args, kwargs)
        if "slug" in kwargs and request.path.startswith("/s/"):
            return self._seller(request, view, args, kwargs)
        return None

    def _admin(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if not (request.user.is_authenticated and request.user.is_staff):
            return None  # Django's admin answers with its log-in
        with everyone_scope(f"admin: {request.method} {request.path}"[:500], by=request.user):
            return _rendered(view(request, *args, **kwargs))

    def _seller(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return log_in_first(request, else_to=f"/s/{kwargs['slug']}/")
        if not hasattr(view, "least_role"):
            raise ImproperlyConfigured(f"{request.path}: its view does not say which role it wants")
        asked = _enter(request, kwargs["slug"])
        if asked.is_ops and request.method not in ("GET", "HEAD") and not asked.ops_reason:
            return redirect("portal:ops_reason", slug=asked.seller.slug)
        if getattr(view, "calls_outside", False):
            return view(request, *args, **kwargs)
        try:
            with seller_scope(asked.seller):
                return _rendered(view(request, *args, **kwargs))
        except ProgrammingError as error:
            if getattr(error.__cause__, "sqlstate", "") != "42501":
                raise
            # A write past the fence: our mistake or somebody's trick, and no reason to tell which rows exist.
            with seller_scope(asked.seller):  # its own: the page's was rolled back
                audit.record(asked.user, "was stopped by the fence", seller=asked.seller, why=request.path[:500])
            raise Http404 from error


# What somebody who must still replace a one-time password may open; everything else leads to that page first.
_BEFORE_OWN_PASSWORD = frozenset(
    {
        "flipkart_callback",
        "invitation",
        "login",
        "logout",
        "password_change",
        "password_reset",
        "password_reset_confirm",
        "password_reset_done",
        "portal:healthz",
    }
)


def _waits_for_own_password(request: HttpRequest) -> bool:
    name = request.resolver_match.view_name if request.resolver_match else ""
    # The name first: /healthz answers also while the database does not, and so must not ask it who this is.
    return name not in _BEFORE_OWN_PASSWORD and getattr(request.user, "must_change_password", False)


def _enter(request: HttpRequest, slug: str) -> SellerRequest:
    """The request with its seller and role. Raises Http404 for a seller that is not the user's, or not there."""
    asked = cast(SellerRequest, request)
    if asked.user.is_staff:
        # Whatever memberships they have: they can make themselves a member, and would act without a reason then.
        asked.seller, asked.member_id, asked.is_ops = _or_404(seller_by_slug(slug)), None, True
        asked.ops_reason = reason_of(request, slug)
        asked.role = Role.OWNER if asked.ops_reason else Role.VIEWER
        return asked
    found = _or_404(next((m for m in memberships(asked.user) if m.seller.slug == slug), None))
    asked.seller, asked.role, asked.member_id = found.seller, found.role, found.member_id
    asked.is_ops, asked.ops_reason = False, ""
    return asked


def _or_404(found: T | None) -> T:
    if found is None:
        raise Http404
    return found


def _rendered(response: HttpResponseBase) -> HttpResponseBase:
    render = getattr(response, "render", None)
    if callable(render):
        response = render()
    if getattr(response, "exception", False) or response.status_code >= 500:
        transaction.set_rollback(True)  # DRF answers errors without raising
    return response
