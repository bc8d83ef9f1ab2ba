"""Package sizes: what is known of each SKU, what must be measured first, and the table as CSV both ways."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from fulfillment import sizes
from fulfillment.size_forms import SizeForm, SizeLines
from fulfillment.sizes import Wanted
from sellers import gateway
from sellers.access import SellerRequest, calls_outside, member_required
from sellers.models import Role

SIZES_SHOWN = 500
WANTED_SHOWN = 50


@require_GET
@member_required(Role.VIEWER)
def package_sizes(request: SellerRequest) -> HttpResponse:
    asked = {name: request.GET.get(name, "")[: sizes.LONGEST_SKU] for name in ("sku", *sizes.NAMES)}
    return _page(request, one=SizeForm(initial=asked))


@require_POST
@member_required(Role.STAFF)
def enter_size(request: SellerRequest) -> HttpResponse:
    form = SizeForm(request.POST)
    if not form.is_valid():
        return _page(request, one=form)
    sizes.enter(seller=request.seller, sizes=form.as_sizes(), by=request.user, now=timezone.now())
    messages.success(request, _("The size of {sku} is entered.").format(sku=form.cleaned_data["sku"]))
    return redirect("fulfillment:sizes", slug=request.seller.slug)


@require_POST
@member_required(Role.STAFF)
def enter_sizes(request: SellerRequest) -> HttpResponse:
    form = SizeLines(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, many=form)
    found = form.cleaned_data["sizes"]
    sizes.enter(seller=request.seller, sizes=found, by=request.user, now=timezone.now())
    messages.success(
        request, ngettext("%(count)d size entered", "%(count)d sizes entered", len(found)) % {"count": len(found)}
    )
    return redirect("fulfillment:sizes", slug=request.seller.slug)


@calls_outside
@require_GET
@member_required(Role.VIEWER)
def sizes_csv(request: SellerRequest) -> HttpResponseBase:
    """What is known; asked for `wanted`, what must be measured first."""
    is_wanted = "wanted" in request.GET
    lines = sizes.wanted_lines(request.seller) if is_wanted else sizes.lines(request.seller)
    name = "package-sizes-wanted.csv" if is_wanted else "package-sizes.csv"
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _page(request: SellerRequest, *, one: SizeForm | None = None, many: SizeLines | None = None) -> HttpResponse:
    rows = sizes.of(request.seller, most=SIZES_SHOWN + 1)
    abilities = gateway.abilities_of(request.seller.pk)
    wanted = sizes.wanted(request.seller, most=WANTED_SHOWN)
    page = {
        "title": _("Package sizes"),
        "sizes": rows[:SIZES_SHOWN],
        "has_more": len(rows) > SIZES_SHOWN,
        "wanted": [(found, _entering(found)) for found in wanted],
        "is_asked": abilities is not None and abilities.pack_wants_parcels,
        "one": one or SizeForm(),
        "many": many or SizeLines(initial={"lines": sizes.as_text(wanted)}),
        "may_act": request.role != Role.VIEWER,
    }
    return render(request, "fulfillment/sizes.html", page)


def _entering(found: Wanted) -> str:
    """The query by which the form opens with what is known of it."""
    return urlencode(dict(zip(("sku", *sizes.NAMES), found.cells, strict=True)))
