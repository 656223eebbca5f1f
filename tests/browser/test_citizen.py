"""The citizen's whole path in a real browser on a phone: without scripts, at every width.

What the browser itself measures is believed, not what the style sheet promises.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import FloatRect, Locator, Page

from demo.cast import Citizen
from tests.browser.conftest import OpenPage, Stand, Watch

TARGET_PX = 44
"""The least size of what a finger must hit (WCAG 2.5.5)."""

TEXT_CONTRAST, EDGE_CONTRAST = 4.5, 3.0
"""The least contrast of text, and of what shows where a control is (WCAG 1.4.3, 1.4.11)."""

NARROW, PHONE, WIDE = 320, 390, 1280

ZOOMED = PHONE // 2
"""The width that is left of a phone at 200 %."""

COLOURS = """all => all.map(element => {
  const painted = (one, what) => getComputedStyle(one)[what];
  const ground = one => {
    while (one.parentElement && painted(one, 'backgroundColor') === 'rgba(0, 0, 0, 0)') {
      one = one.parentElement;
    }
    return painted(one, 'backgroundColor');
  };
  return [element.outerHTML.slice(0, 90), ['BUTTON', 'INPUT'].includes(element.tagName),
          painted(element, 'color'), painted(element, 'borderTopColor'),
          ground(element), ground(element.parentElement)];
})"""
"""Gives of each element: its source, whether it is a control, and the colours of its text, its
edge, what is painted below it, and around it."""

LOOK = """one => [...getComputedStyle(one)]
  .filter(name => !['perspective-origin', 'transform-origin'].includes(name))
  .map(name => `${name}: ${getComputedStyle(one).getPropertyValue(name)}`)"""
"""Gives everything that a style sheet decides of an element."""

Step = Callable[[Page, Stand], None]


def press(page: Page, on: Locator) -> None:
    """Press, and wait until the next page is there with its style sheet."""
    with page.expect_event("load"):
        on.click()


def sign(page: Page, stand: Stand, citizen: Citizen) -> None:
    """Type the code that came, and sign."""
    page.get_by_label("Mã 6 số").fill(stand.code(citizen))
    press(page, page.get_by_role("button", name="Ký", exact=True))


def show_open(page: Page, stand: Stand) -> None:
    """Open a notice."""
    page.goto(stand.ask()[1])


def show_english(page: Page, stand: Stand) -> None:
    """Open a notice in English."""
    show_open(page, stand)
    press(page, page.get_by_role("link", name="English"))


def show_code(page: Page, stand: Stand) -> None:
    """Press a button."""
    show_open(page, stand)
    press(page, page.get_by_role("button", name="Đồng ý", exact=True))


def show_wrong(page: Page, stand: Stand) -> None:
    """Type what is no code."""
    show_code(page, stand)
    page.locator("#code").evaluate("field => field.removeAttribute('pattern')")
    page.locator("#code").fill("1")
    press(page, page.locator("button.sign"))


def show_given(page: Page, stand: Stand) -> None:
    """Agree."""
    citizen, link = stand.ask()
    page.goto(link)
    press(page, page.get_by_role("button", name="Đồng ý", exact=True))
    sign(page, stand, citizen)


def wait_to_confirm(page: Page, stand: Stand) -> None:
    """Have it handed in, and open the page again half an hour later."""
    stand.hand_in()
    stand.clock.move_to(stand.clock() + timedelta(minutes=31))
    page.reload()


def show_confirmable(page: Page, stand: Stand) -> None:
    """Agree, and come back when it can be confirmed."""
    show_given(page, stand)
    wait_to_confirm(page, stand)


def show_receipt(page: Page, stand: Stand) -> None:
    """Agree, and open the receipt."""
    show_given(page, stand)
    press(page, page.get_by_role("link", name="Biên nhận"))


def show_sorry(page: Page, stand: Stand) -> None:
    """Follow a link that is not ours."""
    page.goto(f"{stand.client.base_url}/c/none.none")


def show_for_a_child(page: Page, stand: Stand) -> None:
    """Open the question to a child, as whoever represents it."""
    child = Citizen(f"c-child-{len(stand.people)}", "", "")
    headers = stand.tokens.header("operator")
    parent = {"ground": "parent", "valid_from": "2020-01-01T00:00:00Z", "document": "1"}
    for path, body in (
        (f"/citizens/{child.id}", {"phone": None, "born_on": "2015-01-01"}),
        (f"/citizens/{child.id}/representatives/{stand.people.pop().id}", parent),
    ):
        stand.client.put(path, json=body, headers=headers).raise_for_status()
    page.goto(stand.ask_again(child))
    assert page.locator("input[type=checkbox]:checked").count() == 0
    assert page.get_by_label("Tôi đã hỏi em").count() == 1


STATES: list[Step] = [
    show_open,
    show_for_a_child,
    show_english,
    show_code,
    show_wrong,
    show_given,
    show_confirmable,
    show_receipt,
    show_sorry,
]


def box(of: Locator) -> FloatRect:
    """Return where something is drawn."""
    drawn = of.bounding_box()
    assert drawn
    return drawn


def size(of: Locator) -> tuple[float, float]:
    """Return width and height of what is drawn, to a hundredth of a pixel."""
    drawn = box(of)
    return round(drawn["width"], 2), round(drawn["height"], 2)


def contrast(one: str, other: str) -> float:
    """Return the WCAG contrast of two colours."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of `rgb(r, g, b)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)]
    assert len(parts) == 3, colour
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(x * weight for x, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


# -- the path -----------------------------------------------------------------------------------


def test_a_citizen_agrees_and_withdraws_without_scripts(
    stand: Stand, open_page: OpenPage, watch: Watch
) -> None:
    """Read, press, type the code; and the same three again to take it back."""
    citizen, link = stand.ask()
    page = open_page()
    page.goto(link)
    assert page.locator("h1").inner_text() == "Bạn có muốn mở tài khoản ngân hàng không?"
    steps = {}
    for button, result in [
        ("Đồng ý", "Bạn đã ký đồng ý, chưa có hiệu lực"),
        ("Đúng, tôi xác nhận", "Bạn đã đồng ý"),
        ("Rút lại sự đồng ý", "Bạn đã rút lại sự đồng ý"),
    ]:
        if "xác nhận" in button:
            wait_to_confirm(page, stand)
        before = len(watch.pages)
        press(page, page.get_by_role("button", name=button, exact=True))
        sign(page, stand, citizen)
        assert page.locator("h1").inner_text() == result
        steps[button] = [one for one in watch.pages[before:] if one.startswith("POST")]
    assert [len(one) for one in steps.values()] == [2, 2, 2]  # after opening the link: 3 steps
    assert page.locator("button[name=decision]").count() == 0
    assert watch.hosts == {f"localhost:{stand.service.port}"}
    assert watch.complaints == []


def test_going_back_and_reloading_decides_nothing_again(stand: Stand, open_page: OpenPage) -> None:
    """After signing, the browser's own buttons show the result and change nothing."""
    page = open_page()
    show_given(page, stand)
    page.reload()
    assert page.locator("h1").inner_text() == "Bạn đã ký đồng ý, chưa có hiệu lực"
    page.go_back()
    assert page.locator("h1").inner_text() == "Bạn đã ký đồng ý, chưa có hiệu lực"
    assert page.locator("button[name=decision]").count() == 1


def test_the_keyboard_reaches_both_choices_and_shows_where_it_is(
    stand: Stand, open_page: OpenPage
) -> None:
    """Tab goes to the language, then to both buttons in order, each with a visible outline."""
    page = open_page(scripts=True)
    show_open(page, stand)
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        outline = focused.evaluate("one => getComputedStyle(one).outline")
        reached.append((focused.inner_text(), "4px" in outline and "solid" in outline))
    assert reached == [("English", True), ("Đồng ý", True), ("Không đồng ý", True)]


# -- what is drawn ------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [show_open, show_english, show_confirmable])
def test_both_buttons_are_drawn_equal(stand: Stand, open_page: OpenPage, state: Step) -> None:
    """Agreeing and refusing have one size and one look, at every width and in both languages."""
    page = open_page(scripts=True)
    state(page, stand)
    agree, refuse = page.locator("button[name=decision]").all()
    for width in (ZOOMED, NARROW, PHONE, WIDE):
        page.set_viewport_size({"width": width, "height": 844})
        assert size(agree) == size(refuse)
        assert agree.evaluate(LOOK) == refuse.evaluate(LOOK)
        beside = box(agree)["y"] == box(refuse)["y"]
        assert beside == (width >= PHONE)


@pytest.mark.parametrize("state", STATES)
def test_every_page_fits_and_can_be_hit(stand: Stand, open_page: OpenPage, state: Step) -> None:
    """No sideways scrolling on a narrow phone, nor zoomed to 200 %; every target is 44 px."""
    page = open_page(NARROW, scripts=True)
    state(page, stand)
    for width in (NARROW, ZOOMED):
        page.set_viewport_size({"width": width, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        small = [
            (one.evaluate("one => one.outerHTML"), size(one))
            for one in page.locator("a, button, input:not([type=hidden])").all()
            if min(size(one)) < TARGET_PX
        ]
        assert small == []


@pytest.mark.parametrize("state", STATES)
def test_every_page_can_be_heard(
    stand: Stand, open_page: OpenPage, watch: Watch, state: Step
) -> None:
    """Each has a language, a title, one h1, labelled fields, and nothing from elsewhere."""
    page = open_page(scripts=True)
    state(page, stand)
    assert page.locator("html").get_attribute("lang") == ("en" if state is show_english else "vi")
    assert page.title()
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
    headings = page.locator("h1, h2, h3, h4")
    levels = headings.evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for one in page.locator("input:not([type=hidden])").all():
        assert one.evaluate("one => one.labels.length") == 1
        described = (one.get_attribute("aria-describedby") or "").split()
        assert [page.locator(f"#{name}").count() for name in described] == [1] * len(described)
    assert watch.hosts == {f"localhost:{stand.service.port}"}
    assert [one for one in watch.complaints if "Failed to load resource" not in one] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_can_be_read(stand: Stand, open_page: OpenPage, *, dark: bool) -> None:
    """Text has a contrast of 4.5, and the edge of a button or field 3, by day and by night."""
    page = open_page(scripts=True, dark=dark)
    for state in STATES:
        state(page, stand)
        found = page.locator("a, p, strong, h1, h2, h3, h4, li, dt, dd, label, code, button, #code")
        faint = [
            source
            for source, is_control, text, edge, below, around in found.evaluate_all(COLOURS)
            if contrast(text, below) < TEXT_CONTRAST
            or (is_control and contrast(edge, around) < EDGE_CONTRAST)
        ]
        assert faint == []
    ((*_, paper, _),) = page.locator("body").evaluate_all(COLOURS)
    assert (luminance(paper) < 0.1) == dark


def test_a_print_is_the_notice_with_its_hash(stand: Stand, open_page: OpenPage) -> None:
    """On paper there are no buttons; the whole text is there, and the hash that a fact has."""
    page = open_page(print_=True)
    show_open(page, stand)
    assert page.locator("#notice").is_visible()
    assert page.locator(".hash").is_visible()
    assert re.search(r"[0-9a-f]{64}", page.locator(".hash").inner_text())
    assert not [one for one in page.locator("form, header a, .sandbox").all() if one.is_visible()]


def test_colours_of_the_readers_own_choosing_work(stand: Stand, open_page: OpenPage) -> None:
    """With forced colours the buttons keep an edge and the marker is still drawn."""
    page = open_page(scripts=True)
    page.emulate_media(forced_colors="active")
    show_open(page, stand)
    for one in page.locator("button").all():
        assert one.evaluate("one => getComputedStyle(one).borderTopWidth") == "2px"
    stroke: Any = page.locator(".mark").first.evaluate("one => getComputedStyle(one).stroke")
    assert stroke != "none"
