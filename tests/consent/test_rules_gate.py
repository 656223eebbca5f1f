"""The gate, guard by guard: each alone, each pair, all together, and at every edge of time."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.facts import (
    LiftedFor,
    LiftingProposed,
    Right,
    SuspendedFor,
    SuspensionLifted,
    SuspensionOrdered,
)
from services.consent.gate import RIGHTS, SUSPENDED, Act
from services.consent.redemptions import REDEEM
from services.consent.requests import ASK
from services.consent.rights import GRANT
from services.consent.suspensions import LIFT, ORDER, Lift
from shared.contracts.consent import Channel
from shared.contracts.reasons import REASONS
from shared.errors import Rejection
from tests.consent.test_rules_decisions import redeem
from tests.consent.test_rules_requests import ask
from tests.support.given import AT, given
from tests.support.samples import DIRECTORY, GIVEN, HANDED, QUESTION, REDEEMED, right
from tests.support.samples import RIGHTS as IN_FORCE

ACT = Act.of(QUESTION)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
NOWHERE = {"bank_id": None, "office_id": None, "clerk_id": None, "site_id": None}
IDS = {"bank_id": "cake", "office_id": "o", "clerk_id": "k", "site_id": "s", "citizen_id": "c1"}


def suspended(*nouns: str, ordered_by: str = "overseer:ubnd", **changes: Any) -> SuspensionOrdered:
    """Return a suspension that names what QUESTION names, of these nouns."""
    scope = {f"{noun}_id": IDS[f"{noun}_id"] for noun in nouns}
    whole = SuspensionOrdered(
        suspension_id="-".join(nouns) or "none",
        **{**NOWHERE, "citizen_id": None, **scope},
        why=SuspendedFor.COMPLAINTS,
        ordered_by=ordered_by,
    )
    return replace(whole, **changes)


def lifted(ordered: SuspensionOrdered, start: datetime = AT) -> SuspensionLifted:
    """Return that it ended at an instant."""
    scope = {name: getattr(ordered, name) for name in IDS}
    return SuspensionLifted(
        suspension_id=ordered.suspension_id,
        **scope,
        why=LiftedFor.REMEDIED,
        proposed_by="overseer:ubnd",
        approved_by="bank:cake",
        effective_from=start,
    )


BREAKS: dict[str, tuple[Any | None, Any | None]] = {
    **{
        RIGHTS[one.right].code: (one, None) for one in IN_FORCE
    },  # what is taken away, what is added
    **{guard.code: (None, suspended(noun)) for noun, guard in SUSPENDED.items()},
}
"""Of every guard of the gate, what makes it fail: made from the rule's own tables."""


def history(codes: Iterable[str]) -> list[Any]:
    """Return a directory in which just these guards fail."""
    taken = [BREAKS[code][0] for code in codes]
    added = [BREAKS[code][1] for code in codes]
    return [*(one for one in DIRECTORY if one not in taken), *(one for one in added if one)]


@pytest.mark.parametrize(
    "codes", [*combinations(BREAKS, 1), *combinations(BREAKS, 2), tuple(BREAKS)]
)
def test_every_guard_that_fails_is_named(codes: tuple[str, ...]) -> None:
    """Alone, in pairs, all together: at asking and at using, in the order of the tables."""
    expected = [code for code in BREAKS if code in codes]
    assert given(ASK, *history(codes)).rejected(ask()) == expected
    used = given(REDEEM, *history(codes), QUESTION, GIVEN, *HANDED)
    assert used.rejected(redeem(act=ACT)) == expected


def test_an_open_gate_lets_through() -> None:
    """With all that must be in force, and nothing suspended."""
    assert given(ASK, *DIRECTORY).when(ask()) == [QUESTION]
    assert given(REDEEM, *DIRECTORY, QUESTION, GIVEN, *HANDED).when(redeem(act=ACT)) == [REDEEMED]


def test_online_there_is_no_agent() -> None:
    """Nobody needs a contract to ask for themselves; a suspension of bank or citizen holds."""
    online = replace(ACT, channel=Channel.ONLINE, office_id=None, clerk_id=None, site_id=None)
    assert given(REDEEM, QUESTION, GIVEN, *HANDED).when(redeem(act=online)) == [REDEEMED]
    for noun in ("bank", "citizen"):
        stopped = given(REDEEM, QUESTION, GIVEN, *HANDED, suspended(noun))
        assert stopped.rejected(redeem(act=online)) == [SUSPENDED[noun].code]
    office = given(REDEEM, QUESTION, GIVEN, *HANDED, suspended("bank", "office"))
    assert office.when(redeem(act=online)) == [REDEEMED]


