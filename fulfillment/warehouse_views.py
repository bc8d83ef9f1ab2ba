"""What an owner chooses of how the warehouse works."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from fulfillment import ways as chosen
from fulfillment.forms import WaysForm
from sellers.access import SellerRequest, member_required
from sellers.models import Role


@require_http_methods(["GET", "POST"])
@member_required(Role.OWNER)
def ways(request: SellerRequest) -> HttpResponse:
    row = chosen.of(request.seller)
    form = WaysForm(request.POST if request.method == "POST" else None, initial={"is_full_chain": row.is_full_chain})
    if request.method == "POST" and form.is_valid():
        chosen.choose(seller=request.seller, by=request.user, now=timezone.now(), **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("fulfillment:ways", slug=request.seller.slug)
    return render(request, "fulfillment/ways.html", {"title": _("Warehouse"), "form": form, "row": row})
