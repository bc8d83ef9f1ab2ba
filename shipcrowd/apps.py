"""The ground floor as a Django app: its tables, its checks, and commands that replace Django's own."""

from django.apps import AppConfig


class ShipcrowdConfig(AppConfig):
    name = "shipcrowd"
    default_auto_field = "django.db.models.BigAutoField"
