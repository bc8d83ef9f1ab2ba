"""What ops fill in on the portal's own pages."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.options import Layout, Options, Sorting
from orders.forms import UUIDs
from sellers.switches import Switch

SHORTEST_REASON = 5


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Why you act for this seller"),
        min_length=SHORTEST_REASON,
        max_length=300,
        strip=True,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
        help_text=_("The seller reads it on their own screens. It is kept for an hour, and in the audit for good."),
    )


class SwitchForm(forms.Form):
    """`switch` is stopped with a reason, or let go on (`is_on`) without one."""

    switch = forms.ChoiceField(choices=[(switch.name, "") for switch in Switch])
    is_on = forms.BooleanField(required=False)
    reason = forms.CharField(label=_("Why"), required=False, max_length=300, strip=True)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if found.get("is_on"):
            found["reason"] = ""
        elif len(found.get("reason") or "") < SHORTEST_REASON:
            raise forms.ValidationError(_("Say why: the seller reads it on every screen until it goes on."))
        return found

    @property
    def switched(self) -> Switch:
        return Switch[self.cleaned_data["switch"]]


class RoundReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Why you print for these sellers"),
        min_length=SHORTEST_REASON,
        max_length=300,
        strip=True,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Each seller reads it on their own screens. It is kept for an hour, and in the audit for good."),
    )


class PrintRoundForm(RoundReasonForm):
    """`place` as often as a place of a seller's was ticked; `round` names the press, so that two are one round."""

    place = UUIDs(required=True, error_messages={"required": _("Choose at least one place to print for.")})
    round = forms.UUIDField(widget=forms.HiddenInput)
    layout = forms.ChoiceField(label=_("Layout"), choices=Layout.choices, initial=Layout.THERMAL)
    sorting = forms.ChoiceField(label=_("Order"), choices=Sorting.choices, initial=Sorting.SKU)
    has_separators = forms.BooleanField(label=_("A sheet between groups"), required=False, initial=True)
    is_reversed = forms.BooleanField(
        label=_("Reversed"), required=False, help_text=_("For printers that stack face up.")
    )

    @property
    def options(self) -> Options:
        said = self.cleaned_data
        return Options(**{name: said[name] for name in ("layout", "sorting", "has_separators", "is_reversed")})
