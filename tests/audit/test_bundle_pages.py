"""Evidence to take away from the pages: whole, checked, and on a ground for each case in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from services.accounts.facts import AccountConfirmed
from services.audit import __main__ as audit
from services.audit.bundle_checking import check_bundle
from services.audit.checking import Trust
from services.audit.history import History, open_history
from services.audit.pages import bundle_pages
from services.audit.pages.words import WORDS
from services.audit.reading import opened_export
from shared.ledger.log import about
from shared.ledger.verify import trusted_keys
from tests.audit.conftest import Site
from tests.audit.test_case_pages import GROUND, a_case, noted
from tests.audit.test_pages import text
from tests.support.story import Taken, addresses, shown


@pytest.fixture(scope="module")
def history(taken: Taken) -> Iterator[History]:
    """Give the story's history."""
    with open_history(taken.export) as history:
        yield history


@contextmanager
def downloaded(site: Site, path: str, place: Path) -> Iterator[Path]:
    """Give what is downloaded, as a file."""
    answer = site.post(f"{path}?lang=en", data=GROUND)
    assert answer.status_code == 200, text(answer.text)
    assert answer.headers["content-type"] == "application/zip"
    place.write_bytes(answer.content)
    yield place


def test_each_kind_of_bundle_is_right_and_each_case_in_it_was_looked_at(
    taken: Taken, history: History, tmp_path: Path
) -> None:
    """Of a case, its citizen, the clerk and the office: checked alone; a line for each case."""
    case = a_case(history, AccountConfirmed)
    trust = Trust(trusted_keys(taken.keys.read_text().splitlines()))
    with noted(taken, tmp_path) as (site, file):
        for noun, own_id in (
            ("consent", case.subject.id),
            ("citizen", str(case.citizen_id)),
            ("clerk", "gdv-01"),
            ("office", "bd-huong-hoa"),
        ):
            place = tmp_path / f"{noun}.zip"
            with (
                downloaded(site, f"/bundles/{noun}/{own_id}", place) as zipped,
                opened_export(zipped) as bundle,
            ):
                assert check_bundle(bundle, trust).findings == []
        looked = [json.loads(one) for one in file.read_text().splitlines()]
    assert {(one["ground"], one["case_id"]) for one in looked} == {("complaint", "TT-2023-117")}
    seen = {f"consent:{own}" for one in looked for own in one.get("consent_ids", [])}
    log = history.logs["consent"]
    of_office = {
        tag
        for fact in log.found(about("office:bd-huong-hoa"))
        for tag in fact.tags
        if tag.startswith("consent:")
    }
    assert of_office <= seen


def test_without_a_ground_nothing_is_handed_out(site: Site, history: History) -> None:
    """Neither by the form that is empty, nor of what is not there."""
    case = a_case(history, AccountConfirmed)
    path = f"/bundles/citizen/{case.citizen_id}"
    form = site.get(f"/bundles/consent/{case.subject.id}?lang=en")
    assert WORDS["en"]["bundle_what"] in text(form.text)
    assert str(case.citizen_id) not in form.text
    for data in ({}, {"ground": "complaint"}, {"case_id": "x"}):
        answer = site.post(path, data=data)
        assert answer.status_code == 422
        assert answer.headers["content-type"].startswith("text/html")
    assert site.get("/bundles/moon/x").status_code == 404
    assert site.get("/bundles/clerk/nobody").status_code == 404


def test_why_there_is_no_bundle_is_said(
    taken: Taken, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a part of a log none can be made; one of too many cases is the command's."""
    part = tmp_path / "part"
    assert audit.main(["export", str(part), *addresses(taken), "--bank", "so-viet"]) == 0
    with open_history(part) as history:
        case = a_case(history, AccountConfirmed)
    with shown(part) as base, httpx.Client(base_url=base) as of_part:
        answer = of_part.post(f"/bundles/consent/{case.subject.id}?lang=en", data=GROUND)
        assert answer.status_code == 409
        assert WORDS["en"]["not_bundled"] in answer.text
    monkeypatch.setattr(bundle_pages, "CASES_MAX", 3)
    answer = site.get("/bundles/clerk/gdv-01?lang=en")
    assert answer.status_code == 409
    assert "more than 3 cases" in answer.text


def test_what_cannot_be_looked_at_is_not_handed_out(
    taken: Taken, history: History, tmp_path: Path
) -> None:
    """The file of looks cannot be written: no zip."""
    case = a_case(history, AccountConfirmed)
    with noted(taken, tmp_path) as (site, file):
        file.mkdir()
        answer = site.post(f"/bundles/consent/{case.subject.id}?lang=en", data=GROUND)
        assert answer.status_code == 503
        assert answer.headers["content-type"].startswith("text/html")
