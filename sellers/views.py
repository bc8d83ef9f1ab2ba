"""Pages of a seller's people, places and line to Flipkart; and the few that stand outside of any seller."""

import logging
from smtplib import SMTPException
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as log_in
from django.contrib.auth import views as auth_views
from django.core.mail import send_mail
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from sellers import alerts, connecting, facilities, forms, members
from sellers.access import SellerRequest, calls_outside, member_required, memberships
from sellers.connecting import CannotConnect, Trouble
from sellers.members import MayNot
from sellers.models import Connection, Facility, Invitation, Member, Role, Seller, User
from shipcrowd.tenancy import seller_scope

log = logging.getLogger(__name__)

BACKEND = "django.contrib.auth.backends.ModelBackend"

# --- The line to Flipkart --------------------------------------------------------------------------------------------


@require_GET
@member_required(Role.VIEWER)
def connection(request: SellerRequest) -> HttpResponse:
    row = Connection.objects.filter(seller=request.seller).select_related("connected_by").first()
    return render(request, "sellers/connection.html", _of_connection(request, row))


@require_POST
@member_required(Role.OWNER)
def connect(request: SellerRequest) -> HttpResponseBase:
    if not request.session.session_key:
        request.session.create()
    try:
        address = connecting.begin(
            seller=request.seller, user=request.user, session_key=request.session.session_key or ""
        )
    except CannotConnect as error:
        return _connect_failed(request, error)
    return redirect(address)


@never_cache
@require_GET
def flipkart_callback(request: HttpRequest) -> HttpResponseBase:
    """Where Flipkart sends the browser after consent; belongs to no seller until its state is known."""
    if not request.user.is_authenticated:
        return _connect_failed(request, CannotConnect(Trouble.OTHER_SESSION))
    try:
        row = connecting.finish(
            user=request.user,
            session_key=request.session.session_key or "",
            may_connect=_is_owner,
            asked=request.GET.dict(),
        )
    except CannotConnect as error:
        return _connect_failed(request, error)
    messages.success(request, _("Connected to Flipkart. The first shipments are being fetched."))
    with seller_scope(row.seller_id):
        slug = row.seller.slug
    return redirect("portal:home", slug=slug)


@calls_outside
@sensitive_post_parameters("client_secret")
@require_http_methods(["GET", "POST"])
@member_required(Role.OWNER)
def keys(request: SellerRequest) -> HttpResponseBase:
    """A seller's own application; off where the platform has one, for sharing such keys can cost the account."""
    if settings.FLIPKART_CLIENT_ID:
        raise Http404
    form = forms.KeysForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            connecting.connect_with_keys(seller=request.seller, by=request.user, **form.cleaned_data)
        except CannotConnect as error:
            form.add_error(None, f"{error.trouble.happened} {error.trouble.what_to_do}")
        else:
            messages.success(request, _("Flipkart accepts these keys. The seller is connected."))
            return redirect("sellers:connection", slug=request.seller.slug)
    return render(request, "sellers/keys.html", {"title": _("Keys of your own application"), "form": form})


@require_http_methods(["GET", "POST"])
@member_required(Role.OWNER)
def disconnect(request: SellerRequest) -> HttpResponseBase:
    if request.method == "POST":
        connecting.disconnect(seller=request.seller, by=request.user)
        messages.success(request, _("Disconnected. Keys and tokens are forgotten; what was on its way is parked."))
        return redirect("sellers:connection", slug=request.seller.slug)
    effects = connecting.open_effects(request.seller)
    return render(request, "sellers/disconnect.html", {"title": _("Disconnect from Flipkart"), "effects": effects})


def _of_connection(request: SellerRequest, row: Connection | None) -> dict[str, Any]:
    return {
        "title": _("Flipkart connection"),
        "connection": row,
        "why_not": connecting.not_connected_words(row),
        "environment": row.get_environment_display() if row else "",
        "may_press": bool(settings.FLIPKART_CLIENT_ID),
        "is_owner": request.role == Role.OWNER,
        "alerts": alerts.latest(request.seller),
        "lines": import_string(settings.CONNECTION_LINES)(seller=request.seller, row=row, now=timezone.now()),
    }


def _connect_failed(request: HttpRequest, error: CannotConnect) -> HttpResponse:
    theirs = (Trouble.NO_ANSWER, Trouble.STRANGE_ANSWER, Trouble.CLIENT_REFUSED, Trouble.CODE_REFUSED)
    status = 502 if error.trouble in theirs else 200 if error.trouble is Trouble.DENIED else 400
    context = {"title": _("Not connected"), "trouble": error.trouble, "code": error.code, "failed_seller": error.seller}
    return render(request, "sellers/connect_failed.html", context, status=status)


