"""The audit's table. The database refuses to change or delete its rows."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """`by` did `did`, about a seller or about everyone. Read by ops only; a seller's own lines by `about`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)  # made here: a writer need not be able to read it back
    at = models.DateTimeField(db_default=Now())
    by = models.ForeignKey("sellers.User", on_delete=models.PROTECT, null=True, related_name="+")
    about = models.ForeignKey(
        "sellers.Seller", on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    did = models.CharField(max_length=100)
    why = models.CharField(max_length=500, blank=True)
    rows = ArrayField(models.CharField(max_length=64), default=list)
    row_count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["about", "-at"], name="audit_by_seller")]

    def __str__(self) -> str:
        return f"audit {self.pk}"
