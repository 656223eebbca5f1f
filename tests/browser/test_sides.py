"""The cards of side purposes in a real browser: equal, unchosen, and usable without scripts."""

import pytest
from playwright.sync_api import Locator, Page

from demo.cast import Citizen
from tests.browser.conftest import OpenPage, Stand, Watch
from tests.browser.test_citizen import (
    COLOURS,
    EDGE_CONTRAST,
    LOOK,
    NARROW,
    PHONE,
    TARGET_PX,
    TEXT_CONTRAST,
    WIDE,
    ZOOMED,
    box,
    contrast,
    press,
    sign,
    size,
    wait_to_confirm,
)
from tests.support.sides import PLUS, SIDES, offered

MARKETING = "Nhận tin giới thiệu sản phẩm"


def ask(stand: Stand) -> tuple[Citizen, str]:
    """Ask the next person for a product with every side purpose; returns who, and the link."""
    headers = stand.tokens.header("operator")
    stand.client.put(f"/products/{PLUS.id}", json=offered(), headers=headers).raise_for_status()
    return stand.ask(PLUS)


def card(page: Page, title: str) -> Locator:
    """Return the card of a side purpose."""
    return page.get_by_role("group", name=title)


def button(page: Page, name: str) -> Locator:
    """Return a button by its whole name."""
    return page.get_by_role("button", name=name, exact=True)


def test_a_citizen_chooses_one_and_takes_it_back_without_scripts(
    stand: Stand, open_page: OpenPage, watch: Watch
) -> None:
    """Open, choose, press, type the code; later one button and a code for the one alone."""
    citizen, link = ask(stand)
    page = open_page()
    page.goto(link)
    card(page, MARKETING).get_by_label("Đồng ý", exact=True).check()
    card(page, "Chấm điểm tín dụng").get_by_label("Không đồng ý", exact=True).check()
    before = len(watch.pages)
    press(page, button(page, "Đồng ý"))
    signed = page.locator(".sides li").all_inner_texts()
    assert signed == [
        f"{MARKETING}: Đồng ý",
        "Chấm điểm tín dụng: Không đồng ý",
        "Chia sẻ cho công ty đối tác: Không đồng ý",
    ]
    sign(page, stand, citizen)
    assert page.locator("h1").inner_text() == "Bạn đã ký đồng ý, chưa có hiệu lực"
    posts = [one for one in watch.pages[before:] if one.startswith("POST")]
    assert len(posts) == 2, "as many steps as without side purposes"
    wait_to_confirm(page, stand)
    press(page, button(page, "Đúng, tôi xác nhận"))
    sign(page, stand, citizen)
    before = len(watch.pages)
    press(page, button(page, f"Rút lại riêng mục này: {MARKETING}"))
    assert MARKETING in page.locator("dl").inner_text()
    sign(page, stand, citizen)
    assert page.locator("h1").inner_text() == "Bạn đã đồng ý"
    said = page.locator("section.side p").all_inner_texts()
    assert said == ["Bạn đã rút lại.", "Bạn không đồng ý.", "Bạn không đồng ý."]
    assert len([one for one in watch.pages[before:] if one.startswith("POST")]) == 2
    page.go_back()
    assert page.locator("#code").count() == 0
    assert watch.hosts == {f"localhost:{stand.service.port}"}
    assert watch.complaints == []


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_yes_and_no_are_drawn_equal_and_unchosen(
    stand: Stand, open_page: OpenPage, lang: str
) -> None:
    """Of no card a button is checked; both labels and both buttons have one size and one look."""
    page = open_page(scripts=True)
    page.goto(f"{ask(stand)[1]}?lang={lang}")
    assert page.locator("input[type=radio]").count() == 2 * len(SIDES)
    assert page.locator("input[type=radio]:checked").count() == 0
    for width in (ZOOMED, NARROW, PHONE, WIDE):
        page.set_viewport_size({"width": width, "height": 844})
        for side in page.locator("fieldset.side").all():
            yes, no = side.locator("label").all()
            assert size(yes) == size(no)
            assert min(size(yes)) >= TARGET_PX
            assert yes.evaluate(LOOK) == no.evaluate(LOOK)
            dots = side.locator("input").all()
            assert size(dots[0]) == size(dots[1])
            assert min(size(dots[0])) >= TARGET_PX
            words = side.locator("label span").all()
            above = [box(word)["y"] - box(dot)["y"] for word, dot in zip(words, dots, strict=True)]
            assert above[0] == above[1], "the words stand alike to their button"
            beside = box(yes)["y"] == box(no)["y"]
            assert beside == (width >= PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        agree, refuse = page.locator("button[name=decision]").all()
        assert size(agree) == size(refuse)


def test_the_keyboard_chooses_each_card_by_itself(stand: Stand, open_page: OpenPage) -> None:
    """Tab goes from card to card and chooses nothing; blank and arrows choose within one."""
    page = open_page(scripts=True)
    page.goto(ask(stand)[1])
    reached = []
    for number in range(1 + len(SIDES) + 2):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        outline = focused.evaluate("one => getComputedStyle(one).outline")
        assert "4px" in outline
        assert "solid" in outline
        reached.append(focused.get_attribute("name"))
        if number == 1:
            assert page.locator("input:checked").count() == 0
            page.keyboard.press("Space")
        if number == 2:
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
    assert reached == [None, *(f"side-{one}" for one in SIDES), "decision", "decision"]
    chosen = page.locator("input:checked")
    picked = chosen.evaluate_all("all => all.map(one => `${one.name}=${one.value}`)")
    assert picked == ["side-marketing=yes", "side-credit-scoring=no"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_card_can_be_read_and_heard(stand: Stand, open_page: OpenPage, *, dark: bool) -> None:
    """Text and edges have their contrast by day and night, radios a label, cards a name."""
    page = open_page(scripts=True, dark=dark)
    page.goto(ask(stand)[1])
    for one in page.locator("input[type=radio]").all():
        assert one.evaluate("one => one.labels.length") == 1
    found = page.locator("fieldset.side, .side p, .side legend, .side label, .side span")
    faint = [
        source
        for source, _, text, edge, below, around in found.evaluate_all(COLOURS)
        if contrast(text, below) < TEXT_CONTRAST
        or (source.startswith(("<label", "<fieldset")) and contrast(edge, around) < EDGE_CONTRAST)
    ]
    assert faint == []
    for title in (MARKETING, "Chấm điểm tín dụng", "Chia sẻ cho công ty đối tác"):
        assert card(page, title).count() == 1


def test_on_paper_the_side_purposes_stand_in_the_text(stand: Stand, open_page: OpenPage) -> None:
    """A print has no card to fill in, and explains each in the notice whose hash it shows."""
    page = open_page(print_=True)
    page.goto(ask(stand)[1])
    assert not [one for one in page.locator("fieldset.side").all() if one.is_visible()]
    assert f"{MARKETING}. " in page.locator("#notice").inner_text()
