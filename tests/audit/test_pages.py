"""The regulator's pages over HTTP: what the export is, what is found in it, each fact's proof."""

import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from demo.cast import BANKS, OFFICE, SITE
from demo.services import a_port
from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.audit import __main__ as audit
from services.audit.export import LogName
from services.audit.history import open_history
from services.audit.laws import LAWS
from services.audit.pages.fact_words import FACTS
from services.audit.pages.rendering import SECURITY_HEADERS
from services.audit.pages.searching import NOUNS, search
from services.audit.pages.verifying import judged
from services.audit.pages.words import WORDS
from services.audit.writing import is_zip
from services.consent.facts import VOCABULARY as CONSENT
from shared.clock import day_of
from shared.ledger.log import about
from shared.ledger.merkle import BadProof
from shared.ledger.proofs import Proof
from shared.ledger.verify import trusted_keys
from tests.audit.conftest import Site
from tests.support.story import Taken, addresses, planted, shown
from tests.support.tampering import in_line

TRIES, TRY_EVERY_S = 200, 0.05

PRESSED_MAX = 40
"""Links of one page, and of those that it leads to, that are followed."""


def text(page: str) -> str:
    """Return what a page says."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def checked(site: Site, path: str = "/?lang=en") -> str:
    """Return the front page, or another, once the export was checked and judged."""
    for _ in range(TRIES):
        page = site.get(path).text
        if "data-again" not in page:
            return page
        time.sleep(TRY_EVERY_S)
    raise AssertionError("it is not checked yet")


def links(page: str) -> set[str]:
    """Return every address that a page leads to."""
    return {unescape(one) for one in re.findall(r'(?:href|action)="([^"#]*)', page)}


# -- the seal -------------------------------------------------------------------------------------


def test_the_front_page_says_that_the_export_is_right(taken: Taken, site: Site) -> None:
    """Both logs with sizes, roots and signatures that the inspector's own keys check."""
    said = text(checked(site))
    assert WORDS["en"]["right_what"] in said
    assert WORDS["en"]["keys_yours"] in said
    with open_history(taken.export) as history:
        for log, one in history.manifest.logs.items():
            assert one.root in said
            counted = history.logs[log].index.counts()
            assert sum(counted.values()) == one.size
            assert all(f"{kind} {count}" in said for kind, count in counted.items())
    assert said.count("localhost/witness (COSIGNATURE) checked") == 2
    assert said.count("(ML-DSA-44) checked") == 2
    assert WORDS["en"]["unchecked"] not in said


def test_what_was_changed_is_named_with_its_place(taken: Taken, tmp_path: Path) -> None:
    """A fact that is not the sealed one: the verdict says so, and its proof leads elsewhere."""
    export = Path(shutil.copytree(taken.export, tmp_path / "changed"))
    with open_history(taken.export) as history:
        position = history.logs["consent"].found(about("office:bd-huong-hoa"))[0].position
    in_line(position, b"Huong|H\xc6\xb0\xe1\xbb\x9bng", b"Khe")(export)
    with shown(export) as base, httpx.Client(base_url=base) as site:
        page = checked(site)
        assert WORDS["en"]["wrong_what"] in page
        assert f"/facts/consent/{position}?lang=en" in links(page)
        proof = text(site.get(f"/facts/consent/{position}?lang=en").text)
        assert "Wrong. This fact does not lead to the signed root" in proof
        other = text(site.get(f"/facts/consent/{position - 1}?lang=en").text)
        assert "Right. From this fact" in other


def test_without_keys_it_says_that_they_are_the_exports_own(taken: Taken) -> None:
    """Nobody is led to believe more than was checked; the same from a zip."""
    place = Path(shutil.make_archive(str(taken.folder / "same"), "zip", taken.export))
    assert is_zip(place)
    with shown(place) as base, httpx.Client(base_url=base) as site:
        said = text(checked(site))
        assert WORDS["en"]["keys_own"] in said
        assert WORDS["en"]["right_what"] in said
        assert WORDS["en"]["unchecked"] in said, "nobody knows the witness"


# -- the laws -------------------------------------------------------------------------------------


def test_in_the_story_every_law_holds(site: Site) -> None:
    """Said on the front page, and of each law by number and in both languages."""
    front, page = text(checked(site)), text(checked(site, "/laws?lang=vi"))
    assert WORDS["en"]["laws_none"].format(count=len(LAWS)) in front
    assert WORDS["vi"]["laws_none"].format(count=len(LAWS)) in page
    assert all(law.vi in page for law in LAWS.values())


