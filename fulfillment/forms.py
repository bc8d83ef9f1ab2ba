"""What pages send beside chosen shipments. Forms check, they do not act."""

from django import forms

from orders.forms import UUIDs


class RowChoice(forms.Form):
    """`row` as often as a work row was ticked, whatever its kind."""

    row = UUIDs(required=True)


class Scan(forms.Form):
    """What a scanner sent, or a person typed; a label's square code holds far more than its id."""

    scanned = forms.CharField(max_length=1000)
