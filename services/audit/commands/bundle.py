"""`./run audit index`, `bundle`, `absent` and `check`: evidence of one matter, made and checked."""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from services.audit.bundle import OWN_ID, About, Noun
from services.audit.bundle_checking import BundleChecked, check_bundle
from services.audit.bundle_telling import bundle_document, bundle_sentences
from services.audit.bundling import NotBundled, make_bundle
from services.audit.checking import Trust
from services.audit.commands import trusting
from services.audit.reading import opened_export
from services.audit.sources import Source
from services.audit.telling import finding_sentence

INDEX = "Has both services index what is there, so that an export taken next can be bundled."
MAKE = "Puts together all that an export of both logs has about one matter, with its proofs."
ABSENT = "The same, where there is no agreement to open an account: it proves that there is none."
CHECK = "Checks a bundle, and judges it anew. Without any network."


def add_to(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs."""
    _add_index(verbs.add_parser("index", help="have both logs indexed", description=INDEX))
    making = verbs.add_parser("bundle", help="evidence of one matter", description=MAKE)
    absent = verbs.add_parser("absent", help="evidence that nobody agreed", description=ABSENT)
    for parser, nouns in ((making, [*Noun]), (absent, [Noun.ACCOUNT, Noun.CITIZEN])):
        _add_make(parser, nouns, absent=parser is absent)
    _add_check(verbs.add_parser("check", help="check a bundle", description=CHECK))


# -- index ----------------------------------------------------------------------------------------


def _add_index(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=_index, undone="not indexed")
    for name in ("consent", "accounts"):
        parser.add_argument(f"--{name}", metavar="URL", required=True, help="where it answers")
    parser.add_argument("--token-file", type=Path, required=True, help="the regulator's token")
    parser.add_argument("--json", action="store_true", help="tell in JSON")


def _index(arguments: argparse.Namespace) -> int:
    token = arguments.token_file.read_text("utf-8").strip()
    told = {}
    for log in ("consent", "accounts"):
        with Source(getattr(arguments, log), token) as source:
            told[log] = source.index()
    if arguments.json:
        _say([json.dumps(told)])
    else:
        _say(f"{log}: indexed up to position {indexed:,}" for log, indexed in told.items())
    return 0


# -- bundle, absent -------------------------------------------------------------------------------


def _add_make(parser: argparse.ArgumentParser, nouns: list[Noun], *, absent: bool) -> None:
    parser.set_defaults(verb=_make, undone="no bundle", absent=absent)
    parser.add_argument("export", type=Path, metavar="EXPORT", help="of both logs, whole")
    group = parser.add_mutually_exclusive_group(required=True)
    for noun in nouns:
        if noun is Noun.INCIDENT:
            named: dict[str, Any] = {"metavar": "FILE", "type": Path}
            group.add_argument("--incident", help="a file of consents' ids", **named)
        else:
            group.add_argument(f"--{noun}", metavar="ID", type=_id, help=f"of this {noun}")
    parser.add_argument("place", type=Path, metavar="OUT.zip", help="a new file")
    parser.add_argument("--json", action="store_true", help="tell in JSON")


def _make(arguments: argparse.Namespace) -> int:
    started, about = time.perf_counter(), _about(arguments)
    with opened_export(arguments.export) as export:
        checked = make_bundle(export, about, arguments.place)
    return _tell(checked, arguments, time.perf_counter() - started)


def _about(arguments: argparse.Namespace) -> About:
    noun = next(one for one in Noun if getattr(arguments, one, None))
    named = getattr(arguments, noun)
    ids = sorted(set(named.read_text("utf-8").split())) if noun is Noun.INCIDENT else [named]
    if not ids or not all(re.fullmatch(OWN_ID, one) for one in ids):
        raise NotBundled(f"{named} has no ids, or something else than ids")
    return About(noun, ids, arguments.absent)


def _id(text: str) -> str:
    if not re.fullmatch(OWN_ID, text):
        raise argparse.ArgumentTypeError("an id is printed characters without spaces")
    return text


# -- check ----------------------------------------------------------------------------------------


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(verb=lambda arguments: _check(arguments, trusting.trust(arguments)))
    parser.set_defaults(undone="cannot be checked")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle")
    trusting.add(parser)
    parser.add_argument("--json", action="store_true", help="tell in JSON")


def _check(arguments: argparse.Namespace, trust: Trust) -> int:
    started = time.perf_counter()
    with opened_export(arguments.bundle) as bundle:
        checked = check_bundle(bundle, trust)
    return _tell(checked, arguments, time.perf_counter() - started)


def _tell(checked: BundleChecked, arguments: argparse.Namespace, seconds: float) -> int:
    if arguments.json:
        _say([json.dumps(bundle_document(checked, seconds))])
    elif checked.findings:
        _say(map(finding_sentence, checked.findings))
    else:
        _say(bundle_sentences(checked))
    return 1 if checked.findings else 0


def _say(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
