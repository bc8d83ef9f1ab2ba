"""What ops fill in on the portal's own pages."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

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
