"""A policy file: who must have cosigned, and every text that is none."""

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ledger.notes import Algorithm, SigningKey, VerifierKey
from shared.ledger.policy import BadPolicy, Policy

LOG = SigningKey("localhost/log", Algorithm.ED25519, bytes(32)).verifier


def witness(number: int, kind: Algorithm = Algorithm.COSIGNATURE) -> VerifierKey:
    """Return the key of a witness."""
    return SigningKey(f"w{number}", kind, number.to_bytes(32)).verifier


KEYS = [witness(number) for number in range(1, 7)]
WITNESSES = "".join(f"witness w{number} {key}\n" for number, key in enumerate(KEYS, start=1))
TWO_LEVELS = f"""# the log, and two houses that watch it
log {LOG} https://log.example/

{WITNESSES}
 group\tX   2 w1 w2 w3
group Y any w4 w5 w6
  # both
group both all X Y
quorum both
"""


def test_two_levels() -> None:
    """Two of one house and any of the other: exactly those sets are enough."""
    policy = Policy.parse(TWO_LEVELS)
    assert policy.logs == [LOG]
    assert list(policy.witnesses) == ["w1", "w2", "w3", "w4", "w5", "w6"]
    for chosen in itertools.product([False, True], repeat=6):
        cosigners = {key for key, there in zip(KEYS, chosen, strict=True) if there}
        assert policy.satisfied(cosigners) == (sum(chosen[:3]) >= 2 and any(chosen[3:]))


def test_one_witness_and_none() -> None:
    """A quorum may be one witness, or nobody; an address goes with whom it is for."""
    policy = Policy.parse(f"witness w {KEYS[0]} http://w.example\nquorum w\n")
    assert policy.satisfied({KEYS[0]})
    assert not policy.satisfied(set(KEYS[1:]))
    assert policy.witnesses["w"].url == "http://w.example"
    assert Policy.parse("quorum none").satisfied(set())


@given(st.integers(1, 6), st.sets(st.sampled_from(KEYS)))
def test_so_many_of_so_many(threshold: int, cosigners: set[VerifierKey]) -> None:
    """A group counts its members, whoever they are."""
    names = "w1 w2 w3 w4 w5 w6"
    policy = Policy.parse(f"{WITNESSES}group g {threshold} {names}\nquorum g")
    assert policy.satisfied(cosigners) == (len(cosigners) >= threshold)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no quorum"),
        ("quorum w1", "line 1: there is no w1"),
        ("quorum none\nquorum none", "line 2: a second"),
        (f"quorum w\nwitness w {KEYS[0]}", "line 1"),
        (f"witness w {KEYS[0]}\nwitness w {KEYS[1]}\nquorum w", "line 2: the name w is taken"),
        (f"witness none {KEYS[0]}\nquorum none", "the name none is taken"),
        (f"witness w {KEYS[0]}\nwitness v {KEYS[0]}\nquorum w", "line 2: the key is there"),
        (f"log {LOG}\nlog {LOG}\nquorum none", "line 2: the key is there"),
        (f"log {KEYS[0]}\nquorum none", "signs nothing here"),
        (f"witness w {LOG}\nquorum w", "signs nothing here"),
        ("witness w nonsense\nquorum none", "line 1: not a verifier key"),
        (f"witness w {str(KEYS[0])[:-4]}AAA=\nquorum w", "line 1"),
        (f"witness w {KEYS[0]} a b\nquorum w", "line 1: neither"),
        (f"{WITNESSES}group g 0 w1\nquorum g", "0 of 1"),
        (f"{WITNESSES}group g 2 w1\nquorum g", "2 of 1"),
        (f"{WITNESSES}group g 01 w1\nquorum g", "01 of 1"),
        (f"{WITNESSES}group g most w1\nquorum g", "most of 1"),
        (f"{WITNESSES}group g any\nquorum none", "neither"),
        (f"{WITNESSES}group g any w1 w1\nquorum g", "w1 is in a group already"),
        (f"{WITNESSES}group g any w1\ngroup h any w1\nquorum h", "w1 is in a group already"),
        (f"{WITNESSES}group g any none\nquorum g", "there is no none"),
        (f"{WITNESSES}group g any h\ngroup h any w1\nquorum g", "there is no h"),
        ("quorum none\r\n", "a control character"),
        ("quorum none\n\x7f", "a control character"),
        ("policy\nquorum none", "line 1: neither"),
        ("#\n" * 1_001 + "quorum none", "more than"),
    ],
)
def test_what_is_no_policy_says_why(text: str, why: str) -> None:
    """The line and the reason; nothing is guessed, nothing passed over."""
    with pytest.raises(BadPolicy, match=why):
        Policy.parse(text)


@given(st.text())
def test_any_text_is_a_policy_or_is_refused(text: str) -> None:
    """A stranger's file never does anything else."""
    with suppress(BadPolicy):
        Policy.parse(text)
