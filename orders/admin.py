"""Shipments for platform ops, of all sellers: found by id and looked at; work is done on the seller's own pages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orders.models import Shipment
from sellers.models import Seller
from shipcrowd.admin_site import ReadOnlyAdmin, SearchById, in_india


@admin.register(Shipment)
class ShipmentAdmin(SearchById, ReadOnlyAdmin):
    list_display = ("flipkart_shipment_id", "flipkart_order_id", "of", "state", "leaves", "needs", "on_its_page")
    list_select_related = ("seller",)
    ordering = ("-pk",)
    search_help_text = "The beginning of a shipment id, order id or tracking id"
    search_ids = ("flipkart_shipment_id", "flipkart_order_id", "tracking_id")
    fields = (
        "seller",
        "flipkart_shipment_id",
        "flipkart_order_id",
        "state",
        "state_word",
        "is_on_hold",
        "ordered_at",
        "dispatch_after_at",
        "dispatch_by_at",
        "tracking_id",
        "courier",
        "sku",
        "quantity",
        "read_began_at",
        "label_requested_at",
        "label_stored_at",
        "labelled_outside",
        "printed_at",
        "dispatch_requested_at",
        "set_aside_at",
        "set_aside_reason",
        "attention",
        "attention_says",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, has_doubles = super().get_search_results(request, queryset, search_term)
        if search_term.strip():
            # Every index begins with the seller: named, they are used; left out, the table is read from end to end.
            found = found.filter(seller_id__in=list(Seller.objects.values_list("pk", flat=True)))
        return found, has_doubles

    @admin.display(description="Seller", ordering="seller")
    def of(self, row: Shipment) -> str:
        return row.seller.name

    @admin.display(description="Dispatch by", ordering="dispatch_by_at")
    def leaves(self, row: Shipment) -> str:
        return in_india(row.dispatch_by_at)

    @admin.display(description="Attention", ordering="attention")
    def needs(self, row: Shipment) -> str:
        return str(row.get_attention_display()) if row.attention else ""

    @admin.display(description="Page")
    def on_its_page(self, row: Shipment) -> SafeString:
        return format_html('<a href="{}">Open</a>', reverse("orders:shipment", args=[row.seller.slug, row.public_id]))
