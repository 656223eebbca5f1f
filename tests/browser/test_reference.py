"""The page on which a programmer reads the API, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import OpenPage, Stand, Watch
from tests.browser.test_citizen import NARROW, PHONE


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_can_be_read_by_anybody(
    stand: Stand, open_page: OpenPage, watch: Watch, *, dark: bool
) -> None:
    """Nothing keeps anyone from it, no line is wider than a phone, all of it is our own."""
    page = open_page(scripts=True, dark=dark)
    page.goto(f"http://localhost:{stand.service.port}/docs")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.get_by_role("navigation").get_by_role(
        "link", name="PUT /consents/{consent_id}"
    ).first.click()
    assert page.url.endswith("#consents_ask")
    for width in (NARROW, PHONE):
        page.set_viewport_size({"width": width, "height": 844})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
    assert watch.hosts == {f"localhost:{stand.service.port}"}
    assert watch.complaints == []
