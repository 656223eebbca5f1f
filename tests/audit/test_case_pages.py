"""One case, as it was known at any moment: what rests on what, what is missing, and who looked."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.services import a_port
from services.accounts.facts import AccountConfirmed, AccountOpened
from services.audit.history import History, open_history
from services.audit.pages.cases import Case, Happened, read_case
from services.audit.pages.drawing import timeline
from services.audit.pages.fact_words import FACTS
from services.audit.pages.gating import masked
from services.audit.pages.lanes import LANES, lane_of
from services.audit.pages.links import ELSEWHERE, links
from services.audit.pages.moments import NoMoment, moment, of_step
from services.audit.pages.words import WORDS
from services.audit.replaying import seen
from services.consent.facts import (
    ConsentGiven,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    IdentityCaptured,
    NoticeServed,
    SignatureAsked,
)
from shared.ledger.states import state_text
from shared.signing import TrustedKeys
from tests.audit.conftest import Site
from tests.audit.test_pages import text
from tests.support.story import Taken, shown

GROUND = {"ground": "complaint", "case_id": "TT-2023-117"}


@pytest.fixture(scope="module")
def history(taken: Taken) -> Iterator[History]:
    """Give the story's history."""
    with open_history(taken.export) as history:
        yield history


def a_case(history: History, *kinds: type[Any]) -> Case:
    """Return the first case in which all of these happened."""
    for tag in history.logs["consent"].index.tags("consent:", limit=100):
        case = read_case(history, tag)
        if case and all(any(isinstance(one.fact, kind) for one in case.steps) for kind in kinds):
            return case
    raise AssertionError("there is no such case")


def keys(history: History) -> TrustedKeys:
    """Return the consent service's keys."""
    return TrustedKeys.from_jwks(history.jwks())


def path(case: Case) -> str:
    """Return where a case is shown."""
    return f"/cases/{case.subject.noun}/{case.subject.id}"


def opened(site: Site, case: Case) -> str:
    """Give the ground; returns the page that comes then."""
    place = f"{case.subject.noun}/{case.subject.id}"
    answer = site.post(f"/ground/{place}?lang=en", data=GROUND)
    assert answer.status_code == 200
    return answer.text


# -- what rests on what ---------------------------------------------------------------------------


def test_in_the_whole_story_nothing_is_broken(history: History) -> None:
    """Every case: each fact has what it rests on, which happened before it."""
    tags = history.logs["consent"].index.tags("consent:", limit=100)
    for case in (read_case(history, tag) for tag in tags):
        assert case is not None
        for link in links(case, keys(history), whole=True):
            assert link.source is not None, link
            assert link.source.at <= link.target.at


MISSING = [
    (ConsentRequested, "no_question"),
    (NoticeServed, "no_notice"),
    (ConsentGiven, "no_agreement"),
    (SignatureAsked, "no_signature_asked"),
    (IdentityCaptured, "no_capture"),
    (ConsentRedeemed, "no_redemption"),
    (AccountOpened, "no_opening"),
]
"""What is taken away, and what is then said to be missing."""


@pytest.mark.parametrize(("gone", "wrong"), MISSING, ids=[one for _, one in MISSING])
def test_what_is_taken_away_is_missed(history: History, gone: type[Any], wrong: str) -> None:
    """Of a whole account: by whatever rests on it. Of a part of a log nothing can be missed."""
    case = a_case(history, AccountConfirmed)
    left = [one for one in case.happened if not isinstance(one.fact, gone)]
    cut = replace(case, happened=left)
    assert wrong in {one.wrong for one in links(cut, keys(history), whole=True)}
    assert not [one for one in links(cut, keys(history), whole=False) if one.source is None]


def test_what_points_elsewhere_is_broken_even_in_a_part(history: History) -> None:
    """Another's receipt, one that nobody signed, a statement that is not the signed one."""
    case = a_case(history, AccountConfirmed)
    tags = history.logs["consent"].index.tags("consent:", limit=100)
    others = [one for one in (read_case(history, tag) for tag in tags) if one and one != case]
    receipts = [
        one.fact.redemption_receipt
        for other in others
        for one in other.steps
        if isinstance(one.fact, AccountOpened)
    ]
    changes: list[tuple[type[Any], dict[str, str], str]] = [
        (AccountOpened, {"redemption_receipt": "a.b.c"}, "receipt_invalid"),
        (AccountOpened, {"command_hash": "0" * 64}, "receipt_elsewhere"),
        (ConsentRedeemed, {"statement_hash": "0" * 64}, "signed_otherwise"),
        (ConsentGiven, {"statement_hash": "0" * 64}, "signed_otherwise"),
    ]
    for kind, members, wrong in changes:
        changed = [_changed(one, kind, members) for one in case.happened]
        found = links(replace(case, happened=changed), keys(history), whole=False)
        assert wrong in {one.wrong for one in found}
    swapped = [
        _changed(one, AccountOpened, {"redemption_receipt": receipts[0]}) for one in case.happened
    ]
    found = links(replace(case, happened=swapped), keys(history), whole=True)
    assert "no_redemption" in {one.wrong for one in found}


