"""The papers the simulator hands out: the A4 page with label and tax invoice, an invoice of its own, a manifest.

The A4 page has its boxes where a real one has them (wire.md, Physical layout of a Flipkart label page; 2023-08 sample).
Positions here are points from the top left corner, as that table has them.
"""

import threading
from decimal import Decimal

from shipcrowd.simulator.accounts import COURIER
from shipcrowd.simulator.papers import Line, Paper, paper_for, papers_for
from shipcrowd.simulator.sheet import Sheet

__all__ = ["Paper", "paper_for", "papers_for", "render_invoice", "render_label", "render_label_only", "render_manifest"]

# The fonts of reportlab keep their place in a file between calls: one page is drawn at a time.
_drawing = threading.Lock()


def render_label(paper: Paper) -> bytes:
    """The A4 page: label above the dashed line, tax invoice below it."""
    with _drawing:
        sheet = Sheet(f"Label {paper.shipment_id}")
        _draw_label(sheet, paper)
        sheet.dashed(36, 554, 385.5)
        _draw_invoice(sheet, paper)
        return sheet.finished()


def render_label_only(paper: Paper) -> bytes:
    """The same page with nothing below the dashed line."""
    with _drawing:
        sheet = Sheet(f"Label {paper.shipment_id}")
        _draw_label(sheet, paper)
        return sheet.finished()


def render_invoice(paper: Paper) -> bytes:
    """The tax invoice on a page of its own."""
    with _drawing:
        sheet = Sheet(f"Invoice {paper.invoice_number}", moved_up=350)
        _draw_invoice(sheet, paper)
        return sheet.finished()


def render_manifest(paper: Paper) -> bytes:
    """The courier's hand-over list with this shipment on it."""
    with _drawing:
        sheet = Sheet(f"Manifest {paper.shipment_id}")
        _draw_manifest(sheet, paper)
        return sheet.finished()


def _draw_label(sheet: Sheet, paper: Paper) -> None:
    payment = "COD" if paper.is_cod else "PREPAID"
    sheet.frame(190.5, 28.5, 404.25, 381)
    _draw_label_rules(sheet)
    sheet.text(192.75, 33.6, "REG", 8.25, bold=True)
    sheet.text(216, 33.5, "E-Kart Logistics", 6)
    sheet.text(315, 33.5, "SURFACE", 6)
    sheet.text(216, 44, f"{paper.order_id} {payment}", 6, width=174)
    sheet.text(393, 32.3, "E", 11.25, bold=True)
    sheet.text(192.75, 54.5, "Ordered through", 6.75)
    sheet.text(193.5, 62.5, "Flipkart", 8, bold=True)

    route = f"(N) {paper.facility.place.state_code}/{paper.place.state_code}{paper.place.pincode[:3]}"
    sheet.turned_text(193.8, 126.75, route, 6.75, length=73)
    sheet.turned_text(249.5, 97.2, f"AWB No. {paper.tracking_id}", 6, length=103)
    sheet.turned_code128(paper.tracking_id, 210.75, 78, 239.25, 219.75)
    sheet.datamatrix(_datamatrix_words(paper), 281.5, 65.5, 100)

    sheet.text(264, 180.6, "Shipping/Customer address:", 8.25, width=137)
    sheet.text(264, 191, f"Name: {paper.buyer_name},", 6.75, width=137)
    top = 201.0
    for part in paper.address[:3]:
        top = sheet.paragraph(264, top, f"{part},", 6, width=137, leading=9, lines=2 if len(paper.address) < 3 else 1)
    place = paper.place
    sheet.text(264, 237.2, f"{place.city} - {place.pincode}, IN-{place.state_code}", 6, width=137)
    sheet.text(192.75, 225.6, f"HBD: {paper.dispatch_by_at:%d - %m}", 8.25)
    sheet.text(192.75, 234.6, f"CPD: {paper.deliver_by_at:%d - %m}", 8.25)

    ships_from = paper.facility
    sold_by = f"Sold By:{paper.seller_name}, {ships_from.street}, {ships_from.place.city} - {ships_from.place.pincode}"
    sheet.paragraph(192.75, 248.5, sold_by, 4.75, width=206, leading=7.5, lines=3)
    sheet.text(192.75, 271.8, f"GSTIN: {paper.gstin}", 5)
    sheet.text(256.9, 279.4, "SKU ID | Description", 6, bold=True)
    sheet.text(388, 279.4, "QTY", 6, bold=True)
    for at, line in enumerate(paper.lines[:6]):
        sheet.text(192, 289.2 + at * 7.5, str(at + 1), 6)
        sheet.text(198, 289.2 + at * 7.5, f"{line.goods.sku} | {line.goods.title}", 6, width=186)
        sheet.text(388, 289.2 + at * 7.5, str(line.quantity), 6)

    sheet.text(198.75, 336.2, paper.tracking_id, 6)
    if paper.is_cod:
        sheet.text(402, 336.6, f"COD: Rs. {paper.total:.2f}", 7.5, bold=True, width=100, right=True)
    sheet.code128(paper.tracking_id, 196, 344.6, 346, 365)
    sheet.text(192.75, 367.9, "Not for resale.", 6, bold=True)
    sheet.text(
        293.25, 367.9, f"Printed at {paper.printed_at:%H%M} hrs, {paper.printed_at:%d/%m/%y}", 6, bold=True, width=110
    )


