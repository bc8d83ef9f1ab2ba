"""The audit for platform ops: who did what, about whom and why, to read and never to change."""

from django.contrib import admin

from shipcrowd.admin_site import ReadOnlyAdmin
from shipcrowd.audit.models import AuditEntry


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin):
    list_display = ("at", "by", "about", "did", "why", "row_count")
    list_select_related = ("by", "about")
    ordering = ("-at", "pk")
    fields = ("at", "by", "about", "did", "why", "row_count", "rows")