def _is_owner(user: User, seller: Seller) -> bool:
    """Ops were asked for their reason when they pressed Connect."""
    return user.is_staff or any(m.seller.pk == seller.pk and m.role == Role.OWNER for m in memberships(user))


# --- Facilities ------------------------------------------------------------------------------------------------------


@require_GET
@member_required(Role.VIEWER)
def facility_list(request: SellerRequest) -> HttpResponse:
    places = list(Facility.objects.filter(seller=request.seller).order_by("name", "pk"))
    context = {"title": _("Facilities"), "facilities": places, "is_owner": request.role == Role.OWNER}
    return render(request, "sellers/facilities.html", context)


@require_http_methods(["GET", "POST"])
@member_required(Role.OWNER)
def facility(request: SellerRequest, public_id: UUID) -> HttpResponseBase:
    place = Facility.objects.filter(seller=request.seller, public_id=public_id).first()
    if place is None:
        raise Http404
    form = forms.FacilityForm(request.POST or None, initial=forms.FacilityForm.initial_of(place))
    if request.method == "POST" and form.is_valid():
        facilities.save(place, by=request.user, values=form.values())
        messages.success(request, _("Saved."))
        return redirect("sellers:facilities", slug=request.seller.slug)
    return render(request, "sellers/facility.html", {"title": place.name, "facility": place, "form": form})


# --- People ----------------------------------------------------------------------------------------------------------


@require_GET
@member_required(Role.OWNER)
def member_list(request: SellerRequest) -> HttpResponse:
    return _members_page(request)


@calls_outside
@require_POST
@member_required(Role.OWNER)
def invite(request: SellerRequest) -> HttpResponse:
    """Answers with the page itself and not by redirect: the link is shown once, and kept nowhere."""
    form = forms.InviteForm(request.POST)
    link, is_mailed = "", False
    if form.is_valid():
        email = form.cleaned_data["email"]
        with seller_scope(request.seller):
            _invitation, link = members.invite(
                seller=request.seller, by=request.user, role=form.cleaned_data["role"], email=email
            )
        is_mailed = bool(email) and _mail_invitation(request.seller, email, link)
    with seller_scope(request.seller):
        return _members_page(request, invite_form=form, link=link, is_mailed=is_mailed)


@require_POST
@member_required(Role.OWNER)
def add_person(request: SellerRequest) -> HttpResponse:
    """As `invite`, for somebody without an e-mail address: the one-time password is shown once."""
    form = forms.AddPersonForm(request.POST)
    if not form.is_valid():
        if form.has_error("username", "taken") and members.works_here(request.seller, form["username"].value()):
            # Pressed twice, the browser shows the second answer only, and the password stood in the first.
            says = _("They work here already. If you have just added them, press “One-time password” in their line.")
            form.add_error("username", says)
        return _members_page(request, add_form=form)
    username = form.cleaned_data["username"]
    try:
        password = members.add_person(
            seller=request.seller, by=request.user, username=username, role=form.cleaned_data["role"]
        )
    except MayNot as error:
        form.add_error("username", str(error))
        return _members_page(request, add_form=form)
    return _members_page(request, username=username, one_time_password=password)


@require_POST
@member_required(Role.OWNER)
def change_role(request: SellerRequest, username: str) -> HttpResponseBase:
    member, form = _member(request, username), forms.RoleForm(request.POST)
    if not form.is_valid():
        return _back_to_members(request, refused=_("There is no such role."))
    try:
        members.change_role(member, role=form.cleaned_data["role"], by=request.user)
    except MayNot as error:
        return _back_to_members(request, refused=str(error))
    return _back_to_members(request, done=_("The role is changed."))


@require_POST
@member_required(Role.OWNER)
def remove_member(request: SellerRequest, username: str) -> HttpResponseBase:
    try:
        members.remove(_member(request, username), by=request.user)
    except MayNot as error:
        return _back_to_members(request, refused=str(error))
    return _back_to_members(request, done=_("Removed: they see nothing of this seller any more."))


@require_POST
@member_required(Role.OWNER)
def new_password(request: SellerRequest, username: str) -> HttpResponseBase:
    try:
        password = members.new_password(_member(request, username), by=request.user)
    except MayNot as error:
        return _back_to_members(request, refused=str(error))
    return _members_page(request, username=username, one_time_password=password)


@require_POST
@member_required(Role.OWNER)
def member_facilities(request: SellerRequest, username: str) -> HttpResponseBase:
    places = list(Facility.objects.filter(seller=request.seller))
    form = forms.DefaultFacilitiesForm(request.POST, places=places)
    if not form.is_valid():
        return _back_to_members(request, refused=_("There is no such facility."))
    members.set_facilities(_member(request, username), public_ids=form.cleaned_data["facilities"], by=request.user)
    return _back_to_members(request, done=_("Saved."))


