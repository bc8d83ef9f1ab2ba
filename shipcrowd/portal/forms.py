"""What ops fill in on the portal's own pages."""

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Why you act for this seller"),
        min_length=5,
        max_length=300,
        strip=True,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
        help_text=_("The seller reads it on their own screens. It is kept for an hour, and in the audit for good."),
    )