def _draw_label_rules(sheet: Sheet) -> None:
    for y in (52.1, 246.4, 277.9, 287.6, 334.9, 366.4):
        sheet.rule(191, y, 404, y)
    sheet.rule(214.5, 40.9, 391, 40.9)
    sheet.rule(262.1, 180.4, 404, 180.4)
    for x, top, bottom in (
        *((214.1, 29, 52), (391.1, 29, 52), (312.4, 29, 41), (262.1, 52, 246)),
        *((196.9, 278, 335), (385.9, 278, 335)),
    ):
        sheet.rule(x, top, x, bottom)


def _draw_invoice(sheet: Sheet, paper: Paper) -> None:
    sheet.text(51.75, 390.8, "Tax", 10.5, bold=True)
    sheet.text(51.75, 401.3, "Invoice", 10.5, bold=True)
    sheet.text(114, 392, "Order Id:", 7.5)
    sheet.text(114, 403.5, paper.order_id, 7, width=125)
    sheet.text(114, 413, f"Order Date: {paper.ordered_at:%d-%m-%Y},", 7.5)
    sheet.text(114, 423.5, f"{paper.ordered_at:%I:%M %p}", 7.5)
    sheet.text(243.75, 392, "Invoice No:", 7.5)
    sheet.text(243.75, 403.5, paper.invoice_number, 7, width=108)
    sheet.text(243.75, 413, f"Invoice Date: {paper.invoiced_at:%d-%m-%Y},", 7.5, width=108)
    sheet.text(243.75, 423.5, f"{paper.invoiced_at:%I:%M %p}", 7.5)
    sheet.text(357.75, 392, "GSTIN:", 7.5)
    sheet.text(357.75, 403.5, paper.gstin, 7, width=86)
    sheet.text(357.75, 414, f"PAN: {paper.gstin[2:12]}", 7, width=86)
    sheet.rule(51.75, 434.2, 445.5, 434.2)
    sheet.qr(_qr_words(paper), 445.5, 391.5, 114)
    _draw_parties(sheet, paper)
    bottom = _draw_lines(sheet, paper)
    _draw_closing(sheet, paper, bottom)


def _draw_parties(sheet: Sheet, paper: Paper) -> None:
    ships_from = paper.facility
    place = paper.place
    to = [f"{paper.buyer_name},", *(f"{line}," for line in paper.address)]
    to.append(f"{place.city} - {place.pincode}, IN-{place.state_code}")
    sold_by = [paper.seller_name, f"{ships_from.street},", f"{ships_from.place.city} - {ships_from.place.pincode}"]
    for x, heading, lines, width in (
        (51.75, "Sold By", [*sold_by, f"GST: {paper.gstin}"], 138),
        (196.5, "Shipping ADDRESS", to, 114),
        (315.75, "Billing Address", to, 125),
    ):
        sheet.text(x, 440, heading, 7.5, bold=True)
        top = 453.0
        for words in lines:
            top = sheet.paragraph(x, top, words, 6.5, width=width, leading=11.25, lines=max(1, 8 - len(lines)))


def _draw_lines(sheet: Sheet, paper: Paper) -> float:
    """The table of items; returns its lower edge. Five fit in the sample's height, more are summed in the last one."""
    columns = _columns(paper)
    heads = dict(columns)
    top = 529.9
    for name, (x, right) in heads.items():
        for at, word in enumerate(name.split(" ")):
            sheet.text(right if x is None else x, 531.4 + at * 7, word, 5.6, bold=True, right=x is None)
    tall = 16.6 if len(paper.lines) < 3 else 11.0
    y = 549.0
    for line in paper.lines[:5]:
        sheet.text(54.75, y, line.goods.title, 5.6, width=141)
        sheet.text(54.75, y + 6, f"{line.goods.fsn} | {line.goods.sku}", 4, width=141)
        taxes = (
            f"CGST: {line.goods.gst_rate / 2:g}% | SGST: {line.goods.gst_rate / 2:g}%"
            if paper.is_within_state
            else f"IGST: {line.goods.gst_rate}%"
        )
        sheet.text(200, y, f"HSN: {line.goods.hsn} | {taxes}", 5, width=95)
        for name, words in _cells(line, paper).items():
            sheet.text(heads[name][1], y, words, 5.6, width=50, right=True)
        y += tall
    bottom = 602.0
    for edge in (top, 547.1, bottom, 622):
        sheet.rule(51.75, edge, 550.5, edge)
    for edge_x in (51.9, 550.2):
        sheet.rule(edge_x, top, edge_x, 622)
    sheet.text(54.75, 608, f"TOTAL QTY: {sum(line.quantity for line in paper.lines)}", 6, bold=True)
    sheet.text(546, 604.5, f"TOTAL PRICE: {paper.total:.2f}", 6, bold=True, right=True)
    sheet.text(546, 612.5, "All values are in INR", 5.6, right=True)
    return 622