@require_POST
@member_required(Role.OWNER)
def withdraw_invitation(request: SellerRequest, public_id: UUID) -> HttpResponseBase:
    invitation = Invitation.objects.filter(seller=request.seller, public_id=public_id, accepted_at=None).first()
    if invitation is None:
        raise Http404
    members.withdraw(invitation, by=request.user)
    return _back_to_members(request, done=_("Withdrawn: the link no longer opens anything."))


def _member(request: SellerRequest, username: str) -> Member:
    member = Member.objects.filter(seller=request.seller, user__username=username).select_related("user").first()
    if member is None:
        raise Http404
    return member


def _back_to_members(request: SellerRequest, *, done: str = "", refused: str = "") -> HttpResponseBase:
    messages.add_message(request, messages.ERROR if refused else messages.SUCCESS, refused or done)
    return redirect("sellers:members", slug=request.seller.slug)


def _members_page(request: SellerRequest, **shown: Any) -> HttpResponse:
    context = {
        "title": _("People"),
        "people": members.people(request.seller),
        "invitations": members.open_invitations(request.seller),
        "facilities": list(Facility.objects.filter(seller=request.seller).order_by("name", "pk")),
        "roles": Role.choices,
        "invite_form": forms.InviteForm(auto_id="invite_%s"),
        "add_form": forms.AddPersonForm(auto_id="add_%s"),
    }
    response = render(request, "sellers/members.html", context | shown)
    response["Cache-Control"] = "private, no-store"
    return response


def _mail_invitation(seller: Seller, email: str, link: str) -> bool:
    """Whether it was sent; when not, the page says so, and the link stands there to be copied."""
    if not settings.EMAIL_IS_SET:
        return False
    subject = _("Join {seller} on Shipcrowd").format(seller=" ".join(seller.name.split()))
    says = _("You are invited to work for {seller}. This link is for you alone and ends after 72 hours:")
    try:
        sent = send_mail(subject, f"{says.format(seller=seller.name)}\n\n{link}\n", None, [email])
    except (SMTPException, OSError) as error:
        log.warning("an invitation of seller %s was not mailed (%s)", seller.pk, type(error).__name__)
        return False
    return bool(sent)


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Behind the link: join as who is logged in, or as a new person. Belongs to no seller until its secret is known."""
    found = members.find_invitation(secret)
    if found is None:
        ended = {"title": _("This invitation has ended")}
        return render(request, "sellers/invitation_ended.html", ended, status=404)
    invited, seller = found
    form = forms.JoinForm(request.POST if request.method == "POST" else None)
    refused = ""
    if request.method == "POST" and (request.user.is_authenticated or form.is_valid()):
        try:
            _join(request, invited, form)
        except MayNot as error:
            refused = str(error)
        else:
            return redirect("portal:home", slug=seller.slug)
    context = {
        "title": _("Join {seller}").format(seller=seller.name),
        "role": invited.get_role_display(),
        "form": form,
        "refused": refused,
        "here": request.path,
    }
    return render(request, "sellers/invitation.html", context)


def _join(request: HttpRequest, invited: Invitation, form: forms.JoinForm) -> None:
    if request.user.is_authenticated:
        members.accept(invited, user=request.user)
        return
    username, password = form.cleaned_data["username"], form.cleaned_data["password1"]
    log_in(request, members.join_as_new_user(invited, username=username, password=password), backend=BACKEND)


# --- Log-in and passwords --------------------------------------------------------------------------------------------


class LoginView(auth_views.LoginView):
    authentication_form = forms.LoginForm
    redirect_authenticated_user = True
    extra_context = {"title": gettext_lazy("Log in")}


class PasswordChangeView(auth_views.PasswordChangeView):
    form_class = forms.PasswordChangeForm
    success_url = "/"

    def form_valid(self, form: Any) -> HttpResponse:
        _password_is_their_own(form.user)
        messages.success(self.request, _("Your password is changed. Other browsers are logged out."))
        return super().form_valid(form)


class PasswordResetView(auth_views.PasswordResetView):
    """A link by mail, the same answer for unknown addresses; where no mail is set up, a sentence about whom to ask."""

    form_class = forms.PasswordResetForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not settings.EMAIL_IS_SET:
            return render(request, "registration/password_reset_without_mail.html", {"title": _("Password forgotten")})
        # Never the request's host: it may be forged.
        self.extra_email_context = {"public_url": settings.PUBLIC_URL}
        return super().dispatch(request, *args, **kwargs)


class PasswordResetConfirmView(auth_views.PasswordResetConfirmView):
    form_class = forms.SetPasswordForm
    success_url = reverse_lazy("login")

    def form_valid(self, form: Any) -> HttpResponse:
        _password_is_their_own(form.user)
        messages.success(self.request, _("Your password is changed. Log in with it."))
        return super().form_valid(form)


def _password_is_their_own(user: User) -> None:
    """Saved with the new password by the form."""
    user.must_change_password = False