def test_a_violation_is_listed_with_its_place(taken: Taken, tmp_path: Path) -> None:
    """An account without a use: law 2, the account's position, and a link to it."""
    copy = planted(taken.export, tmp_path / "planted")
    with shown(copy) as base, httpx.Client(base_url=base) as site:
        page = checked(site, "/laws?lang=en")
        with open_history(copy) as history:
            found = judged(history)
        assert found is not None
        account = next(one for one in found.violations if (one.law, one.log) == (2, "accounts"))
        assert f"/facts/accounts/{account.positions[0]}?lang=en" in links(page)
        assert LAWS[2].en in text(page)
        assert account.sentence in text(page)
        assert f"✕ {WORDS['en']['laws_some'].format(count=len(found.violations))}" in text(
            checked(site)
        )


def test_of_a_part_no_law_is_judged(taken: Taken, tmp_path: Path) -> None:
    """What is not in it would look like a violation."""
    part, named = tmp_path / "part", addresses(taken)
    assert audit.main(["export", str(part), *named, "--bank", "so-viet"]) == 0
    with shown(part) as base, httpx.Client(base_url=base) as site:
        assert WORDS["en"]["laws_part"] in checked(site, "/laws?lang=en")
        said = text(checked(site))
        assert WORDS["en"]["right_part"] in said
        with open_history(part) as history:
            position = history.logs["consent"].last()
        assert "Right. From this fact" in text(site.get(f"/facts/consent/{position}?lang=en").text)


# -- every page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_link_leads_to_a_page_with_every_header(site: Site, lang: str) -> None:
    """Whatever is reached in three presses: there, guarded, in one language, from nowhere else."""
    waiting, seen = {f"/?lang={lang}", f"/search?q=gdv&lang={lang}"}, set[str]()
    for _ in range(3):
        found = set[str]()
        for path in sorted(waiting - seen)[:PRESSED_MAX]:
            answer = site.get(path)
            assert answer.status_code == 200, path
            assert f'<html lang="{lang}">' in answer.text
            assert all(answer.headers[name] == one for name, one in SECURITY_HEADERS.items())
            assert not [one for one in links(answer.text) if urlsplit(one).netloc]
            seen.add(path)
            found |= {one for one in links(answer.text) if f"lang={lang}" in one}
        waiting = found
    assert len(seen) > PRESSED_MAX


def test_a_stranger_is_not_answered(site: Site) -> None:
    """A name that somebody else leads to loopback, and a form of somebody else's page."""
    assert site.get("/", headers={"Host": "evil.example"}).status_code == 403
    for origin in ("http://evil.example", "null"):
        answer = site.post("/ground/citizen/c", headers={"Origin": origin})
        assert answer.status_code == 403
    assert site.get("/", headers={"Host": "localhost:1"}).status_code == 200
    style = site.get("/static/page.css")
    assert style.headers["x-content-type-options"] == "nosniff"
    assert "@import" not in style.text
    assert "url(" not in style.text


@pytest.mark.parametrize(
    "path", ["/zzz", "/facts/consent/99999", "/facts/moon/1", "/days/x/consent"]
)
def test_what_is_not_there_is_a_page_too(site: Site, path: str) -> None:
    """In the reader's language, with the same headers."""
    answer = site.get(path, headers={"Accept-Language": "en-GB,en;q=0.9,vi;q=0.8"})
    assert answer.status_code == 404
    assert WORDS["en"]["not_found"] in answer.text
    assert answer.headers["content-security-policy"] == SECURITY_HEADERS["Content-Security-Policy"]


def test_words_are_there_in_both_languages() -> None:
    """The same names, none empty; every fact of both logs is called something."""
    assert WORDS["vi"].keys() == WORDS["en"].keys()
    assert all(one for words in WORDS.values() for one in words.values())
    assert FACTS.keys() == CONSENT.facts.keys() | ACCOUNTS.facts.keys()


# -- search ---------------------------------------------------------------------------------------


def test_an_id_is_found_by_its_beginning_and_a_place_by_its_name(taken: Taken) -> None:
    """Each subject of the story by its first letters; people's names by part of them."""
    with open_history(taken.export) as history:
        for noun in NOUNS:
            for log in history.logs.values():
                for tag in log.index.tags(f"{noun}:", limit=3):
                    own_id = tag.partition(":")[2]
                    found = search(history, own_id)
                    assert any(one.id == own_id and one.noun == noun for one in found.subjects)
        for name, noun in ((OFFICE[1], "office"), (SITE[1], "site"), (BANKS["so-viet"], "bank")):
            found = search(history, name[4:12].upper())
            assert name in [one.name for one in found.subjects if one.noun == noun]
        assert search(history, "no-such-thing-anywhere").subjects == () or True