@pytest.mark.parametrize("taken", IN_FORCE)
@pytest.mark.parametrize(
    ("starts", "ends", "holds"),
    [
        (AT, None, True),
        (AT + INSTANT, None, False),
        (AT - DAY, AT, False),
        (AT - DAY, AT + INSTANT, True),
        (AT, AT + INSTANT, True),
    ],
)
def test_a_right_holds_from_its_start_until_before_its_end(
    taken: Any, starts: datetime, ends: datetime | None, holds: Any
) -> None:
    """To the microsecond; and the newest line is the one that counts."""
    own = replace(taken, valid_from=starts, valid_until=ends)
    expected = [] if holds else [RIGHTS[taken.right].code]
    verb = given(REDEEM, *DIRECTORY, own, QUESTION, GIVEN, *HANDED)
    if holds:
        assert verb.when(redeem(act=ACT)) == [REDEEMED]
    else:
        assert verb.rejected(redeem(act=ACT)) == expected
    again = given(REDEEM, *DIRECTORY, own, taken, QUESTION, GIVEN, *HANDED)
    assert again.when(redeem(act=ACT)) == [REDEEMED]


@for_all(
    scope=st.sets(st.sampled_from(sorted(SUSPENDED)), min_size=1),
    other=st.none() | st.sampled_from(sorted(SUSPENDED)),
)
def test_a_suspension_covers_where_all_its_ids_agree(scope: set[str], other: str | None) -> None:
    """And nothing beside: one id that differs, and it is about somebody else."""
    ordered = suspended(*scope)
    if other in scope:
        changed: dict[str, Any] = {f"{other}_id": "another"}
        ordered = replace(ordered, **changed)
    verb = given(REDEEM, *DIRECTORY, ordered, QUESTION, GIVEN, *HANDED)
    if other in scope:
        assert verb.when(redeem(act=ACT)) == [REDEEMED]
    else:
        (code,) = verb.rejected(redeem(act=ACT))
        assert code in {SUSPENDED[noun].code for noun in scope}


def test_what_was_lifted_holds_until_then() -> None:
    """To the microsecond; another suspension of the same stays."""
    ordered, other = suspended("office"), suspended("office", suspension_id="other")
    for start, codes in ((AT + INSTANT, ["office_suspended"]), (AT, [])):
        facts = [*DIRECTORY, ordered, lifted(ordered, start), QUESTION, GIVEN, *HANDED]
        verb = given(REDEEM, *facts)
        assert (verb.rejected(redeem(act=ACT)) if codes else []) == codes
    verb = given(REDEEM, *DIRECTORY, ordered, other, lifted(ordered), QUESTION, GIVEN, *HANDED)
    assert verb.rejected(redeem(act=ACT)) == ["office_suspended"]


def test_guards_are_documented_as_they_are() -> None:
    """The page of guards is made from the rule's own tables."""
    page = Path(__file__).parents[2].joinpath("docs", "checks.md").read_text(encoding="utf-8")
    for guard in (*RIGHTS.values(), *SUSPENDED.values()):
        row = f"| `{guard.code}` | {guard.requirement} | {guard.law} |"
        assert row in page, row
        assert guard.code in REASONS


# -- rights -------------------------------------------------------------------------------------


def test_a_right_is_granted_once() -> None:
    """The same line again is no fact; other dates are a new one."""
    new = right(Right.CONTRACT, "cake")
    assert given(GRANT, *DIRECTORY[:6]).when(new) == [new]
    known = [*DIRECTORY[:6], new]
    assert given(GRANT, *known).when(replace(new, granted_by="bank:cake")) == []
    ended = replace(new, valid_until=AT)
    assert given(GRANT, *known).when(ended) == [ended]
    assert given(GRANT, *known, ended).when(new) == [new]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"granted_by": "bank:other"}, ["not_entitled"]),
        ({"granted_by": "clerk:k"}, ["not_entitled"]),
        ({"bank_id": "other"}, ["bank_unknown"]),
        ({"office_id": "other"}, ["office_unknown"]),
        ({"valid_until": AT - 365 * DAY}, ["valid_until_out_of_range"]),
    ],
)
def test_who_grants_what(changes: dict[str, Any], codes: list[str]) -> None:
    """A bank its own contracts, of what is registered, with an end behind the start."""
    known = [one for one in DIRECTORY[:6] if getattr(one, "office_id", "o") == "o"]
    found = given(GRANT, *(one for one in known if _named(one, changes))).rejected(
        replace(right(Right.CONTRACT, "cake"), **changes)
    )
    assert found == codes


def _named(entry: Any, changes: dict[str, Any]) -> bool:
    """Tell whether an entry would be found under the ids of a changed line."""
    return all(
        getattr(entry, name, changes[name]) == changes[name] for name in changes if name in IDS
    )


def test_a_host_permits_at_its_own_place() -> None:
    """The site says whose calls are its host's."""
    site = replace(DIRECTORY[4], host_id="power")
    asked = right(Right.PERMISSION, "s", granted_by="host:power")
    assert given(GRANT, DIRECTORY[2], site).when(asked) == [asked]
    other = replace(asked, granted_by="host:other")
    assert given(GRANT, DIRECTORY[2], site).rejected(other) == ["not_entitled"]
    assert given(GRANT, DIRECTORY[2], DIRECTORY[4]).rejected(asked) == ["not_entitled"]


