"""Tables of the ground floor: the audit, whose turn it is, and the sign of life of each cluster of workers."""

from django.db import models
from django.db.models.functions import Now

from shipcrowd.audit.models import AuditEntry
from shipcrowd.work import Turn

__all__ = ["AuditEntry", "Turn", "WorkerMark"]


class WorkerMark(models.Model):
    """When a cluster of workers on a host was last seen alive by its supervisor."""

    host = models.CharField(max_length=100)
    cluster = models.CharField(max_length=30)
    seen_at = models.DateTimeField(db_default=Now())
    restarts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "cluster"], name="one_mark_a_cluster")]

    def __str__(self) -> str:
        return f"{self.host} {self.cluster}"
