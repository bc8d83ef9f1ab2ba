"""Stored papers to a member's browser."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from sellers.access import SellerRequest
from shipcrowd import files
from shipcrowd.tenancy import seller_scope


def pdf_page(request: SellerRequest, *, key: str, sha256: str, name: str) -> HttpResponse:
    """The stored PDF, or the page that says why there is none just now; called outside of any scope."""
    try:
        return files.as_pdf_response(files.read_checked(key, sha256), name=name)
    except files.StorageFailed as error:
        page = {"title": _("Not available"), "says": str(error)}
    with seller_scope(request.seller):
        return render(request, "fulfillment/no_file.html", page, status=503)
