"""Two witnesses in a real browser, each with their own device, under every page's strict policy."""

import hashlib
import re
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import Page

from demo.cast import Citizen
from tests.browser.conftest import Device, OpenPage, Stand, Watch, is_clean
from tests.browser.test_citizen import press

PAPER = b"a picture of a paper with a thumbprint"

WORDS = {
    "vi": ("Tôi nhận làm chứng bằng máy này", "Đồng ý", "Tôi nghe đúng như vậy, tôi ký"),
    "en": ("I will be a witness, with this device", "I agree", "I heard the same, and I sign"),
}
"""Of each language: the buttons on the way."""


def operator(stand: Stand, address: str, body: dict[str, object], holder: str = "operator") -> None:
    """Put something, as the operator or whoever else."""
    answer = stand.client.put(address, json=body, headers=stand.tokens.header(holder))
    answer.raise_for_status()


def invited(stand: Stand, number: int) -> tuple[str, str]:
    """Invite somebody; returns their id and the link that came to their phone."""
    own_id, phone = f"nc-{secrets.token_hex(4)}", f"+8493000{secrets.randbelow(10**4):04d}"
    operator(stand, f"/witnesses/{own_id}", {"organisation_id": f"thon-{number}", "phone": phone})
    sent = stand.client.get("/sandbox/outbox", params={"phone": phone}).json()
    return own_id, re.findall(r"http\S+/w/\S+", sent[-1]["text"])[-1]


def asked(stand: Stand, *witness_ids: str) -> str:
    """Ask a citizen without a phone, and name two witnesses; returns the consent's id."""
    citizen = Citizen(f"c-{secrets.token_hex(8)}", "Một người", "")
    operator(stand, f"/citizens/{citizen.id}", {"phone": None})
    consent_id = stand.ask_again(citizen).rpartition("/")[2].partition(".")[0]
    operator(
        stand, f"/consents/{consent_id}/witnesses", {"witness_ids": list(witness_ids)}, "gdv-01"
    )
    return consent_id


def ready(page: Page, link: str, device: Device, lang: str) -> None:
    """Become a witness with the page's own device."""
    device(page)
    page.goto(f"{link}?lang={lang}")
    is_clean(page)
    press(page, page.get_by_role("button", name=WORDS[lang][0], exact=True))
    is_clean(page)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_two_fingers_bear_out_what_was_said(
    stand: Stand, open_page: OpenPage, watch: Watch, *, device: Device, lang: str, tmp_path: Path
) -> None:
    """Read out, press what was said, sign; the other signs the same; the paper's hash is theirs."""
    first, second = open_page(scripts=True), open_page(scripts=True)
    people = [invited(stand, number) for number in (1, 2)]
    for page, (_, link) in zip((first, second), people, strict=True):
        ready(page, link, device, lang)
    consent_id = asked(stand, *(own_id for own_id, _ in people))
    paper = tmp_path / "paper.png"
    paper.write_bytes(PAPER)
    _, agree, same = WORDS[lang]
    first.reload()
    press(first, first.locator(".keys a"))
    first.locator("#scan").set_input_files(paper)
    hashed = hashlib.sha256(PAPER).hexdigest()
    first.get_by_text(hashed).wait_for()
    is_clean(first)
    first.screenshot(path=tmp_path / f"{lang}-first.png", full_page=True)
    press(first, first.get_by_role("button", name=agree, exact=True))
    first.screenshot(path=tmp_path / f"{lang}-signed.png", full_page=True)
    second.goto(f"{people[1][1]}/{consent_id}?lang={lang}")
    assert second.get_by_text(hashed).count() == 1
    is_clean(second)
    second.screenshot(path=tmp_path / f"{lang}-second.png", full_page=True)
    press(second, second.get_by_role("button", name=same, exact=True))
    second.screenshot(path=tmp_path / f"{lang}-decided.png", full_page=True)
    log = stand.client.get(f"/consents/{consent_id}", headers=stand.tokens.header("gdv-01")).json()
    assert log["standing"] == "waiting"
    assert watch.complaints == []
    assert not [one for one in watch.requests if PAPER in (one.post_data_buffer or b"")]


def test_without_scripts_it_only_shows(stand: Stand, open_page: OpenPage, device: Device) -> None:
    """No button can be pressed that would do nothing, and the page says why."""
    with_scripts, without = open_page(scripts=True), open_page()
    people = [invited(stand, number) for number in (3, 4)]
    for _, link in people:
        page = open_page(scripts=True)
        ready(page, link, device, "vi")
    consent_id = asked(stand, *(own_id for own_id, _ in people))
    without.goto(f"{people[0][1]}/{consent_id}")
    assert without.get_by_role("button", name="Đồng ý", exact=True).is_disabled()
    assert without.locator("noscript").count() == 1
    with_scripts.goto(f"{people[0][1]}/{consent_id}")
    assert with_scripts.get_by_role("button", name="Đồng ý", exact=True).is_enabled()
