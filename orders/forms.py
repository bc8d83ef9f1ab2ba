"""What the shipments list is asked to show, and what is chosen from it. The same words name "all that match"."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from orders.models import PaymentType, SetAsideReason
from orders.queries import SHORTEST_SEARCH, Filters, scanned_id
from orders.stages import Stage
from orders.states import STATE_CHOICES
from sellers.models import Facility, Seller
from shipcrowd.flipkart.types import State

EVERYTHING = "all"
MINE = "mine"
LONGEST_SCAN = 500  # a label's square code holds more than its id
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
MOST_CHOSEN = 500  # by hand; "all that match" has no end


class ShipmentFilter(forms.Form):
    """`stage` empty is "to label", the first work of the day; a search looks in every stage and facility.

    `facilities` are the seller's; `mine` the public ids of those that the member's lists open on.
    """

    stage = forms.ChoiceField(required=False, choices=[(EVERYTHING, ""), *((stage.value, "") for stage in Stage)])
    q = forms.CharField(required=False, max_length=LONGEST_SCAN)
    facility = forms.MultipleChoiceField(required=False)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("any")), *STATE_CHOICES])
    payment = forms.ChoiceField(label=_("Payment"), required=False, choices=[("", _("any")), *PaymentType.choices])
    sku = forms.CharField(label=_("SKU"), required=False, max_length=128)
    due = forms.DateField(label=_("Dispatch by"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, asked: QueryDict, *, facilities: Sequence[Facility], mine: Sequence[UUID] = ()) -> None:
        super().__init__(asked)
        self._asked = asked
        self._keys = {str(row.public_id): row.pk for row in facilities}
        self._mine = [str(public_id) for public_id in mine]
        names = [(str(row.public_id), row.name) for row in facilities]
        self.facility_choices = [("", _("all")), *([(MINE, _("mine"))] if self._mine else []), *names]
        self.fields["facility"].choices = self.facility_choices  # type: ignore[attr-defined]  # a choice field has them

    @property
    def stage_shown(self) -> Stage | None:
        """None is every stage."""
        asked = self.cleaned_data["stage"]
        if self.cleaned_data["q"] or asked == EVERYTHING:
            return None
        return Stage(asked or Stage.TO_LABEL)

    @property
    def facility_chosen(self) -> str:
        """What stands in the select box."""
        if self.cleaned_data.get("q"):
            return ""
        asked = self._asked.getlist("facility") if "facility" in self._asked else [MINE] if self._mine else [""]
        return asked[0] if len(asked) == 1 else MINE

    @property
    def facility_is_said(self) -> bool:
        """Whether the address says which facilities, rather than what is usual for the member."""
        return "facility" in self._asked

    @property
    def is_narrowed(self) -> bool:
        """Whether something besides the stage says what is shown."""
        return any(self.cleaned_data.get(name) for name in ("q", "state", "payment", "sku", "due", "facility"))

    @property
    def is_filtered_more(self) -> bool:
        """Whether one of the filters that are folded away says what is shown."""
        return any(self.cleaned_data.get(name) or name in self.errors for name in ("state", "payment", "sku", "due"))

    def clean_q(self) -> str:
        words = scanned_id(self.cleaned_data["q"])
        if words and len(words) < SHORTEST_SEARCH:
            raise forms.ValidationError(_("Give at least %(least)d characters of the id.") % {"least": SHORTEST_SEARCH})
        return words

    def clean_due(self) -> date | None:
        due: date | None = self.cleaned_data["due"]
        if due and not FIRST_DAY <= due <= LAST_DAY:
            raise forms.ValidationError(_("No parcel is dispatched in that year."))
        return due

    def as_filters(self) -> Filters:
        found = self.cleaned_data
        return Filters(
            stage=self.stage_shown,
            state=State(found["state"]) if found["state"] else None,
            facilities=[self._keys[public_id] for public_id in self._facilities() if public_id in self._keys],
            sku=found["sku"],
            dispatch_by=found["due"],
            payment_type=PaymentType(found["payment"]) if found["payment"] else None,
            search=found["q"],
        )

    def as_query(self, **changed: str) -> str:
        """The address's query that shows the same to everybody: the stage and the facilities said out loud."""
        stage = self.stage_shown
        words: dict[str, Any] = {name: self._asked.get(name, "") for name in ("q", "state", "payment", "sku", "due")}
        query = QueryDict(mutable=True)
        for name, value in ({"stage": stage.value if stage else EVERYTHING} | words | changed).items():
            if value:
                query[name] = value
        # An empty one says "all", and not "those of whoever looks".
        query.setlist("facility", self._facilities() or [""])
        return query.urlencode()

    def _facilities(self) -> list[str]:
        if self.cleaned_data["q"]:
            return []  # who holds the parcel wants to know of it, wherever it should be
        asked: list[str] = self._asked.getlist("facility") if "facility" in self._asked else [MINE]
        return self._mine if asked == [MINE] else [public_id for public_id in asked if public_id]


