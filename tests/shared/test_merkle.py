"""The tree and its proofs: published vectors, another implementation, and their own laws."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ledger import merkle
from shared.ledger.merkle import BadProof, Frontier, leaf_hash, node_hash

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "merkle"
LEAVES_MAX = 70

Check = Callable[[dict[str, Any]], None]


def leaves(count: int) -> list[bytes]:
    """Return leaf hashes, each its own."""
    return [leaf_hash(str(number).encode()) for number in range(count)]


def node_of(hashes: list[bytes]) -> merkle.Node:
    """Return complete subtrees of some leaves, hashed the plain way."""

    def node(level: int, index: int) -> bytes:
        if level == 0:
            return hashes[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def root_of(hashes: list[bytes]) -> bytes:
    """Return the root as RFC 6962, 2.1 defines it, by recursion."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(root_of(hashes[:split]), root_of(hashes[split:]))


# -- published vectors --------------------------------------------------------------------------


def published(kind: str) -> list[Any]:
    """Return the vectors of a kind, or one that is skipped and says why."""
    files = sorted((VECTORS / kind).rglob("*.json"))
    if not files:
        reason = "the published vectors are not on this machine"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")]
    return [pytest.param(file, id=str(file.relative_to(VECTORS / kind))) for file in files]


def decoded(value: str | None) -> bytes:
    """Return a hash; an absent one is empty."""
    return base64.b64decode(value or "")


def check_inclusion(case: dict[str, Any]) -> None:
    """Check one inclusion vector."""
    merkle.check_inclusion(
        case["leafIdx"],
        case["treeSize"],
        decoded(case["leafHash"]),
        [decoded(one) for one in case["proof"] or ()],
        decoded(case["root"]),
    )


def check_consistency(case: dict[str, Any]) -> None:
    """Check one consistency vector."""
    merkle.check_consistency(
        case["size1"],
        case["size2"],
        [decoded(one) for one in case["proof"] or ()],
        decoded(case["root1"]),
        decoded(case["root2"]),
    )


def judge(file: Path, check: Check) -> None:
    """Hold that a vector is taken or rejected as it says itself."""
    case = json.loads(file.read_bytes())
    if case["wantErr"]:
        with pytest.raises(BadProof):
            check(case)
    else:
        check(case)


@pytest.mark.parametrize("file", published("inclusion"))
def test_published_inclusion_proofs(file: Path) -> None:
    """Every published inclusion proof is judged as its authors judge it."""
    judge(file, check_inclusion)


@pytest.mark.parametrize("file", published("consistency"))
def test_published_consistency_proofs(file: Path) -> None:
    """Every published consistency proof is judged as its authors judge it."""
    judge(file, check_consistency)


# -- laws ---------------------------------------------------------------------------------------


@given(st.integers(0, LEAVES_MAX), st.integers(0, LEAVES_MAX))
def test_a_frontier_knows_the_root_wherever_it_is_cut(first: int, more: int) -> None:
    """Leaves may come in any portions, and the store in between; the root is RFC 6962's."""
    hashes = leaves(first + more)
    kept = Frontier().extended(hashes[:first])
    kept = Frontier.unpack(kept.size, kept.pack()).extended(hashes[first:])
    assert kept.root() == root_of(hashes)
    assert kept == merkle.frontier_at(len(hashes), node_of(hashes))


@given(st.data(), st.integers(1, LEAVES_MAX))
def test_a_leaf_is_proved_in_its_place_and_in_no_other(data: st.DataObject, size: int) -> None:
    """A proof holds for its leaf, index and root; change one and it does not."""
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size).filter(lambda one: one != index))
    proof = merkle.inclusion_proof(index, size, node_of(hashes))
    root = root_of(hashes)
    merkle.check_inclusion(index, size, hashes[index], proof, root)
    for wrong in (
        (other, size, hashes[index], proof, root),
        (index, size, leaf_hash(b"other"), proof, root),
        (index, size, hashes[index], [*proof, root], root),
        (index, size, hashes[index], proof, leaf_hash(b"other")),
    ):
        with pytest.raises(BadProof):
            merkle.check_inclusion(*wrong)


@given(st.data(), st.integers(1, LEAVES_MAX))
def test_growth_is_proved_and_a_rewritten_past_is_not(data: st.DataObject, size: int) -> None:
    """A tree that only grew has a proof; one in which any old leaf was changed has none."""
    hashes = leaves(size)
    old = data.draw(st.integers(1, size))
    proof = merkle.consistency_proof(old, size, node_of(hashes))
    merkle.check_consistency(old, size, proof, root_of(hashes[:old]), root_of(hashes))
    changed = data.draw(st.integers(0, old - 1))
    forged = [*hashes[:changed], leaf_hash(b"forged"), *hashes[changed + 1 :]]
    with pytest.raises(BadProof):
        merkle.check_consistency(
            old,
            size,
            merkle.consistency_proof(old, size, node_of(forged)),
            root_of(hashes[:old]),
            root_of(forged),
        )


@given(st.integers(1, 300), st.data())
def test_another_implementation_agrees(size: int, data: st.DataObject) -> None:
    """Roots and audit paths are those of pymerkle, written by others."""
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    entries = [str(number).encode() for number in range(size)]
    for entry in entries:
        tree.append_entry(entry)
    hashes = [leaf_hash(entry) for entry in entries]
    assert Frontier().extended(hashes).root() == tree.get_root(size)
    index = data.draw(st.integers(0, size - 1))
    path = [bytes.fromhex(one) for one in tree.prove_inclusion(index + 1, size).serialize()["path"]]
    assert merkle.inclusion_proof(index, size, node_of(hashes)) == path[1:]


def test_what_is_not_there_has_no_proof() -> None:
    """Asking for a leaf or an older tree beyond the size is the caller's mistake."""
    node = node_of(leaves(3))
    with pytest.raises(ValueError, match="no leaf 3"):
        merkle.inclusion_proof(3, 3, node)
    with pytest.raises(ValueError, match="does not begin"):
        merkle.consistency_proof(4, 3, node)
    with pytest.raises(ValueError, match="no frontier of 3"):
        Frontier.unpack(3, b"short")
    assert merkle.consistency_proof(0, 3, node) == []
