"""The page of everything in one's name in a real browser: reached, read, and left to take back."""

import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from demo.cast import ACCOUNT, BANKS, OFFICE
from tests.browser.conftest import OpenPage, Stand, Watch
from tests.browser.test_citizen import NARROW, PHONE, ZOOMED, press, sign

LINK = r"http://localhost:\d+/me/\S+"
SEE_OTHER = 303
BANK = BANKS[ACCOUNT.bank_id]
TRIES, TRY_EVERY_S = 100, 0.05


def test_from_the_number_to_taking_back_in_few_presses(
    stand: Stand, open_page: OpenPage, watch: Watch
) -> None:
    """Without scripts: type the number, open the link, open the question, press, sign."""
    citizen, link = stand.ask()
    page = open_page()
    page.goto(link)
    press(page, page.get_by_role("button", name="Đồng ý", exact=True))
    sign(page, stand, citizen)
    page.goto(f"http://localhost:{stand.service.port}/me")
    page.get_by_label("Số điện thoại").fill(citizen.phone.replace("+84", "0"))
    press(page, page.get_by_role("button", name="Gửi đường dẫn cho tôi"))
    assert page.locator("h1").inner_text() == "Hãy xem tin nhắn"
    page.goto(own_link(stand, citizen.phone))
    press(page, page.get_by_role("link", name=re.compile("Xem hoặc đổi ý")))
    press(page, page.get_by_role("button", name="Rút lại sự đồng ý"))
    sign(page, stand, citizen)
    assert page.locator("h1").inner_text() == "Bạn đã rút lại sự đồng ý"
    assert watch.hosts == {f"localhost:{stand.service.port}"}
    assert watch.complaints == []


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(stand: Stand, open_page: OpenPage, lang: str, *, dark: bool) -> None:
    """Nothing that axe knows keeps anyone from using the form, its answer, or the page."""
    citizen, link = stand.ask()
    look(stand, link)
    assert stand.client.post("/me", data={"phone": citizen.phone}).status_code == SEE_OTHER
    page = open_page(scripts=True, dark=dark)
    base = f"http://localhost:{stand.service.port}"
    for address in (
        f"{base}/me?lang={lang}",
        f"{base}/me?sent=1&lang={lang}",
        f"{own_link(stand, citizen.phone)}?lang={lang}",
        f"{base}/me/none?lang={lang}",
    ):
        page.goto(address)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        for width in (ZOOMED, NARROW, PHONE):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_who_looked_is_told_newest_first(stand: Stand, open_page: OpenPage) -> None:
    """Under a heading of its own, one section a reader; without scripts, in both languages."""
    citizen, link = stand.ask()
    assert stand.client.post("/me", data={"phone": citizen.phone}).status_code == SEE_OTHER
    own, page = own_link(stand, citizen.phone), open_page()
    page.goto(own)
    assert not page.get_by_text("Chưa ai xem.").count(), "accounts did not say so"
    assert page.get_by_text("Lúc này chưa hiện được ai đã xem tài khoản").is_visible()
    look(stand, link)
    page.goto(own)
    heading = page.get_by_role("heading", name="Ai đã xem", level=2)
    sections = page.locator("h2", has_text="Ai đã xem").locator("xpath=following-sibling::section")
    assert heading.is_visible()
    readers = [sections.nth(one).get_by_role("heading", level=3) for one in range(2)]
    assert [one.inner_text() for one in readers] == [f"Nhân viên gdv-01, {OFFICE[1]}", BANK]
    assert sections.nth(1).get_by_text("bạn đã trả lời chưa, trả lời thế nào").is_visible()
    press(page, page.get_by_role("link", name="English"))
    assert page.get_by_role("heading", name=f"Clerk gdv-01, {OFFICE[1]}").is_visible()


def look(stand: Stand, link: str) -> None:
    """Have the bank look where a question stands, and then the clerk."""
    consent_id = link.rpartition("/")[2].partition(".")[0]
    for holder in (ACCOUNT.bank_id, "gdv-01"):
        header = stand.tokens.header(holder)
        stand.client.get(f"/consents/{consent_id}", headers=header).raise_for_status()


def own_link(stand: Stand, number: str) -> str:
    """Return the link to the own page that came last to a phone; it comes behind the answer."""
    for _ in range(TRIES):
        told = stand.client.get("/sandbox/outbox", params={"phone": number}).json()
        if found := re.findall(LINK, "\n".join(one["text"] for one in told)):
            return str(found[-1])
        time.sleep(TRY_EVERY_S)
    raise AssertionError("no link came")
