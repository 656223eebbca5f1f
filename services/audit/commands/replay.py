"""`./run audit replay`: what the logs came to at any moment, and what differs between two."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from services.audit.export import LOG_NAMES, LogName
from services.audit.history import FoundHistory, History, index, open_history
from services.audit.replaying import (
    Difference,
    Digested,
    NoMoment,
    Seen,
    at_checkpoint,
    difference,
    digest,
    moment,
    seen,
)
from services.audit.sources import NoAnswer, Source
from shared.clock import VIETNAM
from shared.ledger.notes import VerifierKey
from shared.ledger.states import Subject, state_text
from shared.ledger.verify import trusted_keys
from shared.progress import progress

DESCRIPTION = """Folds the facts of an export by the rules that the services run, up to any moment,
and tells the digest of every state then; with --of the state of one subject; with --since what came
between two moments. Given the services' addresses, compares with what they say of the same."""

EXAMPLES = """examples:
  ./run audit replay 2023-08                                   the digest of now
  ./run audit replay 2023-08 --at 2023-08-09T11:30+07:00       of that morning
  ./run audit replay 2023-08 --of consent:4f1c --at 812 --log consent
  ./run audit replay 2023-08 --since 2023-08-08T00:00+07:00    what came to be, and what changed
  ./run audit replay 2023-08 --consent http://127.0.0.1:8101 --token-file TOKEN"""

TOLD_MAX = 10
"""Facts that people are told of which this program cannot read; programs are told all."""

Moment = int | datetime | Path
"""A position, an instant, or a file with a checkpoint."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add what `replay` takes."""
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(verb=_replay, undone="not replayed")
    parser.add_argument("export", type=Path, metavar="EXPORT", help="a folder, or a zip")
    moments = "a position (with --log), a time as 2023-08-09T11:30+07:00, or a checkpoint's file"
    parser.add_argument("--at", type=_moment, metavar="MOMENT", help=f"{moments}; default: the end")
    parser.add_argument("--since", type=_moment, metavar="MOMENT", help="what came after it")
    parser.add_argument("--log", choices=LOG_NAMES, help="only this log")
    parser.add_argument("--of", type=_subject, metavar="NOUN:ID", help="one subject's state")
    parser.add_argument("--keys", type=Path, help="the logs' keys, for a checkpoint")
    parser.add_argument("--consent", metavar="URL", help="compare with the consent service")
    parser.add_argument("--accounts", metavar="URL", help="compare with the accounts service")
    parser.add_argument("--token-file", type=Path, help="the regulator's token, for the services")
    parser.add_argument("--json", action="store_true", help="tell in JSON, without a progress bar")


def _moment(text: str) -> Moment:
    if text.isdecimal():
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return Path(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=VIETNAM)


def _subject(text: str) -> Subject:
    subject = Subject.of(text)
    if not (subject.noun and subject.id):
        raise argparse.ArgumentTypeError("a subject is written as consent:4f1c")
    return subject


def _replay(arguments: argparse.Namespace) -> int:
    with progress("indexing", "facts", shown=not arguments.json) as told:
        index(arguments.export, told)
    with open_history(arguments.export) as history:
        return _told(arguments, history)


def _told(arguments: argparse.Namespace, history: History) -> int:
    logs = [log for name, log in history.logs.items() if arguments.log in (None, name)]
    if not logs:
        raise NoMoment(f"the export has no log of {arguments.log}")
    if arguments.of:
        return _tell_subject(arguments, history, logs)
    if arguments.since is not None:
        return _tell_differences(arguments, history, logs)
    return _tell_digests(arguments, history, logs)


def _position(
    arguments: argparse.Namespace, history: History, log: FoundHistory, wanted: Moment | None
) -> int:
    if isinstance(wanted, int) and arguments.log is None and len(history.logs) > 1:
        raise NoMoment("a position is one of one log: name it with --log")
    if isinstance(wanted, Path):
        return at_checkpoint(history.export, log, wanted.read_bytes(), _keys(arguments))
    return moment(log, wanted)


def _keys(arguments: argparse.Namespace) -> list[VerifierKey]:
    if arguments.keys is None:
        raise NoMoment("name the logs' keys with --keys, to believe a checkpoint")
    return trusted_keys(arguments.keys.read_text("utf-8").splitlines())


# -- the whole ------------------------------------------------------------------------------------


def _tell_digests(
    arguments: argparse.Namespace, history: History, logs: Sequence[FoundHistory]
) -> int:
    compared = [_compared(arguments, history, log) for log in logs]
    if arguments.json:
        print(json.dumps({one.log: one.document() for one in compared}))
    else:
        print("\n".join(line for one in compared for line in one.lines()))
    return 0 if all(one.equal and not one.made.unread for one in compared) else 1


