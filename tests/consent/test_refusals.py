"""A refusal blocks whom it must, and tells nobody whose it is."""

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from shared.marks import Marks
from tests.support.samples import refusal_marks

IDS = st.text(alphabet="abc1", min_size=1, max_size=4)


@for_all(one=st.tuples(IDS, IDS, IDS, IDS), other=st.tuples(IDS, IDS, IDS, IDS))
def test_marks_are_equal_for_equal_things_alone(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    """The bank's mark says citizen and bank, the office's citizen and office, and no more."""
    mine, theirs = refusal_marks(*one), refusal_marks(*other)
    same = [left == right for left, right in zip(one, other, strict=True)]
    assert (mine.bank == theirs.bank) == (same[1] and same[2])
    assert (mine.office == theirs.office) == (same[1] and same[3])
    assert (mine.refuser == theirs.refuser) == (same[0] and same[1])


def test_an_online_refusal_has_no_office() -> None:
    """Where there was no office, none is blocked."""
    assert refusal_marks(office_id=None).office is None


@pytest.mark.parametrize(("one", "other"), [(("a", "bc"), ("ab", "c")), (("1:a", "b"), ("1", "a"))])
def test_texts_cannot_be_shifted(one: tuple[str, str], other: tuple[str, str]) -> None:
    """What belongs to one text never passes for the next one's."""
    assert Marks(bytes(32)).mark(*one) != Marks(bytes(32)).mark(*other)


def test_another_key_makes_other_marks() -> None:
    """Who has no key cannot try every number."""
    assert Marks(bytes(32)).mark("phone", "1") != Marks(b"1" * 32).mark("phone", "1")
