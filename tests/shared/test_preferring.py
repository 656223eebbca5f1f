"""What `Prefer` says of waiting, as RFC 7240 spells it, and nothing that it does not say."""

import pytest

from shared.preferring import WAIT_S_MAX, wait_of


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ([], 0),
        (["wait=5"], 5),
        (["respond-async, wait=5"], 5),
        (["respond-async", "Wait = 5; foo=bar"], 5),
        (['wait="5"'], 5),
        (["wait=100"], WAIT_S_MAX),
        (["wait=5, wait=1"], 5),
        (["wait=-1"], 0),
        (["wait"], 0),
        (["wait=5s"], 0),
        (["await=5"], 0),
        (["wait=99999999999999999999"], 0),
    ],
)
def test_how_long_somebody_would_wait(fields: list[str], seconds: int) -> None:
    """The first of two counts; more than is offered is what is offered."""
    assert wait_of(fields) == seconds
