"""The page of everything in one's name in a real browser: reached, read, and left to take back."""

import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import OpenPage, Stand, Watch
from tests.browser.test_citizen import NARROW, PHONE, ZOOMED, press, sign

LINK = r"http://localhost:\d+/me/\S+"
SEE_OTHER = 303
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
    citizen, _ = stand.ask()
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


def own_link(stand: Stand, number: str) -> str:
    """Return the link to the own page that came last to a phone; it comes behind the answer."""
    for _ in range(TRIES):
        told = stand.client.get("/sandbox/outbox", params={"phone": number}).json()
        if found := re.findall(LINK, "\n".join(one["text"] for one in told)):
            return str(found[-1])
        time.sleep(TRY_EVERY_S)
    raise AssertionError("no link came")
