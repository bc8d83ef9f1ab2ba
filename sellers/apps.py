"""The sellers app, as Django knows it."""

from django.apps import AppConfig


class SellersConfig(AppConfig):
    name = "sellers"
