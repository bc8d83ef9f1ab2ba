"""What is entered as package sizes, checked: one, or the lines of a spreadsheet."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment import sizes
from shipcrowd.flipkart.types import Dimensions

MOST_BYTES = 1_000_000
WRONG_SHOWN = 10


def _side(label: Any, name: str) -> forms.DecimalField:
    places, most = sizes.PLACES[name], sizes.MOST[name]
    least = Decimal(1).scaleb(-places)
    attrs = {"step": str(least), "inputmode": "decimal"}
    return forms.DecimalField(
        label=label, min_value=least, max_value=most, decimal_places=places, widget=forms.NumberInput(attrs=attrs)
    )


class SizeForm(forms.Form):
    """One SKU's package."""

    sku = forms.CharField(label=_("SKU"), max_length=sizes.LONGEST_SKU)
    length = _side(_("Length, cm"), "length")
    breadth = _side(_("Breadth, cm"), "breadth")
    height = _side(_("Height, cm"), "height")
    weight = _side(_("Weight, kg"), "weight")

    def as_sizes(self) -> dict[str, Dimensions]:
        found = self.cleaned_data
        return {found["sku"]: Dimensions(**{name: found[name] for name in sizes.NAMES})}


class SizeLines(forms.Form):
    """Many at once: the lines of a spreadsheet, pasted or as a file. All of them are right, or none is entered."""

    file = forms.FileField(label=_("CSV file"), required=False)
    lines = forms.CharField(
        label=_("or lines copied from a spreadsheet"),
        required=False,
        strip=False,
        max_length=MOST_BYTES,
        widget=forms.Textarea,
        help_text=_(
            "SKU, length, breadth and height in cm, weight in kg, in this order. What must be measured stands there "
            "already, with what one piece of it was last packed as where that is known: fill in what is empty."
        ),
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if self.errors:
            return found
        read = sizes.read(self._text(found))
        if read.wrong:
            more = len(read.wrong) - WRONG_SHOWN
            shown = [*read.wrong[:WRONG_SHOWN], *([_("and {count} lines more").format(count=more)] if more > 0 else [])]
            raise forms.ValidationError(
                [_("Nothing was entered. Mend these lines, then send all of them again."), *shown]
            )
        if not read.sizes:
            raise forms.ValidationError(_("There is no line to enter."))
        return {**found, "sizes": read.sizes}

    def _text(self, found: Mapping[str, Any]) -> str:
        file = found.get("file")
        if file is None:
            return str(found["lines"])
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_("This file is too large for a table of sizes."))
        try:
            text = str(file.read().decode("utf-8"))
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:  # which PostgreSQL's text cannot hold
            raise forms.ValidationError(_("This is no text: save the table as CSV (UTF-8)."))
        return text
