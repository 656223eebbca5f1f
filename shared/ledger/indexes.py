"""An index of tags whose root is in the log: where a tag stands, all of it, or that it is nowhere.

A segment is a run of positions. Its leaves say of each tag, and of each tag on facts of one kind,
at which positions of the segment it stands; they lie in order of their keys, under the root of a
tree (RFC 6962) that a fact names. So one leaf with its path proves that these are *all* the
positions, and two neighbours, with nothing in between, that there are none. Segments follow each
other without gaps from position 1.

Whether a segment tells the truth shows to whoever holds the facts: `check`.
"""

import struct
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import msgspec

from shared.ledger.facts import fact
from shared.ledger.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    BadProof,
    check_inclusion,
    inclusion_proof,
    leaf_hash,
)
from shared.ledger.recorder import StoredFact

FORM = "tags.1"
"""The layout of leaves that is described here; another one has another name."""

INDEX_TAG = f"index:{FORM}"
"""What every segment's fact carries."""

KIND_BEHIND = "\0"
"""Stands between a tag and a kind; it is in neither."""

KEYS_KEPT = 4_096
"""Neighbouring facts have most of their tags in common."""

COUNT = struct.Struct(">I")
POSITION_BYTES = 8
ONCE = COUNT.pack(1)


@fact("tags.indexed.1", tags=("index",))
class TagsIndexed:
    """The tags of all facts from `first` to `last` are in `count` leaves under this root.

    `log` is which log of the system this is: nobody can show one in the other's place.
    """

    index: str
    first: int
    last: int
    count: int
    root: str
    log: str


KIND: str = TagsIndexed.NAME  # type: ignore[attr-defined]  # `@fact` adds it


class BadIndex(ValueError):
    """Bytes that are no leaf or no segment's fact, or a proof that proves nothing of a tag."""


@lru_cache(maxsize=KEYS_KEPT)
def key_of(tag: str, kind: str | None = None) -> bytes:
    """Return the key of a tag's leaf, or of the one for its facts of one kind."""
    return sha256((tag if kind is None else f"{tag}{KIND_BEHIND}{kind}").encode()).digest()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A key, and all the positions of the segment that it is for, in order."""

    key: bytes
    positions: tuple[int, ...]

    @classmethod
    def parse(cls, content: bytes) -> "Leaf":
        """Read a leaf; raises `BadIndex`."""
        key, row = content[:HASH_BYTES], content[HASH_BYTES + COUNT.size :]
        if len(content) < HASH_BYTES + COUNT.size or len(row) % POSITION_BYTES:
            raise BadIndex("a leaf is cut")
        positions = struct.unpack(f">{len(row) // POSITION_BYTES}Q", row)
        (count,) = COUNT.unpack_from(content, HASH_BYTES)
        if count != len(positions) or not positions or sorted(set(positions)) != [*positions]:
            raise BadIndex("a leaf has positions, as many as it says, in order")
        return cls(key, positions)


def leaf_of(key: bytes, positions: Sequence[int]) -> bytes:
    """Return a leaf's bytes: the key, how many positions, and each in eight bytes."""
    if len(positions) == 1:  # as of most
        return key + ONCE + positions[0].to_bytes(POSITION_BYTES)
    return key + COUNT.pack(len(positions)) + struct.pack(f">{len(positions)}Q", *positions)


# -- building -------------------------------------------------------------------------------------


class Segment:
    """Collects the tags of a run of facts, then gives its leaves, once.

    It does so in small steps, one for each fact and each leaf, and makes nothing that the garbage
    collector has to look through: whoever runs it beside something urgent can rest in between.
    """

    def __init__(self) -> None:
        self._positions = dict[bytes, "array[int]"]()
        self._by_first: list[list[bytes]] = [[] for _ in range(256)]

    def add(self, position: int, kind: str, tags: Sequence[str]) -> None:
        """Take in the next fact."""
        for tag in dict.fromkeys(tags):
            for key in (key_of(tag), key_of(tag, kind)):
                positions = self._positions.get(key)
                if positions is None:
                    self._positions[key] = array("Q", (position,))
                    self._by_first[key[0]].append(key)
                else:
                    positions.append(position)

    def leaves(self) -> Iterator[bytes]:
        """Yield the leaves in order of their keys."""
        for keys in self._by_first:
            for key in sorted(keys):
                yield leaf_of(key, self._positions.pop(key))


def summed(leaves: Iterable[bytes]) -> tuple[int, str]:
    """Return how many leaves there are, and the root over them, hexadecimal."""
    levels = levels_of([leaf_hash(one) for one in leaves])
    return len(levels[0]), _root(levels).hex()


def levels_of(hashes: list[bytes]) -> list[list[bytes]]:
    """Return a tree's levels from its leaves on; who has no sibling goes up as it is."""
    levels = [hashes]
    while len(below := levels[-1]) > 1:
        lonely = below[-1:] if len(below) % 2 else []
        pairs = zip(below[::2], below[1::2], strict=False)
        levels.append([sha256(b"\x01" + left + right).digest() for left, right in pairs] + lonely)
    return levels


