"""The portal as a Django app: templates, commands and the home screen."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "shipcrowd.portal"
    label = "portal"
