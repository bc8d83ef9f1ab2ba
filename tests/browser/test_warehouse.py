"""The warehouse's day in a real browser: stacks, scans and sheets, at a desk and on a phone, light and dark."""

import base64
import io

import pytest
import zxingcpp
from PIL import Image

from fulfillment.models import Dispatch, LabelRequest, PrintJob, PrintJobLine
from orders import reading
from sellers.models import Role
from tests import factories
from tests.browser.conftest import NARROW, WIDE
from tests.browser.walking import GO_ON, choose, connect, log_in, press, shows, work_until_done

SCREEN = 2  # pixels of the picture to one of the page: the least that phones have
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_parcels_are_picked_printed_in_stacks_pulled_and_handed_over(person, flipkart_on_a_socket, width, scheme):
    world = flipkart_on_a_socket.world
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    account = world.add_seller("Asha Textiles", facilities=2)
    world.add_shipments(account, 7)
    world.add_shipments(account, 1, items=2)
    here, seen = f"/s/{seller.slug}", f"{width}-{scheme}"
    person.sees(width, scheme)
    log_in(person, factories.member(seller, Role.OWNER))
    connect(person, seller, account)
    factories.run_due_work()

    # One is damaged; the others are picked, labelled and printed, a stack for each packer.
    person.opens(f"{here}/shipments/?stage=to_label")
    choose(person, 1)
    person.presses("button[name=act][value=set_aside]")
    shows(person, f"confirm-set-aside-{seen}")
    person.presses(GO_ON)
    person.opens(f"{here}/shipments/?stage=set_aside")
    shows(person, f"one-set-aside-{seen}")
    person.opens(f"{here}/shipments/?stage=to_label")
    choose(person)
    person.presses("button[name=act][value=pick_list]")
    shows(person, f"pick-list-{seen}")
    assert read_from(person) == {title.text for title in person.all(".sc-picks .sc-title .sc-strong")}
    person.opens(f"{here}/shipments/?stage=to_label")
    choose(person)
    person.presses("button[name=act][value=label_print]")
    person.types("input[name=packers]", "Ravi, Meena")
    person.ticks("input[name=is_split_by_packers]")
    shows(person, f"confirm-label-and-print-{seen}")
    person.presses(GO_ON)
    factories.run_due_work()
    job_page = person.path
    person.opens(job_page)
    shows(person, f"waits-for-labels-{seen}")
    work_until_done(LabelRequest)
    work_until_done(PrintJob)
    person.opens(job_page)
    shows(person, f"stacks-{seen}")
    assert "7 labels in 2 stacks" in person.text
    assert "Stack B, Meena" in person.text

    # The paper jams: the last good label is scanned, and the rest is a job of its own.
    with factories.ops():
        lines = list(PrintJobLine.objects.filter(stack__letter="A").select_related("shipment").order_by("place"))
    good, *rest = [line.shipment for line in lines]
    person.ticks("summary")
    person.enters("details input[name=scanned]", good.tracking_id, until="Printed again")
    factories.run_due_work()
    person.opens(person.path)
    shows(person, f"continued-{seen}")
    assert f"continued after {good.tracking_id}, stack A" in person.text

    # What is printed stays out, unless somebody says why.
    person.opens(f"{here}/shipments/?stage=all")
    choose(person)
    person.presses("button[name=act][value=print]")
    shows(person, f"confirm-reprint-{seen}")
    person.types("input[name=reprint_reason]", "the roll was wet")
    person.presses(GO_ON)
    factories.run_due_work()
    person.opens(f"{here}/print/")
    shows(person, f"jobs-{seen}")

    # Two buyers cancel: each parcel is scanned, and after each the box is ready for the next.
    for gone in rest[:2]:
        world.cancel(gone.flipkart_shipment_id)
    reading.read_again(seller_id=seller.pk, shipments=rest[:2])
    person.opens(f"{here}/pull/")
    shows(person, f"pull-{seen}")
    person.enters(":focus", rest[0].tracking_id, until="1 parcel must be pulled")
    shows(person, f"pulled-{seen}")
    person.enters(":focus", good.tracking_id, until="Needs no pulling")
    shows(person, f"needs-no-pulling-{seen}")

    press(person, seller, "to_dispatch", "dispatch", f"confirm-dispatch-{seen}")
    work_until_done(Dispatch)
    person.opens(f"{here}/hand-over/")
    shows(person, f"hand-over-{seen}")
    person.presses("form[action$='/hand-over/request/'] button")
    factories.run_due_work()
    person.opens(f"{here}/hand-over/")
    shows(person, f"handed-over-{seen}")
    assert "1 to pull first" in person.text
    person.opens(f"{here}/warehouse/")
    shows(person, f"warehouse-{seen}")
    person.opens(f"{here}/facilities/")
    person.presses(f"a[href^='{here}/facilities/']:not([href$='/facilities/'])")
    shows(person, f"facility-{seen}")


def read_from(person) -> set[str]:
    """What a scanner reads from the screen, scrolled over from above to below."""
    layout = person.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": layout["width"], "height": layout["height"], "scale": SCREEN}
    asked = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    taken = person.driver.execute_cdp_cmd("Page.captureScreenshot", asked)
    picture = Image.open(io.BytesIO(base64.b64decode(taken["data"])))
    return {code.text for code in zxingcpp.read_barcodes(picture)}