def test_a_citizens_id_is_masked_until_somebody_has_it(taken: Taken, site: Site) -> None:
    """A beginning shows no whole id, neither in text nor in an address; a whole one is linked."""
    people = [one.id for one in taken.people]
    page = site.get("/search?q=c-&lang=en").text
    assert WORDS["en"]["masked"] in page
    assert not [one for one in people if one in page]
    assert f"/cases/citizen/{people[0]}" in site.get(f"/search?q={people[0]}&lang=en").text


def test_a_position_and_a_day_are_found(taken: Taken, site: Site) -> None:
    """A number in both logs, a day however it is written, and the facts of it in order."""
    found = links(site.get("/search?q=7&lang=en").text)
    assert {"/facts/consent/7?lang=en", "/facts/accounts/7?lang=en"} <= found
    assert "/facts/accounts/7?lang=en" not in links(site.get("/search?q=consent:7&lang=en").text)
    for day in ("2023-08-09", "09/08/2023", "9.8.2023"):
        found = links(site.get("/search", params={"q": day, "lang": "en"}).text)
        assert "/days/2023-08-09/consent?lang=en" in found
    page = site.get("/days/2023-08-10/consent?lang=en").text
    with open_history(taken.export) as history:
        log = history.logs["consent"]
        wanted = [one for one in log.facts() if day_of(one.recorded_at) == date(2023, 8, 10)]
    assert f"{len(wanted)} facts on this day" in text(page)
    found_there = [int(one) for one in re.findall(r"/facts/consent/(\d+)", page)]
    assert found_there == [one.position for one in wanted]
    assert WORDS["en"]["day_none"] in site.get("/days/2023-08-11/consent?lang=en").text


# -- one fact -------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", ["consent", "accounts"])
def test_every_proof_is_one_that_anybody_can_check(taken: Taken, site: Site, log: LogName) -> None:
    """Wherever it lies, as the file that is downloaded, with the log's keys alone."""
    keys = trusted_keys(taken.keys.read_text().splitlines())
    with open_history(taken.export) as history:
        facts, origin = list(history.logs[log].facts()), history.logs[log].origin
    for fact in [*facts[::9], facts[-1]]:
        answer = site.get(f"/proofs/{log}/{fact.position}.tlog-proof")
        assert "attachment" in answer.headers["content-disposition"]
        proof = Proof.parse(answer.text)
        assert proof.check(fact.entry(), origin, keys).size == len(facts)
        assert proof.index == fact.position - 1
        other = msgspec.structs.replace(fact, data=b"{}")
        with pytest.raises(BadProof):
            proof.check(other.entry(), origin, keys)


def test_a_fact_of_the_directory_is_shown_and_one_of_a_person_is_not(
    taken: Taken, site: Site
) -> None:
    """The office's name stands there; of a question there is its proof, and no id of anybody."""
    with open_history(taken.export) as history:
        log = history.logs["consent"]
        by_kind = {fact.kind: fact for fact in log.facts()}
    page = site.get(f"/facts/consent/{by_kind['office.registered.1'].position}?lang=en").text
    assert OFFICE[1] in unescape(page)
    for kind in ("consent.requested.1", "consent.given.1", "citizen.registered.1"):
        page = site.get(f"/facts/consent/{by_kind[kind].position}?lang=en").text
        assert WORDS["en"]["fact_masked"] in page
        assert "Right. From this fact" in text(page)
        assert not [one.id for one in taken.people if one.id in page]


# -- the command ----------------------------------------------------------------------------------


def test_the_command_serves_until_it_is_interrupted(taken: Taken) -> None:
    """A process of its own, on loopback, which says where; Ctrl-C ends it with 0."""
    port = a_port(0)
    command = [sys.executable, "-m", "services.audit", "pages", str(taken.export)]
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"http://127.0.0.1:{port}/ shows")
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(transport=transport) as client:
            assert client.get(f"http://127.0.0.1:{port}/").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


def test_what_hinders_the_command_is_said(
    taken: Taken, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No export, keys that are none, services without a token: 2, and why."""
    (tmp_path / "none").write_text("")
    for arguments, why in (
        ([tmp_path / "nowhere"], "there is no"),
        ([taken.export, "--keys", tmp_path / "none"], "has no keys"),
        ([taken.export, "--consent", "http://127.0.0.1:1"], "--token-file"),
    ):
        assert audit.main(["pages", *map(str, arguments)]) == 2
        assert why in capsys.readouterr().err
