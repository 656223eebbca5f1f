"""`./run audit export`: takes the history of one log or both home."""

import argparse
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from services.audit.export import LogName, Subset
from services.audit.sources import Source
from services.audit.taking import NotTaken, Taking
from services.audit.telling import taken_document, taken_sentences
from shared.clock import system_clock
from shared.contracts.fields import ID_PATTERN
from shared.progress import progress

DESCRIPTION = """Takes the log of consents, the log of accounts, or both, into a folder, or into a
zip if its name ends so. Ended on the way, the same command goes on where it was."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add what `export` takes."""
    parser.description = DESCRIPTION
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
    return 0


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
