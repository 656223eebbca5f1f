"""Clerks, offices, places and banks: every right, stop and attempt, and nobody's case."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.cast import BANKS, CLERKS, OFFICE, SITE
from services.audit.history import History, open_history
from services.audit.pages.cases import Happened
from services.audit.pages.drawing import bars, periods
from services.audit.pages.places import LISTED, NOUNS, Period, Span, period_of, read_place
from services.audit.pages.words import WORDS
from services.consent.facts import VOCABULARY as CONSENT
from services.consent.facts import Right
from shared.clock import VIETNAM, day_of
from shared.ledger.facts import Recorded
from shared.ledger.recorder import StoredFact
from tests.audit.conftest import Site
from tests.audit.test_case_pages import GROUND
from tests.audit.test_pages import links, text
from tests.support.given import AT
from tests.support.samples import right
from tests.support.story import Taken, shown

PLACES = [
    *(("clerk", one) for one in CLERKS),
    *(("bank", one) for one in BANKS),
    ("office", OFFICE[0]),
    ("site", SITE[0]),
]
MORNING = Period(date(2023, 8, 9), date(2023, 8, 11))
BY = ("asked_by", "commanded_by", "redeemed_by")


@pytest.fixture(scope="module")
def history(taken: Taken) -> Iterator[History]:
    """Give the story's history."""
    with open_history(taken.export) as history:
        yield history


def facts(history: History) -> Iterator[tuple[str, Any]]:
    """Yield everything: its kind, and what it says."""
    for log in history.logs.values():
        for stored in log.facts():
            yield stored.kind, log.decoded(stored).fact


@pytest.mark.parametrize(("noun", "own_id"), PLACES, ids=[one for _, one in PLACES])
def test_what_is_counted_is_what_the_logs_have(history: History, noun: str, own_id: str) -> None:
    """Each kind, and each attempt there or in its own name: counted once, none left out."""
    place = read_place(history, noun, own_id, MORNING)
    assert place is not None
    named = f"{noun}_id"
    of_it = [(kind, one) for kind, one in facts(history) if getattr(one, named, None) == own_id]
    for listed in place.listed:
        kind = LISTED[listed.name]
        has_tag = any(tag == noun for tag in kind.TAGS)
        assert listed.count == sum(isinstance(one, kind) for _, one in of_it if has_tag)
        assert len(listed.newest) == listed.count
    role = {"clerk": "clerk", "bank": "bank", "office": "manager"}.get(noun)
    tried = [
        one
        for kind, one in facts(history)
        if ".rejected." in kind
        and (
            getattr(one, named, None) == own_id
            or (role and any(getattr(one, by, None) == f"{role}:{own_id}" for by in BY))
        )
    ]
    assert place.attempts.count == len(tried)
    assert place.attempts.reasons == Counter(why for one in tried for why in set(one.reasons))
    first = Counter(one.reasons[0] for one in tried)
    assert sum(place.attempts.by_day.values(), Counter[str]()) == first


def test_days_are_those_that_are_asked_for(history: History) -> None:
    """By default the last of the export; a day is Vietnam's; none can be upside down."""
    default = period_of(history, None, None)
    assert default.days[-1] == date(2023, 8, 10)
    assert len(default.days) == 31
    before = read_place(history, "clerk", "gdv-01", Period(date(2023, 8, 1), date(2023, 8, 9)))
    assert before is not None
    assert before.attempts.count == 0
    assert before.spans, "rights have no days"
    assert len(period_of(history, date(2023, 8, 9), date(2023, 8, 1)).days) == 1
    assert len(period_of(history, date(1900, 1, 1), None).days) == 366


@pytest.mark.parametrize(("noun", "own_id"), PLACES, ids=[one for _, one in PLACES])
def test_a_page_of_a_place_names_no_person(
    taken: Taken, site: Site, noun: str, own_id: str
) -> None:
    """Not one id of a citizen, in either language; every drawing has its table beside it."""
    for lang in ("vi", "en"):
        page = site.get(f"/places/{noun}/{own_id}?lang={lang}").text
        assert not [one.id for one in taken.people if one.id in page]
        assert page.count('<svg class="drawing') == page.count('<table id="')


def test_what_is_no_place_is_not_there(site: Site) -> None:
    """Another noun, and an id that nothing names."""
    for path in ("/places/citizen/c-1", "/places/clerk/nobody", "/places/suspension/none"):
        assert site.get(path).status_code == 404