def _root(levels: Sequence[Sequence[bytes]]) -> bytes:
    return levels[-1][0] if levels[0] else EMPTY_ROOT


# -- proofs ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proved:
    """A leaf, its place among the leaves from 0, and the hashes that lead from it to the root."""

    index: int
    leaf: bytes
    path: tuple[bytes, ...]


class Prover:
    """Proves of a whole segment where a tag stands."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._leaves = list(leaves)
        self._levels = levels_of([leaf_hash(one) for one in self._leaves])

    @property
    def count(self) -> int:
        """Return how many leaves there are."""
        return len(self._leaves)

    def root(self) -> str:
        """Return the root, hexadecimal."""
        return _root(self._levels).hex()

    def prove(self, key: bytes) -> list[Proved]:
        """Return the key's leaf; where there is none, those beside its place, in order."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self._leaves[middle][:HASH_BYTES] < key:
                low = middle + 1
            else:
                high = middle
        if low < self.count and self._leaves[low].startswith(key):
            return [self._proved(low)]
        return [self._proved(at) for at in (low - 1, low) if 0 <= at < self.count]

    def _proved(self, at: int) -> Proved:
        path = inclusion_proof(at, self.count, lambda level, index: self._levels[level][index])
        return Proved(at, self._leaves[at], tuple(path))


def positions_of(said: TagsIndexed, key: bytes, proof: Sequence[Proved]) -> tuple[int, ...]:
    """Return all positions of a segment that a key is for, none if it is proved that none are.

    Raises `BadIndex` for a proof of something else.
    """
    leaves = [_under(said, one) for one in proof]
    match [(one.index, leaf.key) for one, leaf in zip(proof, leaves, strict=True)]:
        case [(_, own)] if own == key:
            return leaves[0].positions
        case [] if said.count == 0:
            return ()
        case [(0, behind)] if key < behind:
            return ()
        case [(at, before)] if before < key and at == said.count - 1:
            return ()
        case [(at, before), (following, behind)] if before < key < behind and following == at + 1:
            return ()
    raise BadIndex("neither the leaf of the tag nor those on both sides of its place")


def _under(said: TagsIndexed, one: Proved) -> Leaf:
    leaf = Leaf.parse(one.leaf)
    if not said.first <= leaf.positions[0] <= leaf.positions[-1] <= said.last:
        raise BadIndex("a leaf with positions outside of its segment")
    try:
        root = bytes.fromhex(said.root)
        check_inclusion(one.index, said.count, leaf_hash(one.leaf), one.path, root)
    except (BadProof, ValueError) as error:
        raise BadIndex(str(error)) from error
    return leaf


# -- the whole log --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Untrue:
    """What is wrong with the index fact at a position."""

    position: int
    how: str


def read_indexed(stored: StoredFact) -> TagsIndexed:
    """Return what a segment's fact says; raises `BadIndex`."""
    try:
        said = msgspec.json.decode(stored.data, type=TagsIndexed)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadIndex(f"no segment: {error}") from error
    if said.index != FORM or not 0 < said.first <= said.last < stored.position:
        raise BadIndex("a segment ends before its own fact, and its leaves are of this form")
    return said


def check(facts: Iterable[StoredFact]) -> Iterator[Untrue]:
    """Yield every index fact that does not tell the truth of a log, whose facts come in order.

    Held in memory are the facts that no segment covers yet: some 16,000, or all that a log had
    before its first segment.
    """
    waiting, indexed = deque[StoredFact](), 0
    for stored in facts:
        if stored.kind == KIND:
            how, indexed = untrue(stored, indexed, lambda _, last: _up_to(last, waiting))
            if how:
                yield Untrue(stored.position, how)
        waiting.append(stored)


def untrue(
    stored: StoredFact, indexed: int, facts: Callable[[int, int], Iterable[StoredFact]]
) -> tuple[str | None, int]:
    """Return how an index fact is untrue, None if it is not, and up to where there is an index.

    `indexed` is up to where there was one before it; `facts` gives those of a range of positions.
    """
    try:
        said = read_indexed(stored)
    except BadIndex as error:
        return str(error), indexed
    if said.first != indexed + 1:
        return f"begins at position {said.first:,}, where {indexed + 1:,} is next", indexed
    segment = Segment()
    for one in facts(said.first, said.last):
        segment.add(one.position, one.kind, one.tags)
    true = summed(segment.leaves()) == (said.count, said.root)
    how = None if true else "its leaves are not what the facts of its positions make"
    return how, max(indexed, said.last)


def _up_to(last: int, waiting: deque[StoredFact]) -> Iterator[StoredFact]:
    while waiting and waiting[0].position <= last:
        yield waiting.popleft()
