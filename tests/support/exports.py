"""Exports of logs that nobody keeps: written from facts, as an operator could who owns all keys.

What the services recorded can be changed first, in its place, and is then consistent again: other
facts, their index, their tree, signed and cosigned.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from services.audit.export import File, LogName, Manifest, Taken, facts_path, tlog_path
from services.audit.writing import paths_in
from shared.canonical import canonical
from shared.ledger.indexes import KIND, Segment, read_indexed, summed
from shared.ledger.notes import Algorithm, Checkpoint, Note, SigningKey
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import PublicFolder

AT = datetime(2023, 8, 10, tzinfo=UTC)
WITNESS = SigningKey("near", Algorithm.COSIGNATURE, b"\3" * 32)
FAR = SigningKey("far", Algorithm.ML_DSA_44, b"\5" * 32)
POLICY = f"witness near {WITNESS.verifier}\nquorum near\n"
GROUPED = (
    f"witness near {WITNESS.verifier}\nwitness far {FAR.verifier}\n"
    "group one any near far\ngroup both all one\nquorum both\n"
)
UNMET = GROUPED.replace("group one any", "group one 2")
"""Policies of which the last is not met: the far witness cosigns nothing."""

Facts = list[StoredFact]
Change = Callable[[dict[LogName, Facts]], None]


def keys_of(log: LogName, seed: int = 0) -> list[SigningKey]:
    """Return the keys of a log; another seed has others."""
    kinds = (Algorithm.ED25519, Algorithm.ML_DSA_44)
    return [SigningKey(f"localhost/{log}", kind, bytes([seed + kind]) * 32) for kind in kinds]


@dataclass
class History:
    """Both logs, the keys by which consents are signed, and the notices."""

    logs: dict[LogName, Facts]
    jwks: bytes
    texts: Mapping[str, bytes] = field(default_factory=dict)

    def changed(self, change: Change) -> "History":
        """Return another history, whose index tells the truth of it."""
        logs = {log: list(facts) for log, facts in self.logs.items()}
        change(logs)
        return History(
            {log: reindexed(facts) for log, facts in logs.items()}, self.jwks, self.texts
        )

    def write(self, place: Path, witnessed: Mapping[LogName, int] | None = None) -> Path:
        """Write an export of all of it, witnessed up to a position if one is given."""
        taken = dict[LogName, Taken]()
        for log, facts in self.logs.items():
            taken[log] = _write_log(place, log, facts, (witnessed or {}).get(log, len(facts)))
        _put(place, "jwks.json", self.jwks)
        _put(place, "README.md", b"# An export\n")
        _put(place, "ledger-format.md", b"# The format\n")
        for name, text in self.texts.items():
            _put(place, f"texts/{name}", text)
        files = [_file(place, path) for path in paths_in(place)]
        _put(place, "manifest.json", Manifest("thuan-export.1", AT, taken, files=files).content())
        return place


def reindexed(facts: Facts) -> Facts:
    """Return the facts with their index made anew."""
    made, before = list(facts), 0
    for number, one in enumerate(facts):
        if one.kind == KIND:
            said = read_indexed(one)
            segment = Segment()
            for fact in made[before : said.last]:
                segment.add(fact.position, fact.kind, fact.tags)
            count, root = summed(segment.leaves())
            anew = replace(said, first=before + 1, count=count, root=root)
            made[number] = msgspec.structs.replace(one, data=canonical(anew))
            before = said.last
    return made


def with_data(fact: StoredFact, **changes: Any) -> StoredFact:
    """Return a fact that says something else in these members."""
    data = {**msgspec.json.decode(fact.data), **changes}
    return msgspec.structs.replace(fact, data=canonical(data))


def put_in_place(facts: Facts, position: int, other: StoredFact) -> None:
    """Put a fact where another is."""
    here = facts[position - 1]
    facts[position - 1] = msgspec.structs.replace(
        other, position=position, recorded_at=here.recorded_at
    )


def fact_line(fact: StoredFact) -> bytes:
    """Return the line of a fact, with its end."""
    document = {
        "position": fact.position,
        "recorded_at": fact.recorded_at,
        "kind": fact.kind,
        "tags": fact.tags,
        "data": msgspec.Raw(fact.data),
        "parts": [digest.hex() for digest in fact.part_digests],
    }
    return msgspec.json.encode(document) + b"\n"


def signed(log: LogName, size: int, root: bytes, seed: int = 0) -> bytes:
    """Return a checkpoint, signed by the log and cosigned by the witness."""
    keys = keys_of(log, seed)
    body = Checkpoint(keys[0].name, size, root).body()
    return Note(body, tuple(key.sign(body, AT) for key in (*keys, WITNESS))).text().encode()


def _write_log(place: Path, log: LogName, facts: Facts, witnessed: int) -> Taken:
    _put(place, facts_path(log, 1), b"".join(map(fact_line, facts)))
    folder = PublicFolder(place / log / "tlog")
    entries = [fact.entry() for fact in facts]
    behind = folder.grow(0, entries[:witnessed]).root()
    root = folder.grow(witnessed, entries[witnessed:]).root() if entries[witnessed:] else behind
    _put(place, tlog_path(log, "witnessed"), signed(log, witnessed, behind))
    _put(place, tlog_path(log, "checkpoint"), signed(log, len(facts), root))
    vkeys = "".join(f"{key.verifier}\n" for key in keys_of(log))
    _put(place, tlog_path(log, "vkeys"), vkeys.encode())
    return Taken(keys_of(log)[0].name, len(facts), root.hex())


def _put(place: Path, path: str, content: bytes) -> None:
    (place / path).parent.mkdir(parents=True, exist_ok=True)
    (place / path).write_bytes(content)


def _file(place: Path, path: str) -> File:
    content = (place / path).read_bytes()
    return File(path, len(content), hashlib.sha256(content).hexdigest())


def positions(facts: Sequence[StoredFact], kind: str) -> list[int]:
    """Return where the facts of a kind are."""
    return [fact.position for fact in facts if fact.kind == kind]
