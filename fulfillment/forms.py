"""What pages send beside chosen shipments. Forms check, they do not act."""

from django import forms

from orders.forms import UUIDs


class RowChoice(forms.Form):
    """`row` as often as a work row was ticked, whatever its kind."""

    row = UUIDs(required=True)
