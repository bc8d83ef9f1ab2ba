"""What pages send beside chosen shipments. Forms check, they do not act."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from fulfillment.acknowledging import LONGEST
from fulfillment.cancelling import Part
from fulfillment.models import CancelReason
from fulfillment.options import STACK_SIZE, Layout, Options, Sorting
from orders.forms import UUIDs

MOST_PACKERS = 26


class RowChoice(forms.Form):
    """`row` as often as a work row was ticked, whatever its kind."""

    row = UUIDs(required=True)


class Scan(forms.Form):
    """What a scanner sent, or a person typed; a label's square code holds far more than its id."""

    scanned = forms.CharField(max_length=1000)


class CancelForm(forms.Form):
    """No reason is chosen beforehand: Flipkart keeps it, and counts it. `parts` are asked for where there are some."""

    reason = forms.ChoiceField(
        label=_("Why"),
        choices=[("", _("Choose a reason")), *CancelReason.choices],
        widget=forms.Select,
        help_text=_("Flipkart keeps it with the order."),
    )
    parts = forms.MultipleChoiceField(
        label=_("What of it"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("Choose what is cancelled."),
            "invalid_choice": _("It has changed meanwhile. Look once more."),
        },
    )

    def __init__(self, sent: QueryDict | None, *, parts: Sequence[Part]) -> None:
        super().__init__(sent)
        if not parts:
            del self.fields["parts"]
            return
        choices = [(part.group_id, ", ".join(f"{one.sku} × {one.quantity}" for one in part.items)) for part in parts]
        self.fields["parts"].choices = choices  # type: ignore[attr-defined]  # a choice field has them
        self.fields["parts"].initial = [part.group_id for part in parts]

    def clean_parts(self) -> list[str]:
        """Empty is all that is left."""
        chosen: list[str] = self.cleaned_data["parts"]
        return chosen if len(chosen) < len(self.fields["parts"].choices) else []  # type: ignore[attr-defined]

    def clean_reason(self) -> CancelReason:
        return CancelReason(self.cleaned_data["reason"])


class FormNumbers(forms.Form):
    """`form` names a form that a state wants, `number` beside it what it is acknowledged by."""

    def clean(self) -> dict[str, Any]:
        sent: Any = self.data
        names, numbers = sent.getlist("form"), sent.getlist("number")
        if not names or len(names) != len(numbers):
            raise forms.ValidationError(_("Give the number of each form."))
        number = forms.CharField(required=False, max_length=LONGEST)  # which of them is empty is told by its name
        return {"numbers": dict(zip(names, map(number.clean, numbers), strict=True))}


class SerialLines(forms.Form):
    """`item` is Flipkart's id of an item, `numbers` beside it its pieces, one a line."""

    def clean(self) -> dict[str, Any]:
        sent: Any = self.data
        items, numbers = sent.getlist("item"), sent.getlist("numbers")
        if not items or len(items) != len(numbers) or len(set(items)) != len(items):
            raise forms.ValidationError(_("Enter the numbers beside their items."))
        return {"texts": dict(zip(items, numbers, strict=True))}


class PrintForm(forms.Form):
    """How a job is laid out and split, and why what was printed before is printed again."""

    layout = forms.ChoiceField(label=_("Layout"), choices=Layout.choices, widget=forms.Select)
    sorting = forms.ChoiceField(label=_("Order"), choices=Sorting.choices, widget=forms.Select)
    has_separators = forms.BooleanField(
        label=_("A sheet between groups"),
        required=False,
        help_text=_("Between two facilities there always is one."),
    )
    is_reversed = forms.BooleanField(
        label=_("Reversed"), required=False, help_text=_("For printers that stack face up.")
    )
    stack_size = forms.IntegerField(
        label=_("Parcels in a stack"), min_value=1, max_value=2000, initial=STACK_SIZE, required=False
    )
    packers = forms.CharField(
        label=_("Packers"),
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Their names, like Ravi, Meena: each stack is somebody's."),
    )
    is_split_by_packers = forms.BooleanField(label=_("One stack for each packer"), required=False)
    reprint_reason = forms.CharField(
        label=_("Print those again too, because"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Left empty, they stay out."),
    )

    @property
    def shown(self) -> Options:
        """What its page speaks of, valid or not: all that decides what is printed is the layout."""
        layout = self["layout"].value()
        return Options(layout=layout) if layout in Layout.values else Options()

    def keep(self, typed: QueryDict) -> None:
        """What was typed so far stays, unchecked."""
        if "layout" in typed:
            for name, field in self.fields.items():
                self.initial[name] = field.widget.value_from_datadict(typed, {}, name)

    @staticmethod
    def initial_of(options: Options) -> dict[str, Any]:
        return options.as_columns() | {"packers": ", ".join(options.packers)}

    def clean_stack_size(self) -> int:
        return self.cleaned_data["stack_size"] or STACK_SIZE

    def clean_packers(self) -> list[str]:
        names = [" ".join(name.split())[:40] for name in re.split(r"[,;]", self.cleaned_data["packers"])]
        found = list(dict.fromkeys(filter(None, names)))
        if len(found) > MOST_PACKERS:
            raise forms.ValidationError(_("Name at most %(most)d packers.") % {"most": MOST_PACKERS})
        return found

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if found.get("is_split_by_packers") and not self.errors and not found.get("packers"):
            self.add_error("packers", _("Name the packers that the stacks are for."))
        return found

    @staticmethod
    def options_of(said: Mapping[str, Any]) -> Options:
        """Of what a valid form says."""
        return Options(**{field.name: said[field.name] for field in fields(Options)})


class Reason(forms.Form):
    """Why what was left out with these words is printed again."""

    left_out = forms.CharField(max_length=300)
    reason = forms.CharField(max_length=120)


class WaysForm(forms.Form):
    is_full_chain = forms.BooleanField(label=_("Full chain: mark ready to dispatch what was printed"), required=False)


class HandOverForm(forms.Form):
    """`facility` empty: parcels of which Flipkart names no place."""

    facility = forms.UUIDField(required=False)
    courier = forms.CharField(required=False, max_length=64, strip=False)
    once = forms.UUIDField(required=False)