class LookUpForm(forms.Form):
    """An id to look up at Flipkart, as it was searched for."""

    q = forms.RegexField(r"^[A-Za-z0-9][A-Za-z0-9_.:-]{2,63}$", strip=True)


class LookedAt(forms.Form):
    """What a person has looked at: `shipment` and `unreadable` as often as one was."""

    def clean(self) -> dict[str, Any]:
        sent: Any = self.data
        found = {"shipments": self._ids(sent.getlist("shipment")), "unreadable": self._ids(sent.getlist("unreadable"))}
        if not any(found.values()):
            raise forms.ValidationError(_("Choose what you have looked at."))
        return found

    def _ids(self, texts: Sequence[str]) -> list[UUID]:
        try:
            return [UUID(text) for text in texts]
        except ValueError:
            raise forms.ValidationError(_("That is no id of this portal.")) from None


def filters_of(seller: Seller, asked: QueryDict) -> Filters:
    """What `asked`, a list's own query, lets through. Raises ValidationError with words for whoever asked."""
    form = ShipmentFilter(asked, facilities=list(Facility.objects.filter(seller=seller)))
    if not form.is_valid():
        raise forms.ValidationError([error for errors in form.errors.values() for error in errors])
    return form.as_filters()


class UUIDs(forms.TypedMultipleChoiceField):
    """Any number of public ids up to MOST_CHOSEN; one that is none is an error, one that does not exist is not."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(coerce=UUID, **kwargs)

    def valid_value(self, value: str) -> bool:
        try:
            UUID(str(value))
        except ValueError:
            return False
        return True

    def validate(self, value: list[str]) -> None:
        super().validate(value)
        if len(value) > MOST_CHOSEN:
            raise forms.ValidationError(_("Choose at most %(most)d, or all that match.") % {"most": MOST_CHOSEN})


class ShipmentChoice(forms.Form):
    """`shipment` as often as one was ticked, or `all_matching` with the list's own filters in `query`.

    `confirmed` is set by the page that shows the consequences; `once` names one press of its button.
    """

    shipment = UUIDs(required=False)
    all_matching = forms.BooleanField(required=False)
    query = forms.CharField(required=False, max_length=2000)
    confirmed = forms.BooleanField(required=False)
    once = forms.UUIDField(required=False)
    shown = forms.IntegerField(required=False, min_value=0)  # how many matched when the consequences were shown
    up_to = forms.IntegerField(required=False, min_value=0)  # and the newest of them, by our key

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if not self.errors and not found.get("shipment") and not found.get("all_matching"):
            raise forms.ValidationError(_("Choose at least one shipment."))
        return found

    @property
    def filters(self) -> QueryDict:
        """The list's filters, as they stood in its address."""
        return QueryDict(self.cleaned_data["query"])


class SetAsideForm(forms.Form):
    reason = forms.ChoiceField(label=_("Why"), choices=SetAsideReason.choices, widget=forms.Select)
    note = forms.CharField(
        label=_("Note"), required=False, max_length=200, help_text=_("For whoever mends it. It may stay empty.")
    )

    def clean_reason(self) -> SetAsideReason:
        return SetAsideReason(self.cleaned_data["reason"])