def _columns(paper: Paper) -> tuple[tuple[str, tuple[float | None, float]], ...]:
    """Headings with their left edge (words) or right edge (numbers)."""
    words: tuple[tuple[str, tuple[float | None, float]], ...] = (("Product", (54.75, 0)), ("Description", (200, 0)))
    numbers: tuple[tuple[str, float], ...] = (("Qty", 316), ("Gross Amount", 362), ("Discount", 396))
    within = (("Taxable Value", 430.0), ("SGST", 465.0), ("CGST", 500.0))
    taxes = within if paper.is_within_state else (("Taxable Value", 442.0), ("IGST", 496.0))
    return (*words, *((name, (None, right)) for name, right in (*numbers, *taxes, ("Total", 546.0))))


def _cells(line: Line, paper: Paper) -> dict[str, str]:
    taxes = {"SGST": line.sgst, "CGST": line.cgst} if paper.is_within_state else {"IGST": line.igst}
    amounts = {
        "Gross Amount": line.total,
        "Discount": Decimal(0),
        "Taxable Value": line.taxable,
        **taxes,
        "Total": line.total,
    }
    return {"Qty": str(line.quantity), **{name: f"{amount:.2f}" for name, amount in amounts.items()}}


def _draw_closing(sheet: Sheet, paper: Paper, top: float) -> None:
    ships_from = paper.facility
    sheet.text(
        51.75,
        top + 7,
        f"Seller Registered Address: {paper.seller_name}, {ships_from.street}, {ships_from.place.city}",
        5.2,
    )
    sheet.text(51.75, top + 16, "Declaration", 6, bold=True)
    sheet.text(51.75, top + 24, "The goods sold are intended for end user consumption and not for resale.", 5.6)
    sheet.text(51.75, top + 32, "Made by a simulator for tests: not a tax document.", 5.2)
    sheet.frame(481, 651, 550.5, 718.5)
    sheet.signature(487, 654, 546, 699)
    sheet.text(250, 718, "Ordered Through", 7.5)
    sheet.text(279, 729, "Flipkart", 9, bold=True)
    sheet.text(51.75, 728, "E. & O.E.", 6)
    sheet.text(399.5, 733, paper.seller_name, 7.5, width=150)
    sheet.text(399.5, 742, "Authorized Signature", 6.5)


def _draw_manifest(sheet: Sheet, paper: Paper) -> None:
    sheet.text(51.75, 40, "Manifest", 14, bold=True)
    sheet.text(51.75, 60, f"{paper.seller_name}, {paper.facility.name} ({paper.facility.facility_id})", 8)
    sheet.text(51.75, 72, f"Courier: E-Kart Logistics ({COURIER}), {paper.printed_at:%d-%m-%Y %H:%M} IST", 8)
    sheet.frame(51.75, 90, 550.5, 140)
    sheet.rule(51.75, 106, 550.5, 106)
    for x, heading, words in (
        *((56, "Tracking ID", paper.tracking_id), (170, "Order ID", paper.order_id)),
        *((330, "Shipment ID", paper.shipment_id), (440, "Qty", str(sum(line.quantity for line in paper.lines)))),
        *((480, "Payment", "COD" if paper.is_cod else "PREPAID"),),
    ):
        sheet.text(x, 93, heading, 7, bold=True)
        sheet.text(x, 112, words, 7, width=150)
    sheet.text(51.75, 170, "Received by (name, signature, time):", 8)
    sheet.rule(210, 180, 550.5, 180)


def _datamatrix_words(paper: Paper) -> str:
    payment = "COD" if paper.is_cod else "PREPAID"
    return f"{paper.tracking_id},{paper.order_id},{paper.place.pincode},{payment},{paper.total:.2f}"


def _qr_words(paper: Paper) -> str:
    return f"{paper.invoice_number}|{paper.gstin}|{paper.order_id}|{paper.total:.2f}"
