"""The regulator's pages in a real browser: the story of Lao Bảo, as people see it on a laptop."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from services.audit.history import open_history
from services.audit.pages.words import WORDS
from shared.ledger.log import about
from tests.browser.conftest import FLAGS, Watch, is_clean
from tests.support.story import Taken, a_story, planted, shown

LAPTOP, NARROW = 1280, 320

TEXT_OUTSIDE = """() => [...document.querySelectorAll("svg.timeline a")].flatMap(card => {
    const box = card.querySelector("rect").getBoundingClientRect();
    const texts = [...card.querySelectorAll("text")];
    const outside = texts.filter(one => one.getBoundingClientRect().right > box.right);
    return outside.map(one => one.textContent);
})"""
"""What is written beyond the edge of its card."""

VI, EN = WORDS["vi"], WORDS["en"]


@pytest.fixture(scope="module")
def taken(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    """Give the whole story, played and taken home."""
    with a_story(tmp_path_factory.mktemp("story")) as taken:
        yield taken


@pytest.fixture(scope="module")
def base(taken: Taken) -> Iterator[str]:
    """Give the address of the story's pages."""
    with shown(taken.export, keys=taken.keys, policy=taken.policy) as base:
        yield base


@pytest.fixture(scope="module")
def browser(chromium: str, base: str) -> Iterator[Browser]:
    """Run the browser, after everything else, and end it before."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=FLAGS, headless=True) as browser,
    ):
        yield browser


@contextmanager
def opened(browser: Browser, *, scripts: bool = False, dark: bool = False) -> Iterator[Page]:
    """Give a tab of a laptop; by default no script runs in it."""
    with ExitStack() as stack:
        context = browser.new_context(
            viewport={"width": LAPTOP, "height": 800},
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
        )
        stack.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(10_000)
        yield page


def case_of(taken: Taken, kind: str) -> str:
    """Return the first question of which such a fact tells."""
    with open_history(taken.export) as history:
        for log in history.logs.values():
            for fact in log.facts():
                if fact.kind == kind:
                    return next(one for one in fact.tags if one.startswith("consent:"))[8:]
    raise AssertionError("there is none")


def give_ground(page: Page, words: dict[str, str]) -> None:
    """Fill in why, as an inspector does."""
    page.get_by_label(words["ground_complaint"]).check()
    page.get_by_label(words["ground_case"], exact=True).fill("TT-2023-117")
    page.get_by_role("button", name=words["ground_open"]).click()


def test_the_story_of_an_account_step_by_step_with_the_slider(
    taken: Taken, base: str, browser: Browser
) -> None:
    """Searched, opened on its ground; the slider goes back, by script and by button alike."""
    case, watch = case_of(taken, "consent.redeemed.1"), Watch()
    for scripts in (False, True):
        with opened(browser, scripts=scripts) as page:
            watch.over(page.context)
            page.goto(f"{base}/?lang=vi")
            page.get_by_role("searchbox").fill(case[:10])
            page.get_by_role("button", name=VI["search"], exact=True).click()
            page.get_by_role("link", name=re.compile(case[:10])).click()
            if page.locator("#ground").count():
                assert not page.locator("svg.timeline").count()
                give_ground(page, VI)
            cards = page.locator("svg.timeline g.known")
            whole = cards.count()
            assert whole == 12
            assert page.locator("#standing").get_by_text(VI["account_confirmed"]).is_visible()
            slider = page.get_by_role("slider")
            slider.focus()
            for _ in range(5):
                slider.press("ArrowLeft")
            if scripts:
                page.wait_for_url(re.compile("at="))
            else:
                page.get_by_role("button", name=VI["show"]).first.click()
            later = page.locator("svg.timeline g.later").count()
            assert page.locator("svg.timeline g.known").count() + later == whole
            assert later >= 1
            assert not page.locator("#standing").get_by_text(VI["account_confirmed"]).count()
            page.get_by_role("link", name=re.compile(VI["step_all"])).click()
            assert cards.count() == whole
    assert watch.complaints == []
    assert watch.hosts == {base.removeprefix("http://")}


def test_an_account_without_a_use_is_seen_at_once(taken: Taken, browser: Browser) -> None:
    """The use was taken out of the export: in words, as a gap in the drawing, and as a law."""
    case, copy = case_of(taken, "consent.redeemed.1"), planted(taken.export, taken.folder / "cut")
    with shown(copy) as base, opened(browser, scripts=True) as page:
        page.goto(f"{base}/laws?lang=en")
        page.get_by_text(EN["laws_some"].split(":", maxsplit=1)[0]).first.wait_for()
        page.locator("#violations").wait_for()
        page.goto(f"{base}/cases/consent/{case}?lang=en")
        give_ground(page, EN)
        assert page.locator("svg.timeline path.gone").count() == 1
        assert page.locator("svg.timeline rect.wrong").first.is_visible()
        said = page.locator("svg.timeline .bad").all_text_contents()
        assert EN["no_redemption"] in " ".join(said).removeprefix("✕ ")
        assert EN["no_redemption"] in page.locator("#breaks").inner_text()
        assert page.locator("svg.timeline .flag").count()
        assert f"{EN['law']} 2" in page.locator("#broken").inner_text()
        is_clean(page)


@pytest.mark.parametrize(("lang", "dark"), [("vi", False), ("en", True)])
def test_axe_finds_nothing_on_any_page(
    taken: Taken, base: str, browser: Browser, lang: str, *, dark: bool
) -> None:
    """On every kind of page, in both languages, light and dark; nothing is wider than a phone."""
    with open_history(taken.export) as history:
        log = history.logs["consent"]
        redeemed = next(one for one in log.facts() if one.kind == "consent.redeemed.1")
        office = log.found(about("office:bd-huong-hoa"))[0].position
    citizen = next(one for one in redeemed.tags if one.startswith("citizen:"))[8:]
    case, words = case_of(taken, "consent.redeemed.1"), VI if lang == "vi" else EN
    with opened(browser, scripts=True, dark=dark) as page:
        page.goto(f"{base}/cases/citizen/{citizen}?lang={lang}")
        if page.locator("#ground").count():
            is_clean(page)
            give_ground(page, words)
        page.goto(f"{base}/cases/consent/{case}?lang={lang}")
        if page.locator("#ground").count():
            give_ground(page, words)
        assert page.evaluate(TEXT_OUTSIDE) == []
        for path in (
            "/",
            "/laws",
            "/search?q=c",
            "/days/2023-08-09/accounts",
            f"/facts/consent/{office}",
            f"/facts/consent/{redeemed.position}",
            f"/cases/consent/{case}?at=consent:{redeemed.position}",
            f"/cases/citizen/{citizen}",
            "/places/clerk/gdv-01",
            "/places/office/bd-huong-hoa",
            "/nowhere",
        ):
            page.set_viewport_size({"width": LAPTOP, "height": 800})
            page.goto(f"{base}{path}{'&' if '?' in path else '?'}lang={lang}")
            if lang == "vi" or path.startswith(("/laws", "/cases/consent", "/places/office")):
                is_clean(page)  # the other language differs in words alone
            page.set_viewport_size({"width": NARROW, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW, path


def test_everything_is_reached_with_the_keyboard(base: str, browser: Browser) -> None:
    """First the way past the head, then the menu and the search; drawings' cards are links."""
    with opened(browser) as page:
        page.goto(f"{base}/?lang=en")
        reached = list[str]()
        for _ in range(7):
            page.keyboard.press("Tab")
            reached.append(page.locator(":focus").inner_text().strip())
        assert reached[0] == EN["skip"]
        assert [EN["seal"], EN["laws"]] == reached[2:4]
        assert EN["search"] in reached
        assert EN["switch"] in reached


def test_what_is_printed_has_the_story_and_no_forms(
    taken: Taken, base: str, browser: Browser
) -> None:
    """On paper: the drawing and its table, without what can only be pressed."""
    case = case_of(taken, "consent.refused.1")
    with opened(browser) as page:
        page.goto(f"{base}/cases/consent/{case}?lang=vi")
        give_ground(page, VI)
        page.emulate_media(media="print")
        assert page.locator("svg.timeline").is_visible()
        assert page.locator("#steps").is_visible()
        assert not page.get_by_role("slider").is_visible()
        assert not page.get_by_role("searchbox").is_visible()
        assert VI["case_nobody"] in page.locator("main").inner_text()