def _changed(one: Happened, kind: type[Any], members: dict[str, str]) -> Happened:
    if not isinstance(one.fact, kind):
        return one
    return replace(one, recorded=replace(one.recorded, fact=replace(one.fact, **members)))


def test_what_stopped_a_use_is_shown_as_that(history: History) -> None:
    """A withdrawal, and the use that was rejected for it."""
    case = a_case(history, ConsentWithdrawn)
    (stop,) = [one for one in links(case, keys(history), whole=True) if one.stops]
    assert stop.source is not None
    assert isinstance(stop.source.fact, ConsentWithdrawn)
    assert stop.target.stored.kind == "redemption.rejected.1"


@given(data=st.data())
def test_a_drawing_loses_nothing_and_nothing_overlaps(taken: Taken, data: st.DataObject) -> None:
    """Whatever is left of a case: each fact a card in its lane, behind the one before; all said."""
    with open_history(taken.export) as history:
        case = a_case(history, AccountConfirmed)
        kept = data.draw(st.lists(st.sampled_from(case.steps), min_size=1, unique_by=id))
        cut = replace(case, happened=[one for one in case.steps if one in kept])
        known = moment(history, data.draw(st.sampled_from(cut.steps)).place)
        found = links(cut, keys(history), whole=True)
        drawn = timeline.draw(cut.steps, found, known, fact_word=str, word=str)
    assert [one.happened for one in drawn.cards] == cut.steps
    assert [one.known for one in drawn.cards] == [known.knows(one) for one in cut.steps]
    rows = [one.y for one in drawn.cards]
    assert all(after - before >= drawn.card_height for before, after in pairwise(rows))
    assert {lane for lane, _ in drawn.lanes} >= {lane_of(one) for one in cut.steps}
    assert [lane for lane, _ in drawn.lanes] == [one for one in LANES if one in dict(drawn.lanes)]
    assert len(drawn.missing) == sum(one.source is None for one in found)
    assert len(drawn.arrows) == sum(one.source is not None for one in found)
    boxes = [(one.x, one.y) for one in drawn.cards] + [(one.x, one.y) for one in drawn.missing]
    assert len(set(boxes)) == len(boxes), "two cards in one place"
    assert all(0 <= x <= drawn.width - drawn.card_width and y < drawn.height for x, y in boxes)


@given(
    st.text("aảbc ", max_size=60)
    | st.sampled_from([one for words in FACTS.values() for one in words])
)
def test_a_card_has_two_lines_at_most(said: str) -> None:
    """None longer than a card is wide; what facts are called is never cut."""
    lines = timeline.wrapped(said)
    assert 1 <= len(lines) <= 2
    assert all(len(one) <= timeline.LETTERS_MAX for one in lines) or " " not in said
    if said in {one for words in FACTS.values() for one in words}:
        assert " ".join(lines) == said


def test_what_is_missing_is_never_cut() -> None:
    """The words for it, in both languages."""
    for words in WORDS.values():
        for wrong in [*(one for _, one in MISSING), *ELSEWHERE, "no_proposal", "no_stop"]:
            assert " ".join(timeline.wrapped(words[wrong])) == words[wrong]


# -- as it was known ------------------------------------------------------------------------------


def test_each_step_is_shown_as_it_was_known(site: Site, history: History) -> None:
    """One after the other: what had happened, what had not, and the state that the rules fold."""
    case = a_case(history, AccountConfirmed)
    opened(site, case)
    for step in range(len(case.steps) + 1):
        page = site.get(path(case), params={"step": step, "lang": "en"})
        assert WORDS["en"]["known_step"].format(step=step, count=len(case.steps)) in page.text
        assert page.text.count('<tr class="later">') == len(case.steps) - step
        at = page.url.params.get("at")
        assert at == (None if step == len(case.steps) else of_step(case, step))
        (state,) = re.findall(r'<pre id="state">(.*?)</pre>', page.text, re.DOTALL)
        said = json.loads(unescape(state))
        known = moment(history, at).known
        folded = seen(history.logs["consent"], case.subject, known["consent"])
        wanted = json.loads(state_text(folded.state)) if folded else None
        assert said.get(f"consent {case.tag}") == wanted


