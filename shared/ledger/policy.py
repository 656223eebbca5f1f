"""Whose signatures make a checkpoint count: a policy file, as C2SP tlog-policy says.

    log <verifier key> [<address>]
    witness <name> <verifier key> [<address>]
    group <name> all|any|<number> <name>…
    quorum <name>|none

A line refers only to names on lines before it, so no group can hold itself.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from shared.ledger.notes import Algorithm, BadNote, VerifierKey

NO_QUORUM = "none"
LINES_MAX = 1_000
"""Far more than 32 logs, 32 witnesses and 32 groups; bounds the work of a stranger's file."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
LOG_KINDS = {Algorithm.ED25519, Algorithm.ML_DSA_44}
WITNESS_KINDS = {Algorithm.COSIGNATURE, Algorithm.ML_DSA_44}


class BadPolicy(ValueError):
    """A text that is no policy; it says which line and why."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who cosigns what they saw grow, and where they answer."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """So many of these must have cosigned."""

    threshold: int
    members: tuple[str, ...]


@dataclass
class Policy:
    """The logs that are known, the witnesses, and which of them are enough."""

    logs: list[VerifierKey] = field(default_factory=list)
    witnesses: dict[str, Witness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str | None = None

    def satisfied(self, cosigners: Collection[VerifierKey]) -> bool:
        """Tell whether these are enough."""
        return self.quorum == NO_QUORUM or self._counts(self.quorum or "", cosigners)

    def witness_keys(self) -> list[VerifierKey]:
        """Return the keys of all witnesses."""
        return [one.key for one in self.witnesses.values()]

    @classmethod
    def parse(cls, text: str) -> "Policy":
        """Read a policy; raises `BadPolicy`."""
        lines = text.split("\n")
        if len(lines) > LINES_MAX:
            raise BadPolicy(f"more than {LINES_MAX} lines")
        policy = cls()
        for number, line in enumerate(lines, start=1):
            try:
                policy._read(line)
            except (BadPolicy, BadNote) as error:
                raise BadPolicy(f"line {number}: {error}") from error
        if policy.quorum is None:
            raise BadPolicy("there is no quorum line")
        return policy

    def _counts(self, name: str, cosigners: Collection[VerifierKey]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name].key in cosigners
        group = self.groups[name]
        there = sum(self._counts(member, cosigners) for member in group.members)
        return there >= group.threshold

    def _read(self, line: str) -> None:
        if CONTROL.search(line):
            raise BadPolicy("a control character")
        match re.split(r"[ \t]+", line.strip(" \t")):
            case [""]:
                pass
            case [first, *_] if first.startswith("#"):
                pass
            case ["log", key] | ["log", key, _]:
                known = self.logs
                self.logs.append(_new_key(key, LOG_KINDS, known))
            case ["witness", name, key, *url] if len(url) <= 1:
                self._check_new(name)
                made = _new_key(key, WITNESS_KINDS, self.witness_keys())
                self.witnesses[name] = Witness(name, made, url[0] if url else None)
            case ["group", name, threshold, *members] if members:
                self._check_new(name)
                self._check_members(members)
                self.groups[name] = Group(_threshold(threshold, len(members)), tuple(members))
            case ["quorum", name]:
                if self.quorum is not None:
                    raise BadPolicy("a second quorum")
                if name != NO_QUORUM:
                    self._check_known(name)
                self.quorum = name
            case _:
                raise BadPolicy("neither log, witness, group nor quorum")

    def _check_new(self, name: str) -> None:
        if name == NO_QUORUM or name in self.witnesses or name in self.groups:
            raise BadPolicy(f"the name {name} is taken")

    def _check_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise BadPolicy(f"there is no {name} before this line")

    def _check_members(self, members: Iterable[str]) -> None:
        listed = {member for group in self.groups.values() for member in group.members}
        for member in members:
            self._check_known(member)
            if member in listed:
                raise BadPolicy(f"{member} is in a group already")
            listed.add(member)


def _new_key(text: str, kinds: Collection[Algorithm], known: Iterable[VerifierKey]) -> VerifierKey:
    key = VerifierKey.parse(text)
    if key.algorithm not in kinds:
        raise BadPolicy(f"a key for {key.algorithm.name} signs nothing here")
    if any(one.public == key.public for one in known):
        raise BadPolicy("the key is there already")
    return key


def _threshold(text: str, members: int) -> int:
    if text in {"all", "any"}:
        return members if text == "all" else 1
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text) or int(text) > members:
        raise BadPolicy(f"{text} of {members} is no group")
    return int(text)
