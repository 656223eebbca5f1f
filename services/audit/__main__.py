"""`./run audit`: takes the history of both logs home, and checks it there, without any network."""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from services.audit.checking import Checked, Trust, check
from services.audit.commands import rejudge, replay
from services.audit.comparing import Incomparable, compare
from services.audit.export import BadExport, LogName, Subset
from services.audit.reading import Opened, Unreadable, opened_export
from services.audit.replaying import NoMoment
from services.audit.sources import NoAnswer, Source
from services.audit.taking import NotTaken, Taking
from services.audit.telling import (
    checked_document,
    checked_sentences,
    finding_sentence,
    taken_document,
    taken_sentences,
)
from services.audit.writing import Busy
from shared.clock import system_clock
from shared.contracts.fields import ID_PATTERN
from shared.ledger.notes import BadNote
from shared.ledger.policy import BadPolicy, Policy
from shared.ledger.tiles import BadTile
from shared.ledger.verify import trusted_keys
from shared.progress import progress

RIGHT, WRONG, UNREADABLE = 0, 1, 2

HINDRANCES = (
    *(NoAnswer, NotTaken, NoMoment, Busy, BadExport, BadTile),
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
        return UNREADABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run audit", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_export(verbs.add_parser("export", help="take one log or both home", description=EXPORT))
    _add_verify(verbs.add_parser("verify", help="check an export", description=VERIFY))
    replay.add(verbs.add_parser("replay", help="tell the state at any moment"))
    rejudge.add(verbs.add_parser("rejudge", help="judge what was decided again"))
    return parser


# -- export ---------------------------------------------------------------------------------------

EXPORT = """Takes the log of consents, the log of accounts, or both, into a folder, or into a zip if
its name ends so. Ended on the way, the same command goes on where it was."""


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=_export, undone="not taken")
    parser.add_argument("place", type=Path, metavar="EXPORT", help="a new folder, or a new zip")
    parser.add_argument("--consent", metavar="URL", help="where the consent service answers")
    parser.add_argument("--accounts", metavar="URL", help="where the accounts service answers")
    parser.add_argument(
        "--token-file", type=Path, required=True, help="the regulator's token, in a file"
    )
    parser.add_argument(
        "--accounts-token-file", type=Path, help="the one for accounts (default: the same)"
    )
    parser.add_argument("--month", type=_month, help="only what was recorded in it, as 2023-08")
    for tag in ("office", "bank", "citizen"):
        only = f"only facts of this {tag}"
        parser.add_argument(f"--{tag}", type=_id, metavar="ID", help=only)
    parser.add_argument("--json", action="store_true", help="tell in JSON, without a progress bar")


def _export(arguments: argparse.Namespace) -> int:
    started = time.perf_counter()
    with ExitStack() as stack:
        sources = {log: stack.enter_context(source) for log, source in _sources(arguments)}
        if not sources:
            raise NotTaken("name the services: --consent URL, --accounts URL, or both")
        taking = Taking(sources, _subset(arguments), arguments.place, system_clock)
        with progress("taking", "facts", shown=not arguments.json) as told:
            outcome = taking.run(told)
    if arguments.json:
        print(json.dumps(taken_document(outcome, time.perf_counter() - started)))
    else:
        print("\n".join(taken_sentences(outcome, str(arguments.place))))
    return RIGHT


def _sources(arguments: argparse.Namespace) -> Iterator[tuple[LogName, Source]]:
    token = arguments.token_file.read_text("utf-8").strip()
    if arguments.consent:
        yield "consent", Source(arguments.consent, token)
    if arguments.accounts:
        own = arguments.accounts_token_file
        yield (
            "accounts",
            Source(arguments.accounts, own.read_text("utf-8").strip() if own else token),
        )


def _subset(arguments: argparse.Namespace) -> Subset | None:
    named = {tag: getattr(arguments, tag) for tag in ("office", "bank", "citizen")}
    tags = [f"{tag}:{value}" for tag, value in named.items() if value]
    return Subset(arguments.month, tags) if tags or arguments.month else None


def _month(text: str) -> str:
    if not re.fullmatch(r"[12][0-9]{3}-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError("a month is written as 2023-08")
    return text


def _id(text: str) -> str:
    if not re.fullmatch(ID_PATTERN, text):
        raise argparse.ArgumentTypeError("an id is letters, digits, hyphens, underscores")
    return text


# -- verify ---------------------------------------------------------------------------------------

VERIFY = """Checks an export, a folder or a zip; of two, that the later continues the earlier.
Without any network."""


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=_verify, undone="cannot be checked")
    parser.add_argument("export", type=Path, metavar="EXPORT", help="a folder, or a zip")
    parser.add_argument("later", type=Path, nargs="?", metavar="LATER", help="a later one")
    parser.add_argument("--key", action="append", default=[], help="a log's key that you trust")
    parser.add_argument("--keys", type=Path, help="a file of them, one a line")
    parser.add_argument(
        "--policy", type=Path, help="a policy file (C2SP tlog-policy): check its witnesses' quorum"
    )
    parser.add_argument("--json", action="store_true", help="tell in JSON, without a progress bar")


def _verify(arguments: argparse.Namespace) -> int:
    started, trust = time.perf_counter(), _trust(arguments)
    with _check(arguments.export, trust, arguments) as first:
        if arguments.later is None:
            last, earlier, findings = first[1], None, first[1].findings
        else:
            with _check(arguments.later, trust, arguments) as second:
                last, earlier = second[1], first[1]
                findings = [*earlier.findings, *last.findings] or compare(first, second)
    seconds = time.perf_counter() - started
    if arguments.json:
        print(json.dumps(checked_document(last, earlier, findings, seconds)))
    elif findings:
        print("\n".join(map(finding_sentence, findings)))
    else:
        print("\n".join(checked_sentences(last, seconds)))
        if earlier:
            print(f"continues the export {earlier.fingerprint}")
    return WRONG if findings else RIGHT


@contextmanager
def _check(
    place: Path, trust: Trust, arguments: argparse.Namespace
) -> Iterator[tuple[Opened, Checked]]:
    """Give an export, checked, and open for more."""
    with opened_export(place) as export:
        shown = progress(f"checking {place.name}", "facts", shown=not arguments.json)
        with shown as told:
            checked = check(export, trust, told)
        yield export, checked


def _trust(arguments: argparse.Namespace) -> Trust:
    lines = list(arguments.key)
    if arguments.keys:
        lines += arguments.keys.read_text("utf-8").splitlines()
    keys = trusted_keys(lines)
    if arguments.keys and not keys:
        raise Unreadable(f"{arguments.keys} has no keys")
    policy = arguments.policy and Policy.parse(arguments.policy.read_text("utf-8"))
    return Trust(keys, policy)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