def test_a_moment_is_a_position_or_a_time(history: History) -> None:
    """The same one either way; of the other log what was recorded until then, and no more."""
    for log in history.logs.values():
        for fact in log.facts():
            by_place = moment(history, f"{log.name}:{fact.position}")
            by_time = moment(history, fact.recorded_at.isoformat())
            assert by_place.known[log.name] == fact.position <= by_time.known[log.name]
            assert by_place.at == by_time.at
            for other in history.logs.values():
                behind = other.at(by_place.known[other.name] + 1)
                assert other is log or behind is None or behind.recorded_at > fact.recorded_at
    noon = moment(history, "2023-08-09T09:00")
    assert noon.at is not None
    assert noon.at.isoformat() == "2023-08-09T09:00:00+07:00"
    for text_ in ("moon:3", "consent:99999", "consent:x", "tomorrow", "2023-13-01"):
        with pytest.raises(NoMoment):
            moment(history, text_)


def test_a_moment_that_is_none_is_said(site: Site, history: History) -> None:
    """And everything is shown meanwhile."""
    case = a_case(history, AccountConfirmed)
    opened(site, case)
    answer = site.get(path(case), params={"at": "soon", "lang": "en"})
    assert answer.status_code == 422
    assert WORDS["en"]["moment_wrong"] in answer.text
    assert '<tr class="later">' not in answer.text


def test_an_opening_is_shown_with_its_question(site: Site, history: History) -> None:
    """The case of an account is that of its consent; one that was rejected stands alone."""
    case = a_case(history, AccountConfirmed)
    (opening_id,) = case.openings
    opened(site, case)
    answer = site.get(f"/cases/opening/{opening_id}?lang=en")
    assert str(answer.url.path) == path(case)
    alone = read_case(history, _rejected(history))
    assert alone is not None
    assert alone.consents == []
    page = opened(site, alone)
    assert WORDS["en"]["account_rejected"] in page


def _rejected(history: History) -> str:
    """Return an opening that no consent led to."""
    log = history.logs["accounts"]
    by_kind = {fact.kind: fact for fact in log.facts()}
    return next(one for one in by_kind["opening.rejected.1"].tags if one.startswith("opening:"))


# -- who looks ------------------------------------------------------------------------------------


@contextmanager
def noted(taken: Taken, folder: Path) -> Iterator[tuple[Site, Path]]:
    """Give pages of a copy without services, and the file in which looks are noted."""
    place = folder / "export"
    place.symlink_to(taken.export, target_is_directory=True)
    with shown(place) as base, httpx.Client(base_url=base, follow_redirects=True) as site:
        yield site, folder / "export.looks.ndjson"


def test_nothing_of_a_case_is_shown_before_its_ground(
    taken: Taken, history: History, tmp_path: Path
) -> None:
    """No id of the person and no step; then the look is noted first, once, and all is shown."""
    case = a_case(history, AccountConfirmed)
    assert case.citizen_id
    with noted(taken, tmp_path) as (site, file):
        masked = site.get(f"{path(case)}?lang=en")
        assert masked.status_code == 200
        assert WORDS["en"]["ground_what"] in text(masked.text)
        for hidden in (case.citizen_id, *case.openings, "Agrees, and signs"):
            assert hidden not in masked.text
        assert WORDS["en"]["looks_local"].format(file=file.name) in unescape(masked.text)
        for wrong in ({}, {"ground": "complaint"}, {"case_id": "x"}, {**GROUND, "ground": "fun"}):
            answer = site.post(f"/ground/consent/{case.subject.id}?lang=en", data=wrong)
            assert answer.status_code == 422
            assert case.citizen_id not in answer.text
        assert not file.exists()
        assert WORDS["en"]["ground_read"] not in masked.text
        for _ in range(3):
            assert case.citizen_id in opened(site, case)
        lines = [json.loads(one) for one in file.read_text().splitlines()]
    assert [(one["ground"], one["case_id"], one["citizen_id"]) for one in lines] == [
        ("complaint", "TT-2023-117", case.citizen_id)
    ] * 2
    assert [one.get("consent_ids") or one.get("opening_ids") for one in lines] == [
        case.consents,
        case.openings,
    ]


def test_what_cannot_be_noted_is_not_shown(taken: Taken, history: History, tmp_path: Path) -> None:
    """Where the file cannot be written, nothing comes but that."""
    case = a_case(history, AccountConfirmed)
    with noted(taken, tmp_path) as (site, file):
        file.mkdir()
        answer = site.post(f"/ground/consent/{case.subject.id}?lang=en", data=GROUND)
        assert answer.status_code == 503
        assert WORDS["en"]["not_recorded"] in answer.text
        assert str(case.citizen_id) not in answer.text


