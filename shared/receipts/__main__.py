"""`./run receipt verify FILE`: checks the receipt that a citizen kept, without any network."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.clock import system_clock
from shared.contracts.consent import Unreadable
from shared.ledger.notes import VerifierKey
from shared.ledger.verify import trusted_keys
from shared.receipts.kept import KeptReceipt, read_kept_receipt
from shared.receipts.verify import BadReceipt, Checked, verify_receipt
from shared.receipts.words import sentences
from shared.signing import TrustedKeys

RIGHT, WRONG, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Given:
    """What the caller named, read."""

    document: KeptReceipt
    keys: TrustedKeys | None
    vkeys: list[VerifierKey] | None
    status: str | None


def main(argv: Sequence[str]) -> int:
    """Check, tell, and return 0 if all is right, 1 if not, 2 if it could not be read."""
    arguments = _parser().parse_args(argv)
    try:
        given = _given(arguments)
    except (Unreadable, ValueError, OSError, RecursionError) as error:
        print(f"cannot be checked: {error}", file=sys.stderr)
        return UNREADABLE
    try:
        at = arguments.at or system_clock()
        checked = verify_receipt(given.document, given.keys, given.vkeys, given.status, at=at)
    except BadReceipt as bad:
        return _tell_wrong(arguments, bad)
    _tell(arguments, checked)
    return RIGHT


def _given(arguments: argparse.Namespace) -> _Given:
    return _Given(
        read_kept_receipt(arguments.file.read_bytes()),
        _keys(arguments.keys),
        _vkeys(arguments),
        None if arguments.status is None else arguments.status.read_text("utf-8").strip(),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run receipt", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="verify")
    verify = commands.add_parser("verify", help="check a kept receipt", description=__doc__)
    verify.add_argument("file", type=Path, help="the kept receipt, receipt.json")
    verify.add_argument(
        "--keys", type=Path, help="the service's JWK set that you trust (default: the file's own)"
    )
    log_keys = verify.add_mutually_exclusive_group()
    log_keys.add_argument(
        "--vkey", action="append", help="a verifier key of the log that you trust"
    )
    log_keys.add_argument("--vkeys", type=Path, help="a file of them, one a line")
    verify.add_argument("--status", type=Path, help="a signed status list, to see if it stands")
    verify.add_argument(
        "--at", type=_instant, help="use the status list as at this time (RFC 3339; default: now)"
    )
    verify.add_argument("--json", action="store_true", help="tell in JSON")
    return parser


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("a time says its zone, such as +07:00")
    return instant


def _keys(file: Path | None) -> TrustedKeys | None:
    return None if file is None else TrustedKeys.from_jwks(json.loads(file.read_bytes()))


def _vkeys(arguments: argparse.Namespace) -> list[VerifierKey] | None:
    lines = arguments.vkey
    if arguments.vkeys is not None:
        lines = arguments.vkeys.read_text("utf-8").splitlines()
    if lines is None:
        return None
    keys = trusted_keys(lines)
    if not keys:
        raise Unreadable("there are no verifier keys in it")
    return keys


def _tell(arguments: argparse.Namespace, checked: Checked) -> None:
    if arguments.json:
        print(json.dumps(_document(checked)))
        return
    for sentence in sentences(checked):
        print(sentence)


def _document(checked: Checked) -> dict[str, Any]:
    receipt, log, standing = checked.receipt, checked.log, checked.standing
    return {
        "right": True,
        "receipt_id": receipt.consent_receipt_id,
        "decision": receipt.decision,
        "event_state": receipt.event_state,
        "statement_hash": receipt.statement_hash,
        "recorded_at": receipt.log.recorded_at.isoformat(),
        "keys_from": _whose(callers=checked.callers_keys),
        "log": log
        and {
            "origin": log.checkpoint.origin,
            "position": receipt.log.position,
            "size": log.checkpoint.size,
            "root": log.checkpoint.root.hex(),
            "keys_from": _whose(callers=log.callers_keys),
        },
        "status": standing
        and {"status": standing.status.name.lower(), "as_of": standing.as_of.isoformat()},
        "caveats": checked.caveats,
    }


def _whose(*, callers: bool) -> str:
    return "the caller" if callers else "the file itself"


def _tell_wrong(arguments: argparse.Namespace, bad: BadReceipt) -> int:
    if arguments.json:
        print(json.dumps({"right": False, "code": bad.code, "how": bad.how}))
    else:
        print(f"WRONG: {bad.code}: {bad.how}")
    return WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