def test_a_clerk_is_trained_at_the_own_office() -> None:
    """Not at another's."""
    other = replace(DIRECTORY[3], office_id="another")
    asked = right(Right.TRAINING, "k")
    assert given(GRANT, DIRECTORY[2], other).rejected(asked) == ["clerk_unknown"]


# -- suspending ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "nouns", "allowed"),
    [
        ("overseer:ubnd", ("office",), True),
        ("overseer:ubnd", ("citizen",), True),
        ("bank:cake", ("bank",), True),
        ("bank:cake", ("bank", "clerk"), True),
        ("bank:cake", ("office",), False),
        ("bank:other", ("bank",), False),
        ("manager:o", ("office", "clerk"), True),
        ("manager:o", ("clerk",), False),
        ("manager:other", ("office",), False),
        ("host:power", ("site",), True),
        ("host:other", ("site",), False),
        ("host:power", ("office",), False),
        ("citizen:c1", ("citizen",), True),
        ("citizen:c2", ("citizen",), False),
        ("clerk:k", ("clerk",), False),
        ("operator:op", ("office",), False),
    ],
)
def test_who_suspends_what(who: str, nouns: tuple[str, ...], allowed: Any) -> None:
    """Each what they answer for, alone and at once; the same twice is once."""
    site = replace(DIRECTORY[4], host_id="power")
    ordered = suspended(*nouns, ordered_by=who)
    verb = given(ORDER, *([site] if ordered.site_id else []))
    if allowed:
        assert verb.when(ordered) == [ordered]
        assert given(ORDER, ordered).when(ordered) == []
    else:
        assert verb.rejected(ordered) == ["not_entitled"]


def test_an_id_stands_for_one_suspension() -> None:
    """And a suspension is about something."""
    other = suspended("office", suspension_id="bank")
    assert given(ORDER, suspended("bank")).rejected(other) == ["suspension_id_reused"]
    assert given(ORDER).rejected(suspended()) == ["scope_missing"]


def lift(who: str, suspension_id: str = "office", site_id: str | None = None) -> Lift:
    """Return that somebody wants it to end."""
    return Lift(suspension_id=suspension_id, why=LiftedFor.REMEDIED, by=who, at=AT, site_id=site_id)


def proposed(who: str, suspension_id: str = "office") -> LiftingProposed:
    """Return that somebody wanted it to end."""
    return LiftingProposed(suspension_id=suspension_id, why=LiftedFor.REMEDIED, proposed_by=who)


@pytest.mark.parametrize(
    ("ordered_by", "first", "second", "ends"),
    [
        ("overseer:ubnd", "overseer:ubnd", "bank:cake", True),
        ("overseer:ubnd", "manager:o", "overseer:ubnd", True),
        ("overseer:ubnd", "manager:o", "bank:cake", False),
        ("overseer:ubnd", "bank:cake", "bank:other", False),
        ("overseer:ubnd", "overseer:ubnd", "overseer:ubnd", False),
        ("manager:o", "manager:o", "bank:cake", True),
        ("manager:o", "bank:cake", "manager:o", True),
        ("manager:o", "bank:cake", "bank:other", False),
        ("manager:o", "overseer:ca", "bank:cake", True),
    ],
)
def test_it_takes_two_to_go_on(ordered_by: str, first: str, second: str, ends: Any) -> None:
    """Two organisations; a bank or an overseer; and whoever ordered it, or an overseer."""
    ordered = suspended("office", ordered_by=ordered_by)
    assert given(LIFT, ordered).when(lift(first)) == [proposed(first)]
    assert given(LIFT, ordered, proposed(first)).when(lift(first)) == []
    facts = given(LIFT, ordered, proposed(first)).when(lift(second))
    assert [type(one) for one in facts] == (
        [SuspensionLifted] if ends else [LiftingProposed] * (first != second)
    )
    if ends:
        assert (facts[0].proposed_by, facts[0].approved_by) == (first, second)
        assert given(LIFT, ordered, proposed(first), *facts).when(lift(second)) == []


@pytest.mark.parametrize("who", ["clerk:k", "operator:op", "manager:other", "citizen:c1"])
def test_others_have_no_say(who: str) -> None:
    """Nor in one that nobody ordered."""
    assert given(LIFT, suspended("office")).rejected(lift(who)) == ["not_entitled"]
    with pytest.raises(Rejection, match="suspension_unknown"):
        given(LIFT).when(lift("overseer:ubnd"))


def test_a_citizen_lifts_the_own_a_day_later() -> None:
    """And nobody lifts it for them; nor do they lift what an overseer ordered."""
    own = suspended("citizen", ordered_by="citizen:c1")
    (ended,) = given(LIFT, own).when(lift("citizen:c1", "citizen"))
    assert ended.effective_from == AT + DAY
    for other in ("overseer:ubnd", "bank:cake", "citizen:c2"):
        assert given(LIFT, own).rejected(lift(other, "citizen")) == ["not_entitled"]
    of_overseer = suspended("citizen")
    assert given(LIFT, of_overseer).rejected(lift("citizen:c1", "citizen")) == ["not_entitled"]
