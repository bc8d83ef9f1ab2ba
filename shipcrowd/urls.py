"""Where each address leads. Apps are named by string; a seller's own pages stand below `/s/<slug>/`."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("shipcrowd.portal.urls")),
    path("", include("sellers.urls")),
    path("s/<slug:slug>/", include("orders.urls")),
    path("s/<slug:slug>/", include("fulfillment.urls")),
    path("admin/", admin.site.urls),
]
