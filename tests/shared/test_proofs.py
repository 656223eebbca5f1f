"""A kept proof: it has one spelling, leads where it says, and needs every key of the log."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import system_clock
from shared.ledger.merkle import BadProof
from shared.ledger.notes import BadNote
from shared.ledger.proofs import PROOF_CHARACTERS_MAX, BadProofText, Proof
from shared.ledger.recorder import StoredFact
from shared.ledger.seal import NotSealed, Seal, create_seal, log_origin
from shared.ledger.verify import trusted_keys
from tests.support.sealed import KEY, Sealed, a_log

SIZE = 300


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """Give a log of more than one tile, sealed as a service seals it."""
    root = tmp_path_factory.mktemp("log")
    with a_log(f"sqlite:///{root / 'ledger.db'}", root) as made:
        create_seal(root, "localhost/log")
        made.append(SIZE)
        yield made


@pytest.fixture(scope="module")
def proofs(log: Sealed) -> dict[int, str]:
    """Give the proofs of some positions."""
    with closing(Seal(log.recorder, log.root, system_clock)):
        pass  # closing seals all there is
    with closing(Seal(log.recorder, log.root, system_clock)) as seal:
        with pytest.raises(NotSealed):
            seal.proof(SIZE + 1)
        return {position: seal.proof(position) for position in (1, 2, 256, 257, SIZE)}


def fact(log: Sealed, position: int) -> StoredFact:
    """Return the fact at a position."""
    return log.recorder.page(after=position - 1, limit=1).facts[0]


def lines(log: Sealed) -> list[str]:
    """Return the log's verifier keys."""
    return log.folder.fetch("vkeys").decode().splitlines()


def test_a_proof_leads_to_the_signed_root(log: Sealed, proofs: dict[int, str]) -> None:
    """Every position's entry lies under the checkpoint that both keys of the log signed."""
    origin, keys = log_origin(log.root), trusted_keys(lines(log))
    for position, text in proofs.items():
        proof = Proof.parse(text)
        assert (proof.index, proof.text()) == (position - 1, text)
        assert proof.check(fact(log, position).entry(), origin, keys).size == SIZE
        assert proof.check(fact(log, position).entry(), origin, keys[:1]).size == SIZE
        with pytest.raises(BadProof):
            proof.check(fact(log, 3).entry(), origin, keys)


def test_every_key_of_the_log_must_have_signed(log: Sealed, proofs: dict[int, str]) -> None:
    """Without the ML-DSA line, under a stranger's key, or of another log: nothing is proved."""
    origin, keys = log_origin(log.root), trusted_keys(lines(log))
    proof = Proof.parse(proofs[2])
    one_line = b"".join(proof.note.splitlines(keepends=True)[:-1])
    stripped = Proof(proof.index, proof.hashes, one_line)
    entry = fact(log, 2).entry()
    assert stripped.check(entry, origin, keys[:1]).size == SIZE
    with pytest.raises(BadNote, match="ML_DSA_44"):
        stripped.check(entry, origin, keys)
    with pytest.raises(BadNote, match="no signature"):
        proof.check(entry, origin, [KEY.verifier])
    with pytest.raises(BadNote, match="not of example/other"):
        proof.check(entry, "example/other", keys)


@given(st.data())
def test_any_changed_character_is_found(
    log: Sealed, proofs: dict[int, str], data: st.DataObject
) -> None:
    """One character of the title, the index, a hash, the root or a signature."""
    text = proofs[257]
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="utf-8").filter(lambda one: one != text[place]))
    changed = text[:place] + letter + text[place + 1 :]
    entry, keys = fact(log, 257).entry(), trusted_keys(lines(log))
    with pytest.raises((BadProofText, BadNote, BadProof)):
        Proof.parse(changed).check(entry, log_origin(log.root), keys)


@given(st.text())
def test_any_text_has_one_error(text: str) -> None:
    """Nonsense is no proof, whatever it is."""
    with pytest.raises(BadProofText):
        Proof.parse(text)


def test_what_is_no_proof(proofs: dict[int, str]) -> None:
    """Another title, no index, a hash too short, another spelling of a number, endless text."""
    text = proofs[1]
    for wrong in (
        text.replace("@v1", "@v2"),
        text.replace("index 0\n", ""),
        text.replace("index 0", "index  0"),
        text.replace("index 0", "index +0"),
        text.replace("index 0", "index 0\nAAAA"),
        text.replace("index 0", "index 0\n*"),
        text + "\ud800",
        text + "\n" * PROOF_CHARACTERS_MAX,
    ):
        with pytest.raises(BadProofText):
            Proof.parse(wrong)
