"""What a log's facts come to at a position: the state of everything that they are about.

A *noun* is a kind of subject (`consent`, `office`) with the rules' own `evolve`; a *subject* is one
of them, found by its tag, such as `consent:4f1c…`. A service folds the facts that its store finds
by that tag, the audit folds a whole log in order: both come to the same, or something is wrong. One
digest stands for all subjects, so that two programs compare a whole state by 32 bytes.

Personal parts are in no state: whoever folds reads without them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from shared.ledger.facts import Recorded
from shared.ledger.merkle import Frontier, leaf_hash

_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True)
class Noun:
    """A kind of subject: its tag's name, the facts that it depends on, and how they are folded."""

    name: str
    kinds: frozenset[type[Any]]
    initial: Any
    evolve: Callable[[Any, Recorded], Any]

    def fold(self, history: Iterable[Recorded]) -> Any:
        """Return the state that a subject's facts lead to; others are passed over."""
        state = self.initial
        for recorded in history:
            if type(recorded.fact) in self.kinds:
                state = self.evolve(state, recorded)
        return state


class Subject(NamedTuple):
    """One of whom or what facts are: a noun's name and an id, which a tag names together."""

    noun: str
    id: str

    @property
    def tag(self) -> str:
        """Return the tag that finds its facts."""
        return f"{self.noun}:{self.id}"

    @classmethod
    def of(cls, tag: str) -> "Subject":
        """Return the subject that a tag names."""
        noun, _, own_id = tag.partition(":")
        return cls(noun, own_id)


class Nouns:
    """The nouns of one log."""

    def __init__(self, nouns: Iterable[Noun]) -> None:
        self.by_name: Mapping[str, Noun] = {noun.name: noun for noun in nouns}
        self._by_kind: dict[type[Any], dict[str, Noun]] = {}
        for noun in self.by_name.values():
            for kind in noun.kinds:
                self._by_kind.setdefault(kind, {})[noun.name] = noun

    def about(self, kind: type[Any], tags: Sequence[str]) -> list[tuple[str, Noun]]:
        """Return whom a fact of this kind with these tags is about, by tag; a noun is in one."""
        nouns, found = self._by_kind.get(kind), list[tuple[str, Noun]]()
        if not nouns:
            return found
        for tag in tags:
            if noun := nouns.get(tag[: tag.find(":")]):
                found.append((tag, noun))
                if len(found) == len(nouns):
                    break  # this goes through every fact of a log: most have one noun, named first
        return found


class States:
    """The state of every subject, by its tag, as facts are taken in one after the other."""

    def __init__(self, nouns: Nouns) -> None:
        self.by_tag = dict[str, Any]()
        self.position = 0
        self._nouns = nouns

    def take(self, recorded: Recorded, tags: Sequence[str]) -> None:
        """Take in the log's next fact, with the tags that it was stored with."""
        for tag, noun in self._nouns.about(type(recorded.fact), tags):
            self.by_tag[tag] = noun.evolve(self.by_tag.get(tag, noun.initial), recorded)
        self.position = recorded.position

    def digest(self) -> bytes:
        """Return the digest of all subjects."""
        leaves = {tag: state_leaf(tag, state) for tag, state in self.by_tag.items()}
        return state_root(leaves[tag] for tag in sorted(leaves))


def state_text(state: Any) -> bytes:
    """Return a state as JSON with its members in order: equal states have equal bytes."""
    return _encoder.encode(state)


def state_leaf(tag: str, state: Any) -> bytes:
    """Return the leaf hash (RFC 6962) of the subject with a tag in its state."""
    return leaf_hash(tag.encode() + b"\n" + state_text(state))


def state_root(leaves: Iterable[bytes]) -> bytes:
    """Return the root (RFC 6962) of the tree over all subjects, in the order of their tags."""
    return Frontier().extended(leaves).root()
