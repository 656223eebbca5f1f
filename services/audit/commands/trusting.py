"""What an inspector brings to a check: the logs' keys, and a policy that names witnesses."""

import argparse
from pathlib import Path

from services.audit.checking import Trust
from services.audit.reading import Unreadable
from shared.ledger.policy import Policy
from shared.ledger.verify import trusted_keys


def add(parser: argparse.ArgumentParser) -> None:
    """Add what names them."""
    parser.add_argument("--key", action="append", default=[], help="a log's key that you trust")
    parser.add_argument("--keys", type=Path, help="a file of them, one a line")
    parser.add_argument(
        "--policy", type=Path, help="a policy file (C2SP tlog-policy): check its witnesses' quorum"
    )


def trust(arguments: argparse.Namespace) -> Trust:
    """Return what was named; raises `Unreadable`, `BadNote`, `BadPolicy`, `OSError`."""
    lines = list(arguments.key)
    if arguments.keys:
        lines += arguments.keys.read_text("utf-8").splitlines()
    keys = trusted_keys(lines)
    if arguments.keys and not keys:
        raise Unreadable(f"{arguments.keys} has no keys")
    policy = arguments.policy and Policy.parse(arguments.policy.read_text("utf-8"))
    return Trust(keys, policy)
