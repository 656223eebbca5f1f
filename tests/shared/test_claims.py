"""A key stands for one request of one caller, for ever, and for one at a time."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from shared.claimed import _key
from shared.claims import CLAIM, RequestClaimed, claim_of
from shared.errors import Kind, Rejection
from shared.in_flight import FOLDER, InFlight
from tests.support.given import given

CLAIMED = claim_of("bank:cake", "k1", "POST", "/things/1?", b"{}")

TEXT = st.text("ab/", min_size=1, max_size=2)
SENT = st.tuples(TEXT, TEXT, TEXT, TEXT, st.binary(max_size=3))


@drawn(st.lists(SENT, min_size=1, max_size=12))
def test_a_key_is_claimed_once_and_only_for_the_same(sent: Sequence[tuple[str, ...]]) -> None:
    """Whatever callers send, in whatever order: the first stands, and equals itself alone."""
    facts, first = list[RequestClaimed](), dict[tuple[str, ...], tuple[str, ...]]()
    for one in sent:
        claim = claim_of(*one)  # type: ignore[arg-type]  # the last is bytes
        own = [fact for fact in facts if fact.request_id == claim.request_id]
        if first.setdefault(one[:2], one) == one:
            facts += given(CLAIM, *own).when(claim)
            continue
        with pytest.raises(Rejection) as no:
            given(CLAIM, *own).when(claim)
        assert (no.value.kind, no.value.code) == (Kind.MALFORMED, "idempotency_key_reused")
        assert not no.value.facts
    assert len(facts) == len(first)


@pytest.mark.parametrize(
    "other",
    [
        ("bank:cake", "k1", "PUT", "/things/1?", b"{}"),
        ("bank:cake", "k1", "POST", "/things/2?", b"{}"),
        ("bank:cake", "k1", "POST", "/things/1?x", b"{}"),
        ("bank:cake", "k1", "POST", "/things/1?", b"{ }"),
    ],
)
def test_another_request_under_the_same_key_is_rejected(other: tuple[str, ...]) -> None:
    """Another method, address, query or body."""
    facts = given(CLAIM).when(CLAIMED)
    assert given(CLAIM, *facts).when(CLAIMED) == []
    with pytest.raises(Rejection, match="idempotency_key_reused"):
        given(CLAIM, *facts).when(claim_of(*other))  # type: ignore[arg-type]
    theirs = claim_of("bank:other", "k1", "POST", "/things/1?", b"{}")
    assert theirs.request_id != CLAIMED.request_id, "each caller has keys of its own"


@pytest.mark.parametrize(
    ("field", "key"),
    [('"a b"', "a b"), ("8e03978e-40d5-43dd", "8e03978e-40d5-43dd"), (r'"a\"b\\"', 'a"b\\')],
)
def test_a_key_is_a_string_of_structured_fields_or_plain(field: str, key: str) -> None:
    """With quotes, as the draft has it, or without, as most clients send it; both are one key."""
    assert _key([field]) == key


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([], "idempotency_key_missing"),
        ([""], "idempotency_key_missing"),
        (["a", "a"], "idempotency_key_missing"),
        (['""'], "idempotency_key_malformed"),
        (["a b"], "idempotency_key_malformed"),
        (["a, b"], "idempotency_key_malformed"),
        (['"a'], "idempotency_key_malformed"),
        (['"a";p=1'], "idempotency_key_malformed"),
        (['"\u0111"'], "idempotency_key_malformed"),
        (["x" * 256], "idempotency_key_malformed"),
    ],
)
def test_what_is_no_key_is_said(fields: list[str], code: str) -> None:
    """Which of the two is at fault."""
    with pytest.raises(Rejection, match=code) as no:
        _key(fields)
    assert no.value.kind is Kind.INCOMPLETE


# -- in flight ----------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from shared.in_flight import InFlight
with InFlight(Path(sys.argv[1])).alone("r1") as alone:
    print(alone, flush=True)
    time.sleep(60)
"""


def test_one_at_a_time_in_one_process(tmp_path: Path) -> None:
    """And again once it is over; another request is another."""
    first, second = InFlight(tmp_path), InFlight(tmp_path)
    with first.alone("r1") as one, second.alone("r1") as two, second.alone("r2") as other:
        assert (one, two, other) == (True, False, True)
        with first.alone("r1") as three:
            assert not three
    with second.alone("r1") as again:
        assert again
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_one_at_a_time_across_processes_until_one_is_killed(tmp_path: Path) -> None:
    """A request whose process is gone is not in flight; what it left behind is cleared away."""
    here = InFlight(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "True\n"
        with here.alone("r1") as meanwhile:
            assert not meanwhile
        InFlight(tmp_path)  # what is held is left alone
        with here.alone("r1") as still:
            assert not still
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert [one.name for one in (tmp_path / FOLDER).iterdir()] == ["r1"]
        with here.alone("r1") as after:
            assert after
        (tmp_path / FOLDER / "r2").touch()
        InFlight(tmp_path)
        assert list((tmp_path / FOLDER).iterdir()) == []
