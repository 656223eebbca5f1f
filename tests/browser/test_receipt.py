"""The receipt in a real browser: on a phone, for people who do not see it, and on half a sheet."""

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from shared.receipts.kept import read_kept_receipt
from shared.receipts.verify import verify_receipt
from tests.browser.conftest import OpenPage, Stand, Watch
from tests.browser.test_citizen import press, show_receipt, sign

A5_POINTS = (419.5, 595.3)
"""148 mm by 210 mm, in the 72 points of an inch that a PDF has."""

LANGS = ["vi", "en"]


def show_refused(page: Page, stand: Stand) -> None:
    """Refuse, and open the receipt."""
    citizen, link = stand.ask()
    page.goto(link)
    press(page, page.get_by_role("button", name="Không đồng ý"))
    sign(page, stand, citizen)
    press(page, page.get_by_role("link", name="Biên nhận"))


def switch(page: Page, lang: str) -> None:
    """Change to a language; the pages open in Vietnamese."""
    if lang == "en":
        press(page, page.get_by_role("link", name="English"))


@pytest.mark.parametrize("lang", LANGS)
def test_axe_finds_nothing(stand: Stand, open_page: OpenPage, lang: str) -> None:
    """Nothing that axe knows keeps anyone from using the page."""
    page = open_page(scripts=True)
    show_receipt(page, stand)
    switch(page, lang)
    found = Axe().run(page).response["violations"]
    assert found == [], json.dumps(found, indent=1)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("show", [show_receipt, show_refused])
def test_it_fits_half_a_sheet(stand: Stand, open_page: OpenPage, show: object, lang: str) -> None:
    """Printed it is one page of A5, whatever was decided and in whichever language."""
    assert callable(show)
    page = open_page()
    show(page, stand)
    switch(page, lang)
    page.emulate_media(media="print")
    pdf = page.pdf(prefer_css_page_size=True)
    [size] = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert [float(side) for side in size] == pytest.approx(A5_POINTS, abs=1)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def test_paper_has_what_paper_can_do(stand: Stand, open_page: OpenPage) -> None:
    """Black on white, also for who reads in the dark; what only a screen can do is left out."""
    page = open_page(scripts=True, dark=True)
    show_receipt(page, stand)
    page.emulate_media(media="print", color_scheme="dark")
    for name in ("h1", ".receipt dd", ".receipt p", ".receipt a"):
        for one in page.locator(name).all():
            assert one.evaluate("one => getComputedStyle(one).color") == "rgb(0, 0, 0)"
    assert page.locator(".qr svg").is_visible()
    assert page.locator(".sandbox").is_visible()  # a trial's paper must not pass for real
    shown = page.locator("form, header a, .keep, .back").all()
    assert not [one for one in shown if one.is_visible()]


def test_the_file_that_a_phone_saves_is_right(
    stand: Stand, open_page: OpenPage, watch: Watch, tmp_path: Path
) -> None:
    """One press saves it; nothing but the service was asked, and nothing complained."""
    page = open_page()
    show_receipt(page, stand)
    with page.expect_download() as download:
        page.get_by_role("link", name="receipt.json").click()
    assert download.value.suggested_filename == "receipt.json"
    download.value.save_as(tmp_path / "receipt.json")
    checked = verify_receipt(read_kept_receipt((tmp_path / "receipt.json").read_bytes()))
    assert checked.receipt.withdraw_url in page.url
    assert watch.hosts == {f"localhost:{stand.service.port}"}
    assert watch.complaints == []
