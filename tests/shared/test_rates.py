"""Whoever asks without end is told to wait, and nobody else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rates import WINDOW_S, Limited, Rates


class Clock:
    """A clock that is moved."""

    now = 1_000.0

    def __call__(self) -> float:
        """Return the present second."""
        return self.now


def allowed(rates: Rates, caller: str, times: int) -> int:
    """Return how many of so many requests at once are let through."""
    count = 0
    for _ in range(times):
        try:
            rates.take(caller)
        except Limited:
            continue
        count += 1
    return count


def test_a_bucket_can_be_emptied_at_once_and_fills_at_its_rate() -> None:
    """Sixty at once, then one a second; the no says when, and after that it is a yes."""
    clock = Clock()
    rates = Rates(60, clock)
    left = rates.take("bank:a")
    assert (left.limit, left.remaining) == (60, 59)
    assert allowed(rates, "bank:a", 100) == 59
    with pytest.raises(Limited) as no:
        rates.take("bank:a")
    assert no.value.headers == {"Retry-After": "1"}
    assert no.value.left.remaining == 0
    clock.now += 1
    assert allowed(rates, "bank:a", 100) == 1
    assert dict(left.headers())[b"ratelimit"] == b'"caller";r=59;t=1'


def test_one_caller_takes_nothing_from_another() -> None:
    """Each has a bucket of its own; a great many callers are not all remembered."""
    rates = Rates(10, Clock())
    assert allowed(rates, "bank:a", 50) == 10
    assert allowed(rates, "bank:b", 50) == 10
    assert sum(allowed(rates, f"bank:{number}", 1) for number in range(10_001)) == 10_001
    assert len(rates._full_at) == 10_000


@given(
    limit=st.integers(1, 1_000),
    steps=st.lists(st.tuples(st.floats(0, 90), st.integers(0, 100)), max_size=20),
)
def test_nobody_is_let_through_more_often_than_the_rate(
    limit: int, steps: list[tuple[float, int]]
) -> None:
    """Of any requests at any times: at most a full bucket, and what came in since."""
    clock = Clock()
    rates = Rates(limit, clock)
    through, since = 0, 0.0
    for wait, times in steps:
        clock.now += wait
        since += wait
        got = allowed(rates, "bank:a", times)
        through += got
        assert through <= limit + since * limit / WINDOW_S + 1
        assert (
            got == times or rates._full_at["bank:a"] - clock.now > WINDOW_S - 2 * WINDOW_S / limit
        )