@dataclass(frozen=True)
class _Compared:
    """What a log came to, and what its service says of the same, if it was asked."""

    log: LogName
    made: Digested
    said: str | None = None

    @property
    def equal(self) -> bool:
        return self.said in {None, self.made.digest.hex()}

    def document(self) -> dict[str, Any]:
        live = {} if self.said is None else {"live": self.said, "equal": self.equal}
        return {**_digest_document(self.made), **live}

    def lines(self) -> Iterator[str]:
        subjects = f"{self.made.subjects:,} subject{'' if self.made.subjects == 1 else 's'}"
        yield f"{self.log} at position {self.made.position:,}: {subjects}"
        yield f"  digest {self.made.digest.hex()}"
        yield from (f"  WRONG: not folded: {one}" for one in self.made.unread[:TOLD_MAX])
        if (more := len(self.made.unread) - TOLD_MAX) > 0:
            yield f"  and {more:,} more that are not folded"
        if self.said is not None:
            yield "  the service says the same" if self.equal else f"  WRONG: it says {self.said}"


def _compared(arguments: argparse.Namespace, history: History, log: FoundHistory) -> _Compared:
    position = _position(arguments, history, log, arguments.at)
    with progress(f"replaying {log.name}", "facts", shown=not arguments.json) as told:
        made = digest(log, position, told)
    address = getattr(arguments, log.name)
    return _Compared(log.name, made, _live(arguments, address, position) if address else None)


def _live(arguments: argparse.Namespace, address: str, position: int) -> str:
    if arguments.token_file is None:
        raise NoAnswer("name the regulator's token with --token-file")
    with Source(address, arguments.token_file.read_text("utf-8").strip()) as source:
        return source.state_digest(position)


def _digest_document(one: Digested) -> dict[str, Any]:
    return {
        "position": one.position,
        "subjects": one.subjects,
        "digest": one.digest.hex(),
        "unread": list(one.unread),
    }


# -- two moments ----------------------------------------------------------------------------------


def _tell_differences(
    arguments: argparse.Namespace, history: History, logs: Sequence[FoundHistory]
) -> int:
    made = dict[LogName, Difference]()
    for log in logs:
        before, after = (
            _position(arguments, history, log, one) for one in (arguments.since, arguments.at)
        )
        if before > after:
            raise NoMoment(f"{log.name}: {before:,} is behind {after:,}")
        with progress(f"replaying {log.name}", "facts", shown=not arguments.json) as told:
            made[log.name] = difference(log, before, after, told)
    if arguments.json:
        print(json.dumps({name: _difference_document(one) for name, one in made.items()}))
    else:
        print("\n".join(line for name, one in made.items() for line in _sentences(name, one)))
    return 0


def _difference_document(one: Difference) -> dict[str, Any]:
    return {
        "before": _digest_document(one.before),
        "after": _digest_document(one.after),
        "new": list(one.new),
        "changed": {tag: list(names) for tag, names in one.changed.items()},
    }


def _sentences(name: str, one: Difference) -> Iterator[str]:
    yield (
        f"{name} from position {one.before.position:,} to {one.after.position:,}:"
        f" {len(one.new):,} new, {len(one.changed):,} changed"
    )
    yield from (f"  + {tag}" for tag in one.new)
    yield from (f"  ~ {tag}: {', '.join(names)}" for tag, names in one.changed.items())


# -- one subject ----------------------------------------------------------------------------------


def _tell_subject(
    arguments: argparse.Namespace, history: History, logs: Sequence[FoundHistory]
) -> int:
    found = dict[LogName, Seen]()
    for log in logs:
        one = seen(log, arguments.of, _position(arguments, history, log, arguments.at))
        if one:
            found[log.name] = one
    if arguments.json:
        print(json.dumps({name: _seen_document(one) for name, one in found.items()}))
    elif not found:
        print(f"nothing of {arguments.of.tag} was there")
    else:
        print("\n".join(line for name, one in found.items() for line in _seen_lines(name, one)))
    return 0


def _seen_document(one: Seen) -> Mapping[str, Any]:
    return {
        "position": one.position,
        "state": msgspec.json.decode(state_text(one.state)),
        "facts": [
            [fact.position, fact.recorded_at.isoformat(), fact.fact.NAME] for fact in one.history
        ],
    }


def _seen_lines(name: str, one: Seen) -> Iterator[str]:
    yield f"{name}: {one.subject.tag} as known at position {one.position:,}"
    for fact in one.history:
        at = fact.recorded_at.astimezone(VIETNAM).strftime("%d.%m.%Y %H:%M:%S")
        yield f"  {fact.position:>9,}  {at}  {fact.fact.NAME}"
    document = msgspec.json.decode(state_text(one.state))
    yield json.dumps(document, indent=2, ensure_ascii=False)
