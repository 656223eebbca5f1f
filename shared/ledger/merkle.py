"""The hash tree over a log's leaves, and proofs about it (RFC 6962, section 2.1).

`Frontier` grows with the log and knows the root after every leaf. Proofs are built from complete
subtrees, which is what tiles keep, and checked with nothing but hashes. Leaves count from 0.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

import msgspec

HASH_BYTES = 32

EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

Node = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree over leaves `index << level` to `(index + 1) << level`."""


class BadProof(Exception):
    """A proof that does not prove what it is said to prove; the text says why."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over hashes whose number is a power of two, joined level by level."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


class Frontier(msgspec.Struct, frozen=True):
    """The complete subtrees that a tree of `size` leaves falls into, the largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def extended(self, leaves: Iterable[bytes]) -> "Frontier":
        """Return the frontier after more leaf hashes."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            joined, complete = leaf, size
            while complete & 1:
                joined = node_hash(hashes.pop(), joined)
                complete >>= 1
            hashes.append(joined)
            size += 1
        return Frontier(size, tuple(hashes))

    def root(self) -> bytes:
        """Return the tree's root."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def pack(self) -> bytes:
        """Return the hashes in a row, as a store keeps them."""
        return b"".join(self.hashes)

    @classmethod
    def unpack(cls, size: int, packed: bytes) -> "Frontier":
        """Return the frontier that `pack` wrote; raises `ValueError` for another's length."""
        if len(packed) != size.bit_count() * HASH_BYTES:
            raise ValueError(f"no frontier of {size} leaves has {len(packed)} bytes")
        hashes = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]
        return cls(size, tuple(hashes))


def frontier_at(size: int, node: Node) -> Frontier:
    """Return the frontier of the first `size` leaves."""
    hashes, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            hashes.append(node(level, start >> level))
            start += 1 << level
    return Frontier(size, tuple(hashes))


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no leaf {index}")
    return _path(index, 0, size, node)


def consistency_proof(old: int, size: int, node: Node) -> list[bytes]:
    """Return the proof that the tree of `old` leaves begins that of `size` (RFC 6962, 2.1.2)."""
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} does not begin with {old}")
    return [] if old in {0, size} else _subproof(old, 0, size, node, whole=True)


def check_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise `BadProof` unless the leaf hash lies at `index` under the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise BadProof(f"a tree of {size} has no leaf {index}")
    _check_lengths(leaf, root, *proof)
    at, last, joined = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProof("the proof is too long")
        if at & 1 or at == last:
            joined = node_hash(sibling, joined)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            joined = node_hash(joined, sibling)
        at, last = at >> 1, last >> 1
    if last or joined != root:
        raise BadProof("the proof leads to another root")


def check_consistency(
    old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes
) -> None:
    """Raise `BadProof` unless the old tree begins the new one (RFC 9162, 2.1.4.2).

    An old size of 0 is rejected: every tree begins with nothing, so there is nothing to prove.
    """
    if not 0 < old <= size:
        raise BadProof(f"a tree of {size} does not begin with {old}")
    if old == size:
        if proof or old_root != root:
            raise BadProof("trees of one size have one root and no proof")
        return
    _check_lengths(old_root, root, *proof)
    hashes = list(proof) if old & (old - 1) else [old_root, *proof]
    if not hashes:
        raise BadProof("the proof is empty")
    if _climb(old, size, hashes) != (old_root, root):
        raise BadProof("the proof leads to other roots")


def _check_lengths(*hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise BadProof(f"a hash has {HASH_BYTES} bytes")


def _climb(old: int, size: int, hashes: Sequence[bytes]) -> tuple[bytes, bytes]:
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_root = root = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise BadProof("the proof is too long")
        if at & 1 or at == last:
            old_root, root = node_hash(sibling, old_root), node_hash(sibling, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")
    return old_root, root


def _path(index: int, start: int, end: int, node: Node) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(index, start, middle, node), _root(middle, end, node)]
    return [*_path(index, middle, end, node), _root(start, middle, node)]


def _subproof(old: int, start: int, end: int, node: Node, *, whole: bool) -> list[bytes]:
    if old == end:
        return [] if whole else [_root(start, end, node)]
    middle = start + _split(end - start)
    if old <= middle:
        left = _subproof(old, start, middle, node, whole=whole)
        return [*left, _root(middle, end, node)]
    return [*_subproof(old, middle, end, node, whole=False), _root(start, middle, node)]


def _root(start: int, end: int, node: Node) -> bytes:
    count = end - start
    if not count & (count - 1):
        level = count.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(count)
    return node_hash(_root(start, middle, node), _root(middle, end, node))


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1
