"""Checks a log from its public files, and its facts too for whoever holds them.

Needs no service and trusts none: signatures, every tile, every entry in its place and time, the
root, and, given the facts, that each is the one in its entry, and that a personal part is missing
only where a fact erased it. It stops at the first position that is wrong and says how. Nothing is
held in memory but one tile a level with its facts, and the keys of what is erased.

A tile is compared as a whole with what its facts make; only where that differs is it looked at one
position after the other.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, zip_longest

from shared.ledger.entries import BadEntry, Entry, decode, tags_digest
from shared.ledger.erasure import erased_keys
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH
from shared.ledger.merkle import Frontier, complete_root, leaf_hash
from shared.ledger.notes import BadNote, Note, VerifierKey, opened, signers
from shared.ledger.personal import keys_of
from shared.ledger.policy import NO_QUORUM, Policy
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import (
    LEVEL_BITS,
    WIDTH,
    BadTile,
    Fetch,
    Tiles,
    pack_entries,
    tile_path,
    tiles_of,
)

Progress = Callable[[int, int], None]
"""Told how many positions are checked, and of how many."""


class Wrong(Exception):
    """What is wrong first: a position, or None where it is the log as a whole."""

    def __init__(self, how: str, position: int | None = None) -> None:
        super().__init__(how)
        self.how, self.position = how, position


@dataclass
class Verified:
    """What was checked and found right."""

    origin: str
    size: int
    root: bytes
    signed_by: list[VerifierKey]
    cosigned_by: list[VerifierKey]
    entries: int = 0
    facts: int = 0
    parts_kept: int = 0
    parts_erased: int = 0


def verify(
    fetch: Fetch,
    origin: str,
    keys: Sequence[VerifierKey],
    *,
    facts: Iterable[StoredFact] | None = None,
    progress: Progress = lambda done, size: None,
    policy: Policy | None = None,
) -> Verified:
    """Return what holds of the log; raises `Wrong`.

    `facts` are all of the log's facts in order; of those behind the checkpoint only erasures count.
    With a policy it is the witnessed checkpoint that counts, and its quorum is checked.
    """
    verified = _checkpoint(fetch, origin, keys, policy or Policy(quorum=NO_QUORUM))
    walk = _Walk(Tiles(fetch, verified.size), facts)
    for index, width in tiles_of(verified.size):
        walk.check(index)
        verified.entries += width
        verified.facts += 0 if facts is None else width
        progress(verified.entries, verified.size)
    if walk.rebuilt.root() != verified.root:
        raise Wrong("the entries do not lead to the signed root")
    verified.parts_kept, verified.parts_erased = walk.parts_counted()
    return verified


def _checkpoint(fetch: Fetch, origin: str, keys: Sequence[VerifierKey], policy: Policy) -> Verified:
    path = CHECKPOINT_PATH if policy.quorum == NO_QUORUM else WITNESSED_PATH
    try:
        note, checkpoint = opened(fetch(path), origin, keys)
        signed_by = list(signers(note, keys))
        cosigned_by = list(signers(note, policy.witness_keys()))
    except FileNotFoundError:
        raise Wrong(f"there is no {path} file") from None
    except BadNote as error:
        raise Wrong(f"{path}: {error}") from error
    if not policy.satisfied(cosigned_by):
        raise Wrong(f"{path}: not cosigned by the quorum that the policy asks for")
    return Verified(origin, checkpoint.size, checkpoint.root, signed_by, cosigned_by)


class _Walk:
    """Goes through the log tile by tile: entries, and the facts where they are held."""

    def __init__(self, tiles: Tiles, facts: Iterable[StoredFact] | None) -> None:
        self._tiles = tiles
        self._held = None if facts is None else iter(facts)
        self._before = datetime.min.replace(tzinfo=UTC)
        self._parts = _Parts()
        self.rebuilt = _Rebuilt(tiles)

    def check(self, index: int) -> None:
        """Check the next tile of entries; raises `Wrong` at the first position that is."""
        first = index * WIDTH + 1
        try:
            bundle = self._tiles.bundle(index)
            facts = None if self._held is None else list(islice(self._held, bundle.width))
            made = _made_of(facts or (), first)
            same = len(made) == bundle.width and pack_entries(made) == bundle.packed
            entries = made if same else bundle.entries()
        except BadTile as error:
            raise Wrong(str(error), first) from error
        self.rebuilt.add(index, [leaf_hash(entry) for entry in entries])
        if facts and same and self._in_order([fact.recorded_at for fact in facts]):
            self._parts.look(facts)
        else:
            self._one_by_one(entries, facts, first)

    def parts_counted(self) -> tuple[int, int]:
        """Return how many parts are kept and erased; raises `Wrong` for one that nothing erased."""
        return self._parts.counted(self._held or ())

    def _in_order(self, times: Sequence[datetime]) -> bool:
        """Tell whether no time is before the one in front of it, and if so keep the last."""
        ordered = [self._before, *times]
        if ordered != sorted(ordered):
            return False
        self._before = ordered[-1]
        return True

    def _one_by_one(
        self, entries: Sequence[bytes], facts: Sequence[StoredFact] | None, first: int
    ) -> None:
        pairs = zip_longest(entries, facts or ())
        for position, (entry, fact) in enumerate(pairs, start=first):
            recorded_at = _recorded_at(entry, fact, position, held=facts is not None)
            if recorded_at < self._before:
                raise Wrong("recorded before the one in front of it", position)
            self._before = recorded_at
            if fact:
                self._parts.look([fact])


def _made_of(facts: Sequence[StoredFact], first: int) -> list[bytes]:
    """Return the entries that facts make; none unless all are in their places."""
    if [fact.position for fact in facts] != list(range(first, first + len(facts))):
        return []
    return [fact.entry() for fact in facts]


def _recorded_at(entry: bytes, fact: StoredFact | None, position: int, *, held: bool) -> datetime:
    """Return when an entry says that it was recorded; raises `Wrong` unless the fact says so too.

    Where there are facts the entry is made anew from each, which is faster than reading it.
    """
    if fact is not None and fact.position == position and fact.entry() == entry:
        return fact.recorded_at
    said = _entry(entry, position)
    if held:
        raise _difference(said, fact, position)
    return said.recorded_at


def _entry(entry: bytes, position: int) -> Entry:
    try:
        said = decode(entry)
    except BadEntry as error:
        raise Wrong(f"no entry: {error}", position) from error
    if said.position != position:
        raise Wrong(f"the entry says position {said.position}", position)
    return said


def _difference(said: Entry, fact: StoredFact | None, position: int) -> Wrong:
    """Return how a fact is not the one in its entry."""
    if fact is None or fact.position != position:
        return Wrong("the fact is missing", position)
    same = {
        "recorded_at": fact.recorded_at == said.recorded_at,
        "kind": fact.kind == said.kind,
        "tags": tags_digest(fact.tags) == said.tags_digest,
        "data": hashlib.sha256(fact.data).digest() == said.data_digest,
        "parts": fact.part_digests == said.part_digests,
    }
    differing = ", ".join(name for name, equal in same.items() if not equal)
    return Wrong(f"the fact's {differing} differ from what was sealed", position)


class _Parts:
    """The personal parts that are there, and those that are not and had better be erased."""

    def __init__(self) -> None:
        self._kept = self._gone = 0
        self._gone_first = dict[str, int]()  # by key: the first position where a part is gone
        self._erased = set[str]()

    def look(self, facts: Sequence[StoredFact]) -> None:
        """Take in facts; raises `Wrong` where a part is not the one that was sealed."""
        self._erased.update(erased_keys(facts))
        for fact in facts:
            if fact.parts:
                self._look(fact)

    def _look(self, fact: StoredFact) -> None:
        if fact.changed_parts():
            raise Wrong("a personal part differs from what was sealed", fact.position)
        key_ids = keys_of(fact.data)
        if len(key_ids) != len(fact.parts):
            raise Wrong("the fact does not name the keys of its personal parts", fact.position)
        for part, key_id in zip(fact.parts, key_ids, strict=True):
            if part:
                self._kept += 1
            else:
                self._gone += 1
                self._gone_first.setdefault(key_id, fact.position)

    def counted(self, later: Iterable[StoredFact]) -> tuple[int, int]:
        """Return how many are kept and erased; raises `Wrong` for one that nothing erased."""
        self._erased.update(erased_keys(later))
        for key_id, position in self._gone_first.items():
            if key_id not in self._erased:
                raise Wrong("a personal part is missing, and no fact erases it", position)
        return self._kept, self._gone


class _Rebuilt:
    """The tree as the entries make it; each published tile is compared once it is complete."""

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        self._above = list[list[bytes]]()  # by level from 1: the hashes of the tile under way
        self._done = list[int]()  # by level from 1: the tiles before it
        self._full, self._rest = Frontier(), Frontier()  # over full tiles, and behind them

    def add(self, index: int, leaves: list[bytes]) -> None:
        """Take a tile of leaves; raises `Wrong` where the published hash is another."""
        first = index * WIDTH + 1
        published = self._published(0, index, first)
        if leaves != published:
            pairs = enumerate(zip(leaves, published, strict=True), start=first)
            position = next(at for at, (made, said) in pairs if made != said)
            raise Wrong("the entry is not what its published hash says", position)
        self._tiles.forget()
        if len(leaves) < WIDTH:
            self._rest = Frontier().extended(leaves)
            return
        joined = complete_root(leaves)
        self._full = self._full.extended([joined])
        self._climb(1, joined)

    def root(self) -> bytes:
        """Return the root, once the partial tiles above the entries are compared too."""
        for level, hashes in enumerate(self._above, start=1):
            if hashes:
                self._compare(level, hashes)
        size = self._full.size * WIDTH + self._rest.size
        return Frontier(size, (*self._full.hashes, *self._rest.hashes)).root()

    def _climb(self, level: int, joined: bytes) -> None:
        if level > len(self._above):
            self._above.append([])
            self._done.append(0)
        hashes = self._above[level - 1]
        hashes.append(joined)
        if len(hashes) == WIDTH:
            self._compare(level, hashes)
            self._above[level - 1] = []
            self._done[level - 1] += 1
            self._climb(level + 1, complete_root(hashes))

    def _compare(self, level: int, hashes: Sequence[bytes]) -> None:
        index = self._done[level - 1]
        first = (index * WIDTH << LEVEL_BITS * level) + 1
        if self._published(level, index, first) != hashes:
            path = tile_path(level, index, len(hashes))
            raise Wrong(f"{path} is not what the tiles below it make", first)

    def _published(self, level: int, index: int, position: int) -> list[bytes]:
        try:
            return self._tiles.tile(level, index)
        except BadTile as error:
            raise Wrong(str(error), position) from error


def trusted_keys(lines: Iterable[str]) -> list[VerifierKey]:
    """Return the verifier keys that some text has, one a line; raises `BadNote`."""
    return [VerifierKey.parse(line) for line in lines if line.strip()]


def facts_of(page: Callable[[int], Sequence[StoredFact]]) -> Iterator[StoredFact]:
    """Return all facts, page by page; `page` gives those behind a position, none at the end."""
    after = 0
    while facts := page(after):
        yield from facts
        after = facts[-1].position


def origin_of(content: bytes) -> str:
    """Return the origin that a checkpoint claims; raises `BadNote`."""
    return Note.parse(content).body.partition("\n")[0]
