"""What people fill in, checked; nothing here acts."""

import re
from typing import Any

from django import forms
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from sellers import facilities, members
from sellers.models import Facility, Role, User

WEEKDAYS = (
    pgettext_lazy("weekday", "Monday"),
    pgettext_lazy("weekday", "Tuesday"),
    pgettext_lazy("weekday", "Wednesday"),
    pgettext_lazy("weekday", "Thursday"),
    pgettext_lazy("weekday", "Friday"),
    pgettext_lazy("weekday", "Saturday"),
    pgettext_lazy("weekday", "Sunday"),
)
_KEY = re.compile(r"[\x21-\x7e]+\Z")


def text(label: Any, *, most: int, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=most, widget=forms.TextInput, **options)


def password(label: Any, *, autocomplete: str, **options: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=200, widget=widget, **options)


# --- Logging in ------------------------------------------------------------------------------------------------------


class LoginForm(auth_forms.AuthenticationForm):
    """One answer to a wrong password and to an unknown name; a one-time password ends after 72 hours."""

    username = auth_forms.UsernameField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username", "autocapitalize": "none"}),
    )
    password = password(gettext_lazy("Password"), autocomplete="current-password")
    error_messages = {
        "invalid_login": gettext_lazy("User name and password do not fit. Mind capital letters."),
        "inactive": gettext_lazy("User name and password do not fit. Mind capital letters."),
        "ended": gettext_lazy("This one-time password has ended. Ask whoever gave it to you for a new one."),
    }

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if members.has_ended(user, self.cleaned_data["password"]):
            raise ValidationError(self.error_messages["ended"], code="ended")


class PasswordChangeForm(auth_forms.PasswordChangeForm):
    old_password = password(gettext_lazy("Password until now"), autocomplete="current-password")
    new_password1 = password(gettext_lazy("New password"), autocomplete="new-password")
    new_password2 = password(gettext_lazy("New password again"), autocomplete="new-password")


class SetPasswordForm(auth_forms.SetPasswordForm):  # type: ignore[type-arg]  # generic in the stubs only
    new_password1 = password(gettext_lazy("New password"), autocomplete="new-password")
    new_password2 = password(gettext_lazy("New password again"), autocomplete="new-password")


class PasswordResetForm(auth_forms.PasswordResetForm):
    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254, widget=forms.EmailInput)


# --- People ----------------------------------------------------------------------------------------------------------


class NewNameForm(forms.Form):
    """A user name that is free."""

    username = auth_forms.UsernameField(
        label=gettext_lazy("User name"),
        max_length=150,
        validators=[User.username_validator],
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=username).exists():
            raise ValidationError(members.name_taken(), code="taken")
        return username


class JoinForm(NewNameForm):
    """A new person behind an invitation's link."""

    password1 = password(gettext_lazy("Password"), autocomplete="new-password")
    password2 = password(gettext_lazy("Password again"), autocomplete="new-password")

    def clean(self) -> dict[str, Any]:
        first, second = self.cleaned_data.get("password1"), self.cleaned_data.get("password2")
        if first and second and first != second:
            self.add_error("password2", _("The two passwords differ."))
        elif first:
            try:
                validate_password(first, User(username=self.cleaned_data.get("username", "")))
            except ValidationError as error:
                self.add_error("password1", error)
        return self.cleaned_data


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices, initial=Role.STAFF, widget=forms.Select)

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class InviteForm(RoleForm):
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        required=False,
        max_length=254,
        widget=forms.EmailInput,
        help_text=gettext_lazy("May stay empty: the link is shown here as well. With it, only that address may join."),
    )


class AddPersonForm(NewNameForm, RoleForm):
    """Somebody without an e-mail address."""


class DefaultFacilitiesForm(forms.Form):
    """Which of the seller's places are a member's."""

    def __init__(self, *args: Any, places: list[Facility], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(place.public_id), place.name) for place in places]
        self.fields["facilities"] = forms.MultipleChoiceField(required=False, choices=choices)


# --- Connection and facilities ---------------------------------------------------------------------------------------