def test_a_citizens_page_has_all_that_is_in_their_name(
    taken: Taken, site: Site, history: History
) -> None:
    """Before the ground nothing; then questions, accounts, attempts and looks, but no refusal."""
    refused = {one.consent_id for kind, one in facts(history) if kind == "consent.refused.1"}
    for person in taken.people:
        own = [one for _, one in facts(history) if getattr(one, "citizen_id", None) == person.id]
        path = f"/cases/citizen/{person.id}?lang=en"
        masked = site.get(path).text
        assert WORDS["en"]["citizen_title"] not in text(masked)
        page = site.post(f"/ground/citizen/{person.id}?lang=en", data=GROUND).text
        cases = {one.consent_id for one in own if getattr(one, "consent_id", None)} - refused
        found = {one for one in links(page) if "/cases/consent/" in one}
        asked = {one for one in cases if f"/cases/consent/{one}?lang=en" in found}
        opened = {one.consent_id for one in own if type(one).__name__ == "ConsentRequested"}
        assert asked == opened - refused
        assert not [one for one in refused if one in page]
        attempts = [
            one
            for one in own
            if type(one).__name__.endswith("Rejected")
            and getattr(one, "consent_id", None) not in refused
        ]
        shown = page.partition('<table id="attempts">')[2].partition("</table>")[0]
        assert shown.count("<tr><td") == len(attempts)


def test_a_citizen_is_reached_from_a_fact_without_being_named(taken: Taken) -> None:
    """By where a fact of theirs lies; the form leads on to their page."""
    with open_history(taken.export) as history:
        facts_ = history.logs["consent"].facts()
        position = next(one.position for one in facts_ if one.kind == "consent.given.1")
    path = f"at/consent/{position}?lang=en"
    with (
        shown(taken.export) as base,
        httpx.Client(base_url=base, follow_redirects=True) as site,
    ):
        masked = site.get(f"/citizens/{path}").text
        assert not [one.id for one in taken.people if one.id in masked]
        page = site.post(f"/ground/{path}", data=GROUND).text
        assert len([one.id for one in taken.people if one.id in page]) == 1
        assert WORDS["en"]["citizen_title"] in text(page)
        again = site.get(f"/citizens/{path}")
        assert again.url.path.startswith("/cases/citizen/")


# -- drawings -------------------------------------------------------------------------------------

DAYS = [date(2023, 8, 1) + timedelta(days=one) for one in range(31)]
CODES = [f"r{one}" for one in range(12)]


@given(
    st.dictionaries(
        st.sampled_from(DAYS), st.dictionaries(st.sampled_from(CODES), st.integers(1, 500))
    )
)
def test_bars_are_as_high_as_what_they_stand_for(counted: dict[date, dict[str, int]]) -> None:
    """Each day's parts, together, in proportion; none outside; each pattern in the legend."""
    by_day = {day: Counter(counts) for day, counts in counted.items()}
    drawn = bars.draw(DAYS, by_day)
    if not any(by_day.values()):
        assert drawn is None
        return
    assert drawn is not None
    top = max(count for _, count in drawn.lines)
    heights = defaultdict[float, float](float)
    for part in drawn.parts:
        heights[part.x] += part.height
        assert 0 <= part.y <= part.y + part.height <= drawn.base + 1e-6
    wanted = sorted(sum(counts.values()) for counts in by_day.values() if counts)
    assert [round(one * top / bars.PLOT_HEIGHT) for one in sorted(heights.values())] == wanted
    assert {part.pattern for part in drawn.parts} == {pattern for pattern, _ in drawn.legend}


instants = st.integers(0, 8 * 365 * 24).map(
    lambda hours: datetime(2015, 1, 1, tzinfo=VIETNAM) + timedelta(hours=hours)
)


@given(st.lists(st.tuples(instants, st.none() | instants), min_size=1, max_size=20))
def test_a_right_is_drawn_from_its_beginning_to_its_end(
    times: list[tuple[datetime, datetime | None]],
) -> None:
    """One bar each, none outside the scale, in the order of time; open ones go on."""
    end = datetime(2023, 8, 10, tzinfo=VIETNAM)
    granted: Any = right(Right.TRAINING, "k")
    stored = StoredFact.new(1, AT, CONSENT.encode(granted))
    happened = Happened("consent", stored, Recorded(1, AT, granted))  # no matter where it lies
    spans = [Span(Right.TRAINING, "x", one, until, happened) for one, until in times]
    drawn = periods.draw(spans, end)
    assert drawn is not None
    assert sorted(one.span.start for one in drawn.bars) == sorted(one for one, _ in times)
    for bar in drawn.bars:
        assert periods.LABEL_WIDTH <= bar.x <= bar.x + bar.width <= drawn.width + periods.BAR_MIN
        assert bar.goes_on == (bar.span.end is None or bar.span.end > end)
    assert len(drawn.ticks) <= periods.TICKS_MAX + 1
    assert all(day_of(one.at).day == 1 for one in drawn.ticks)


def test_every_noun_of_the_directory_has_a_page() -> None:
    """And every right that there is, a name."""
    assert {noun for noun, _ in PLACES} == set(NOUNS)
    assert all(words[f"right_{one}"] for words in WORDS.values() for one in Right)
