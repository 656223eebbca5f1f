"""`./run audit`: takes the history of both logs home, and checks and replays it there.

All but taking is done without any network.
"""

import argparse
import sys
from collections.abc import Sequence

from services.audit.bundling import NotBundled
from services.audit.commands import bundle, export, judge, pages, rejudge, replay, verify
from services.audit.comparing import Incomparable
from services.audit.export import BadExport
from services.audit.reading import Unreadable
from services.audit.replaying import NoMoment
from services.audit.sources import NoAnswer
from services.audit.taking import NotTaken
from services.audit.writing import Busy
from shared.ledger.notes import BadNote
from shared.ledger.policy import BadPolicy
from shared.ledger.tiles import BadTile

UNDONE = 2
"""The exit code where nothing was done; of what was, it is 0 if all is right, else 1."""

HINDRANCES = (
    *(NoAnswer, NotTaken, NotBundled, NoMoment, Busy, BadExport, BadTile),
    *(Unreadable, Incomparable, BadNote, BadPolicy, OSError, KeyboardInterrupt),
)
"""What keeps an export from being taken, or from being checked."""


def main(argv: Sequence[str]) -> int:
    """Do what is asked; returns 0 if all is right, 1 if something is not, 2 if it was not done."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.verb(arguments))
    except HINDRANCES as error:
        print(f"{arguments.undone}: {str(error) or 'interrupted'}", file=sys.stderr)
        return UNDONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run audit", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    export.add(verbs.add_parser("export", help="take one log or both home"))
    verify.add(verbs.add_parser("verify", help="check an export"))
    judge.add(verbs.add_parser("judge", help="judge both logs by all laws"))
    replay.add(verbs.add_parser("replay", help="tell the state at any moment"))
    rejudge.add(verbs.add_parser("rejudge", help="judge what was decided again"))
    bundle.add_to(verbs)
    pages.add(verbs.add_parser("pages", help="show an export in this machine's browser"))
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
