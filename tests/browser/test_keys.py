"""What the keyboard, a scanner and a second thought do: the list of shipments without a mouse, and questions."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from sellers.models import Role
from tests import factories
from tests.browser.conftest import WIDE
from tests.browser.walking import log_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_scanner_finds_its_parcel_and_shift_chooses_all_between(person):
    seller = factories.seller(name="Asha Textiles", slug="asha-textiles")
    rows = [factories.shipment(seller) for _ in range(5)]
    person.sees(WIDE, "light")
    log_in(person, factories.member(seller, Role.STAFF))

    person.opens("/s/asha-textiles/shipments/")
    assert person.finds("input[name=q]:focus")

    ticks = person.all("input[name=shipment]")
    ticks[1].click()
    ActionChains(person.driver).key_down(Keys.SHIFT).click(ticks[3]).key_up(Keys.SHIFT).perform()
    assert [tick.is_selected() for tick in ticks] == [False, True, True, True, False]
    assert "3 chosen" in person.text

    person.driver.find_element(By.TAG_NAME, "body").send_keys("/")
    assert person.finds("input[name=q]:focus")
    person.enters(":focus", rows[2].flipkart_shipment_id, until="Timeline")
    assert person.path == f"/s/asha-textiles/shipments/{rows[2].public_id}/"


def test_somebody_is_removed_only_after_a_second_yes(person):
    seller = factories.seller(slug="asha-textiles")
    factories.member(seller, Role.STAFF, username="ravi")
    person.sees(WIDE, "light")
    log_in(person, factories.member(seller, Role.OWNER))
    remove = "form[action*='/ravi/'] .sc-danger"

    person.opens("/s/asha-textiles/members/")
    person.clicks(person.finds(remove))
    asked = person.driver.switch_to.alert
    assert asked.text.startswith("Remove ravi?")
    asked.dismiss()
    person.opens("/s/asha-textiles/members/")
    assert person.finds(remove)

    row = person.finds(remove)
    person.clicks(row)
    person.driver.switch_to.alert.accept()
    person.waits_until_gone(row)
    assert "ravi" not in [cell.text for cell in person.all("td.sc-strong")]
