"""Where something was rejected, and by whom, is in the fact; of another's matters it is not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.consent.decisions import ASK_SIGNATURE
from services.consent.disputes import INVALIDATE
from services.consent.facts import Right
from services.consent.facts.places import PLACE, place_of
from services.consent.gate import Act
from services.consent.redemptions import REDEEM
from services.consent.requests import ASK
from services.consent.rights import GRANT
from services.consent.suspensions import LIFT, ORDER
from services.consent.witnessing import NAME
from shared.errors import Rejection
from shared.ledger.facts import tags_of
from shared.ledger.log import Verb
from tests.consent.test_rules_decisions import press, redeem
from tests.consent.test_rules_disputes import PROPOSED, invalidate
from tests.consent.test_rules_gate import lift, suspended
from tests.consent.test_rules_requests import ask
from tests.consent.test_rules_witnesses import name
from tests.support.given import given
from tests.support.samples import GIVEN, QUESTION, right

NOUNS = {"bank": "cake", "office": "o", "site": "s", "clerk": "k"}
AT_COUNTER = {f"{noun}:{own_id}" for noun, own_id in NOUNS.items()}
ACT = Act.of(QUESTION)

CASES: list[tuple[Verb[Any, Any], list[Any], Any, set[str]]] = [
    (ASK, [], ask(), {*AT_COUNTER, "asked_by:clerk:k"}),
    (REDEEM, [QUESTION], redeem(act=ACT), {*AT_COUNTER, "citizen:c1"}),
    (REDEEM, [], redeem(act=None), set()),
    (ASK_SIGNATURE, [QUESTION, GIVEN], press(), AT_COUNTER),
    (INVALIDATE, [QUESTION, GIVEN, PROPOSED], invalidate(), {*AT_COUNTER, "asked_by:bank:cake"}),
    (INVALIDATE, [QUESTION], invalidate(by="bank:other"), {"asked_by:bank:other"}),
    (GRANT, [], right(Right.TRAINING, "k"), {"office:o", "clerk:k", "asked_by:operator:op"}),
    (
        ORDER,
        [],
        suspended("office", "clerk", ordered_by="manager:x"),
        {"office:o", "clerk:k", "asked_by:manager:x"},
    ),
    (LIFT, [suspended("office")], lift("clerk:k"), {"office:o", "asked_by:clerk:k"}),
    (NAME, [QUESTION], name(), {*AT_COUNTER, "asked_by:clerk:k"}),
]


@pytest.mark.parametrize(("verb", "history", "asked", "wanted"), CASES)
def test_a_rejection_is_found_where_it_was_tried(
    verb: Verb[Any, Any], history: list[Any], asked: Any, wanted: set[str]
) -> None:
    """By bank, office, site and clerk, and by whoever tried; what is not known is no tag."""
    with pytest.raises(Rejection) as no:
        given(verb, *history).when(asked)
    (fact,) = no.value.facts
    nouns = {*PLACE, "asked_by"}
    found = {one for one in tags_of(fact) if one.partition(":")[0] in nouns}
    assert found == {one for one in wanted if not one.startswith("citizen:")}
    assert wanted <= set(tags_of(fact))


@for_all(st.fixed_dictionaries({f"{noun}_id": st.none() | st.text() for noun in PLACE}))
def test_a_place_is_said_as_far_as_it_is_known(place: dict[str, Any]) -> None:
    """All four, of a question; nothing, where nobody asked."""
    assert place_of(replace(QUESTION, **place)) == place
    assert set(place_of(None).values()) == {None}
