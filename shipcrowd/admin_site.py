"""The admin is platform ops' workbench: what its pages to look at have in common."""

from typing import Any

from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Open to all ops, who come in everyone's scope, written to the audit. Pages are not counted: tables are long."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)  # type: ignore[union-attr]  # the admin lets nobody else in

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class SearchById:
    """Search by the beginning of an id, as `^@`: LIKE would read the whole table under row-level security."""

    search_ids: tuple[str, ...] = ()
    search_fields = ("pk",)  # what makes the box appear; get_search_results does not use it

    def get_search_results(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        words = search_term.strip().upper()
        if not words:
            return queryset, False
        matches = models.Q()
        for column in self.search_ids:
            matches |= models.Q(**{f"{column}__prefix": words})
        return queryset.filter(matches), False
