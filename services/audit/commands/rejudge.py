"""`./run audit rejudge`: whether past decisions come out the same by the rules of today."""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from services.audit.export import LOG_NAMES
from services.audit.history import index, open_history
from services.audit.rejudging import Rejudged, rejudge
from shared.progress import progress

DESCRIPTION = """Judges the decisions in an export again: by the rules of this program, the policy
of then, and the facts that lay before each. Lists what comes out otherwise. What cannot be judged
from a log, such as a refusal, whose evidence is personal, is counted with the reason."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add what `rejudge` takes."""
    parser.description = DESCRIPTION
    parser.set_defaults(verb=_rejudge, undone="not judged again")
    parser.add_argument("export", type=Path, metavar="EXPORT", help="a folder, or a zip")
    parser.add_argument("--log", choices=LOG_NAMES, help="only this log")
    parser.add_argument(
        "--after", type=int, default=0, metavar="POSITION", help="only what lies behind it"
    )
    parser.add_argument("--json", action="store_true", help="tell in JSON, without a progress bar")


def _rejudge(arguments: argparse.Namespace) -> int:
    shown = not arguments.json
    with progress("indexing", "facts", shown=shown) as told:
        index(arguments.export, told)
    made = dict[str, Rejudged]()
    with open_history(arguments.export) as history:
        for name, log in history.logs.items():
            if arguments.log in {None, name}:
                with progress(f"judging {name}", "facts", shown=shown) as told:
                    made[name] = rejudge(log, history, told, after=arguments.after)
    if arguments.json:
        print(json.dumps({name: _document(one) for name, one in made.items()}))
    else:
        print("\n".join(_sentences(made)))
    return 1 if any(one.otherwise for one in made.values()) else 0


def _document(one: Rejudged) -> dict[str, Any]:
    return {
        "judged": one.judged,
        "otherwise": [
            {"position": each.position, "kind": each.kind, "says": each.says}
            for each in one.otherwise
        ],
        "unasked": [
            {"kind": kind, "why": why, "count": count}
            for (kind, why), count in sorted(one.unasked.items())
        ],
    }


def _sentences(made: Mapping[str, Rejudged]) -> Iterator[str]:
    for name, one in made.items():
        for each in one.otherwise:
            yield f"WRONG: {name} at position {each.position:,}: {each.kind}: {each.says}"
        same = one.judged.total() - len(one.otherwise)
        yield f"{name}: {same:,} of {one.judged.total():,} decisions come out as they lie there"
        for (kind, why), count in sorted(one.unasked.items()):
            yield f"  not judged again: {count:,} of {kind}: {why}"
