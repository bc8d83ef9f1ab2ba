"""What a person says about a print job: its layout, its order, and how it is split into stacks."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

STACK_SIZE = 200


class Layout(models.TextChoices):
    THERMAL = "thermal", _("4x6 label")
    WITH_INVOICE = "with_invoice", _("4x6 label, its invoice on the next 4x6 page")
    FOUR_ON_A4 = "four_on_a4", _("A4, four labels a sheet")
    AS_MADE = "as_made", _("A4 as Flipkart made it")
    INVOICES = "invoices", _("Invoices only")


class Sorting(models.TextChoices):
    """In which order a stack lies. A facility's parcels always lie together."""

    SKU = "sku", _("By SKU, mixed parcels last")
    DISPATCH_BY = "dispatch_by", _("By dispatch-by")
    FACILITY = "facility", _("By facility")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`packers` are names: with `is_split_by_packers` each gets one stack, else stacks go round among them."""

    layout: str = Layout.THERMAL
    sorting: str = Sorting.SKU
    is_reversed: bool = False
    has_separators: bool = True
    stack_size: int = STACK_SIZE
    packers: Sequence[str] = ()
    is_split_by_packers: bool = False

    @property
    def prints_labels(self) -> bool:
        """Whether what comes out goes onto parcels, so that each must come out once."""
        return self.layout != Layout.INVOICES

    def as_columns(self) -> dict[str, Any]:
        return asdict(self) | {"packers": list(self.packers)}

    def for_one(self, packer: str) -> "Options":
        """The same for a part that one packer goes on with."""
        return replace(self, packers=[packer] if packer else [], is_split_by_packers=False)
