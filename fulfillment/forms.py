"""What pages send: which shipments were chosen, and which work rows shall be retried. Forms check, they do not act."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

MOST_CHOSEN = 500  # by hand; "all that match" has no end


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

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if not self.errors and not found.get("shipment") and not found.get("all_matching"):
            raise forms.ValidationError(_("Choose at least one shipment."))
        return found

    @property
    def filters(self) -> QueryDict:
        """The list's filters, as they stood in its address."""
        return QueryDict(self.cleaned_data["query"])


class RowChoice(forms.Form):
    """`row` as often as a work row was ticked, whatever its kind."""

    row = UUIDs(required=True)