class KeysForm(forms.Form):
    """A seller's own application at Flipkart (guide 1.2)."""

    client_id = text(gettext_lazy("Application ID"), most=200)
    client_secret = password(gettext_lazy("Application secret"), autocomplete="off")

    def clean_client_id(self) -> str:
        return self._clean_key("client_id")

    def clean_client_secret(self) -> str:
        return self._clean_key("client_secret")

    def _clean_key(self, name: str) -> str:
        key: str = self.cleaned_data[name].strip()
        if not _KEY.match(key):
            raise ValidationError(
                _("Copy it as it stands in Flipkart's panel: it has no spaces and plain letters only.")
            )
        return key


class FacilityForm(forms.Form):
    """What Flipkart does not say of a facility (guide-gaps 21). Every field may wait; what is missing is listed."""

    name = text(gettext_lazy("Name"), most=100)
    address_line1 = text(gettext_lazy("Address"), most=200, required=False)
    address_line2 = text(gettext_lazy("Address, second line"), most=200, required=False)
    city = text(gettext_lazy("City"), most=100, required=False)
    pincode = text(gettext_lazy("PIN code"), most=6, required=False)
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", "—"), *((name, name) for name in sorted(facilities.STATES.values()))],
        widget=forms.Select,
    )
    gstin = text(gettext_lazy("GSTIN"), most=15, required=False)
    phone = text(gettext_lazy("Phone"), most=20, required=False)
    holidays = forms.CharField(
        label=gettext_lazy("Days without pickup"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("One a line, like 26/01/2027."),
    )
    prefetch_at = forms.TimeField(
        label=gettext_lazy("Ask for labels at"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=gettext_lazy("By themselves, for what must leave with the next pickup. Empty: never."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for place, weekday in enumerate(WEEKDAYS):
            self.fields[f"pickup_{place}"] = text(weekday, most=100, required=False)
            # Bound here: a field's own cleaning needs a name that a method can have.
            setattr(self, f"clean_pickup_{place}", lambda name=f"pickup_{place}": self._clean_times(name))

    @staticmethod
    def initial_of(facility: Facility) -> dict[str, Any]:
        times = [*facility.pickup_times, *[[] for _day in WEEKDAYS]][: len(WEEKDAYS)]
        plain = ("name", "address_line1", "address_line2", "city", "pincode", "state", "gstin", "phone")
        return {
            **{name: getattr(facility, name) for name in plain},
            **{f"pickup_{place}": ", ".join(day) for place, day in enumerate(times)},
            "holidays": "\n".join(facility.holidays),
            "prefetch_at": facility.prefetch_at,
        }

    def values(self) -> dict[str, Any]:
        """Ready for the model, once the form is valid."""
        cleaned = dict(self.cleaned_data)
        return cleaned | {"pickup_times": [cleaned.pop(f"pickup_{place}") for place in range(len(WEEKDAYS))]}

    def pickup_fields(self) -> list[Any]:
        return [self[f"pickup_{place}"] for place in range(len(WEEKDAYS))]

    def clean_pincode(self) -> str:
        pincode: str = self.cleaned_data["pincode"]
        if pincode and not re.match(r"[1-9][0-9]{5}\Z", pincode):
            raise ValidationError(_("A PIN code has six digits."))
        return pincode

    def clean_phone(self) -> str:
        phone: str = re.sub(r"[\s()-]", "", self.cleaned_data["phone"])
        if phone and not re.match(r"(\+91|0)?[1-9][0-9]{9}\Z", phone):
            raise ValidationError(_("A phone number has ten digits."))
        return phone

    def clean_gstin(self) -> str:
        gstin: str = self.cleaned_data["gstin"].upper().replace(" ", "")
        if gstin and (wrong := facilities.why_not_gstin(gstin, self.cleaned_data.get("state", ""))):
            raise ValidationError(wrong)
        return gstin

    def clean_holidays(self) -> list[str]:
        try:
            return facilities.parse_dates(self.cleaned_data["holidays"])
        except ValueError as error:
            raise ValidationError(_("Not a date: {word}").format(word=error)) from None

    def _clean_times(self, name: str) -> list[str]:
        try:
            return facilities.parse_times(self.cleaned_data[name])
        except ValueError as error:
            raise ValidationError(_("Not a time of day: {word}").format(word=error)) from None
