"""The notice is read aloud where the device has a voice for it, and nowhere is a dead button."""

import pytest

from tests.browser.conftest import OpenPage, Stand, Watch

VOICES = """
window.said = [];
speechSynthesis.getVoices = () => [{lang: "vi-VN"}];
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
speechSynthesis.speak = (one) => window.said.push([one.lang, one.text]);
"""
"""A device with a Vietnamese voice: the browser of the tests has none."""


def test_it_reads_every_block_of_the_notice(
    stand: Stand, open_page: OpenPage, watch: Watch
) -> None:
    """With a voice the button is there, and says the whole text in the page's language."""
    page = open_page(scripts=True)
    page.add_init_script(VOICES)
    page.goto(stand.ask()[1])
    page.get_by_role("button", name="Đọc to, hoặc dừng đọc").click()
    said = page.evaluate("window.said")
    blocks = page.locator("#notice > *").all_text_contents()
    assert said == [["vi", one] for one in blocks]
    assert watch.complaints == []


@pytest.mark.parametrize("scripts", [True, False])
def test_without_a_voice_there_is_no_button(
    stand: Stand, open_page: OpenPage, *, scripts: bool
) -> None:
    """A Vietnamese voice reads no English; without scripts nothing reads at all."""
    page = open_page(scripts=scripts)
    page.add_init_script(VOICES)
    page.goto(f"{stand.ask()[1]}?lang=en")
    assert page.locator("[data-read] button").count() == 0
