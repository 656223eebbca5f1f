"""Passkeys in a real browser: its own device, made virtual, enrols, agrees, withdraws, refuses.

The pages' one script runs here, under the strict policy of every page; what the browser complains
of fails the test.
"""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page

from demo.cast import Citizen
from tests.browser.conftest import Device, OpenPage, Stand, Watch, is_clean
from tests.browser.test_citizen import press, sign

STEPS_MAX = 3
"""Read, press, sign: what an easy service may ask of a person (also of one who takes it back)."""

SECONDS_MAX = 20
"""Far more than a browser needs for such a path, and far less than a person may take (180)."""

WORDS = {
    "vi": ("Thêm máy này", "Gửi mã để thêm", "Thêm", "Đồng ý", "Rút lại sự đồng ý"),
    "en": ("Add this device", "Send the code", "Add", "I agree", "I take my consent back"),
}
"""Of each language: a heading, and the buttons on the way."""


def enrolled(page: Page, stand: Stand, device: Device, lang: str = "vi") -> tuple[Citizen, str]:
    """Enrol the page's device for somebody, a day before anything is asked with it."""
    citizen, link = stand.ask()
    device(page)
    page.goto(f"{link}/passkey?lang={lang}")
    _, send, add, *_ = WORDS[lang]
    press(page, page.get_by_role("button", name=send, exact=True))
    page.locator("#code").fill(stand.code(citizen))
    press(page, page.get_by_role("button", name=add, exact=True))
    assert page.locator(".keys li").count() == 1
    stand.clock.move_to(stand.clock() + timedelta(hours=25))
    return citizen, stand.ask_again(citizen)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_finger_agrees_and_takes_back_in_three_steps(
    stand: Stand, open_page: OpenPage, watch: Watch, *, device: Device, lang: str, tmp_path: Path
) -> None:
    """Enrol; then read, press, finger: it counts at once, and goes back in as few steps."""
    page = open_page(scripts=True)
    _, link = enrolled(page, stand, device, lang)
    is_clean(page)
    _, _, _, agree, withdraw = WORDS[lang]
    seconds = {}
    page.goto(f"{link}?lang={lang}")
    is_clean(page)
    for button in (agree, withdraw):
        started, before = time.monotonic(), len(watch.pages)
        press(page, page.get_by_role("button", name=button, exact=True))
        seconds[button] = time.monotonic() - started
        assert len(watch.pages) - before == 1, "no page between the press and the result"
        page.screenshot(path=tmp_path / f"{lang}-{len(seconds)}.png", full_page=True)
    heading = {"vi": "Bạn đã rút lại sự đồng ý", "en": "You took your consent back"}[lang]
    assert page.locator("h1").inner_text() == heading
    assert max(seconds.values()) < SECONDS_MAX
    assert watch.complaints == []


OLDER = "window.FormData = class extends FormData { constructor(form) { super(form); } };"
"""A browser before Chrome 112, Safari 16.4 or Firefox 111: it leaves out the button."""


def test_an_older_browser_sends_the_button_too(
    stand: Stand, open_page: OpenPage, watch: Watch, device: Device
) -> None:
    """What was pressed is what is signed, whatever the browser knows of forms."""
    page = open_page(scripts=True)
    page.add_init_script(OLDER)
    _, link = enrolled(page, stand, device)
    page.goto(link)
    press(page, page.get_by_role("button", name="Không đồng ý", exact=True))
    assert page.locator("h1").inner_text() == "Bạn đã từ chối"
    assert watch.complaints == []


def test_a_finger_may_refuse_and_a_code_is_its_equal(
    stand: Stand, open_page: OpenPage, watch: Watch, device: Device
) -> None:
    """Both ways are offered alike; the one that is chosen is the one that signs."""
    page = open_page(scripts=True)
    citizen, link = enrolled(page, stand, device)
    page.goto(link)
    ways = page.locator(".ways label")
    boxes = [one.bounding_box() for one in ways.all()]
    assert len({(box["width"], box["height"]) for box in boxes if box}) == 1
    page.get_by_label("Mã SMS").check()
    press(page, page.get_by_role("button", name="Không đồng ý", exact=True))
    assert page.locator("h1").inner_text() == "Ký bằng mã"
    sign(page, stand, citizen)
    assert page.locator("h1").inner_text() == "Bạn đã từ chối"
    press(page, page.get_by_role("button", name="Cho phép hỏi lại tôi", exact=True))
    assert page.locator("h1").inner_text() == "Bạn cho phép hỏi lại"
    assert watch.complaints == []


def test_a_device_that_does_not_know_the_finger_signs_nothing(
    stand: Stand, open_page: OpenPage, device: Device
) -> None:
    """The page says so, its buttons work again, and nothing was decided."""
    page = open_page(scripts=True)
    _, link = enrolled(page, stand, device)
    other = open_page(scripts=True)
    device(other)
    other.goto(link)
    other.get_by_role("button", name="Đồng ý", exact=True).click()
    message = other.locator("form[data-sign] [data-told]")
    message.wait_for(state="visible", timeout=60_000)
    assert "dùng mã SMS" in message.inner_text()
    assert other.get_by_role("button", name="Đồng ý", exact=True).is_enabled()
    other.reload()
    assert other.get_by_role("button", name="Đồng ý", exact=True).count() == 1


def test_without_scripts_the_code_signs(stand: Stand, open_page: OpenPage, device: Device) -> None:
    """Who has a passkey and no scripts sees no choice of ways, and signs with the code."""
    page = open_page(scripts=True)
    citizen, link = enrolled(page, stand, device)
    plain = open_page()
    plain.goto(link)
    assert not plain.locator(".ways").is_visible()
    press(plain, plain.get_by_role("button", name="Đồng ý", exact=True))
    sign(plain, stand, citizen)
    assert plain.locator("h1").inner_text() == "Bạn đã ký đồng ý, chưa có hiệu lực"


def test_a_browser_that_cannot_says_where_it_can(stand: Stand, open_page: OpenPage) -> None:
    """In the browsers inside other apps there is no passkey: the page names Chrome and Safari."""
    page = open_page(scripts=True)
    page.add_init_script("delete window.PublicKeyCredential")
    _, link = stand.ask()
    page.goto(f"{link}/passkey")
    assert page.locator("[data-unable]").first.is_visible()
    assert "Chrome hoặc Safari" in page.locator("[data-unable]").first.inner_text()


def test_not_me_is_one_press_and_its_page_is_clean(
    stand: Stand, open_page: OpenPage, watch: Watch
) -> None:
    """From the link: one press, the result; the page for who has only a code is usable by all."""
    page = open_page(scripts=True)
    _, link = stand.ask()
    page.goto(link)
    is_clean(page)
    press(page, page.get_by_role("button", name="Tôi không mở tài khoản này", exact=True))
    assert page.locator("h1").inner_text() == "Bạn đã báo: không phải tôi"
    is_clean(page)
    page.goto(f"{stand.client.base_url}/not-me")
    is_clean(page)
    assert watch.complaints == []