def test_a_refusal_names_nobody(site: Site, history: History) -> None:
    """Not in its story, nor its state, nor any of its facts; the looks at it are recorded."""
    case = a_case(history, ConsentRefused)
    people = {getattr(one.fact, "citizen_id", None) for one in case.happened} - {None}
    page = opened(site, case)
    assert WORDS["en"]["case_nobody"] in page
    pages = [page, *(site.get(f"/facts/{one.log}/{one.position}").text for one in case.happened)]
    for one in pages:
        assert not [person for person in people if str(person) in one]


IDS = ["c-1", "c-f00", "4f1c"]


@given(
    st.recursive(
        st.sampled_from(
            ["gdv-01", *(f"{by}citizen:{one}" for one in IDS for by in ("", "asked_by:"))]
        )
        | st.integers()
        | st.none(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["asked_by", "why", "of"]), inner)
            | st.fixed_dictionaries({"citizen_id": st.sampled_from(IDS), "statement": inner})
        ),
    )
)
def test_what_is_masked_has_no_id_of_a_person(document: Any) -> None:
    """However deep; whoever is no citizen stays, and what is empty stays empty."""
    said = json.dumps(masked(document))
    assert not [one for one in IDS if f'"{one}"' in said or f"citizen:{one}" in said]
    assert said.count("gdv-01") == json.dumps(document).count("gdv-01")
    assert masked({"citizen_id": None}) == {"citizen_id": None}


def at_services(taken: Taken, **changed: str) -> dict[str, Any]:
    """Return what `pages` is told of services that run."""
    services = taken.services
    urls = {"consent": services.consent.url, "accounts": services.accounts.url, **changed}
    return {**urls, "token_file": taken.token}


def looks_in(taken: Taken, case: Case) -> list[dict[str, Any]]:
    """Return what both services recorded of looks at a case, on a ground."""
    headers, found = taken.tokens.header("regulator"), list[dict[str, Any]]()
    for service in (taken.services.consent, taken.services.accounts):
        path = f"{service.url}/log?limit=1000&tag={case.tag}"
        page = httpx.get(path, headers=headers).json()
        found += [one["data"] for one in page["facts"] if one["data"].get("ground")]
    return found


def test_in_reach_of_the_services_each_look_is_a_fact_of_theirs(
    taken: Taken, history: History
) -> None:
    """Before anything is shown, at both, with ground and case; nothing is said of a file."""
    case = a_case(history, AccountConfirmed)
    assert looks_in(taken, case) == []
    with (
        shown(taken.export, **at_services(taken)) as base,
        httpx.Client(base_url=base, follow_redirects=True) as site,
    ):
        assert "aside" not in site.get("/").text
        assert WORDS["en"]["ground_read"] in site.get(f"{path(case)}?lang=en").text
        for _ in range(2):
            assert str(case.citizen_id) in opened(site, case)
        site.get(f"/facts/consent/{case.happened[0].position}")
    consent, accounts = looks_in(taken, case)
    for look in (consent, accounts):
        assert (look["ground"], look["case_id"]) == ("complaint", "TT-2023-117")
        assert (look["read_by"], look["fields"]) == ("regulator:nhnn", ["history"])
        assert look["citizen_id"] == case.citizen_id
    assert [accounts["opening_id"]] == case.openings


@pytest.mark.parametrize("gone", ["consent", "accounts"])
def test_where_a_service_does_not_answer_nothing_is_shown(
    taken: Taken, history: History, gone: str
) -> None:
    """Neither with one of the two alone, nor with a token that may not look."""
    case = a_case(history, AccountConfirmed)
    bank = taken.folder / "bank-token"
    bank.write_text(taken.tokens.by_holder["so-viet"])
    closed = at_services(taken, **{gone: f"http://127.0.0.1:{a_port(0)}"})
    for named in (closed, {**at_services(taken), gone: None}, {**closed, "token_file": bank}):
        with (
            shown(taken.export, **named) as base,
            httpx.Client(base_url=base, follow_redirects=True) as site,
        ):
            answer = site.post(f"/ground/consent/{case.subject.id}?lang=en", data=GROUND)
            assert answer.status_code == 503
            assert WORDS["en"]["not_recorded"] in answer.text
            assert str(case.citizen_id) not in answer.text
            fact = site.get(f"/facts/consent/{case.happened[0].position}?lang=en")
            assert fact.status_code == 503
            assert str(case.citizen_id) not in fact.text
