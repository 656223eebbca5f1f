"""`./run verify FOLDER-or-URL`: checks a log with nothing but its files, and says what is wrong."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from shared.clock import system_clock
from shared.ledger import stores
from shared.ledger.notes import BadNote, VerifierKey
from shared.ledger.policy import BadPolicy, Policy
from shared.ledger.recorder import Recorder, StoredFact
from shared.ledger.seal import VERIFIER_KEYS_PATH
from shared.ledger.tiles import Fetch, PublicFolder
from shared.ledger.verify import Verified, Wrong, facts_of, trusted_keys, verify
from shared.progress import progress

PAGE_FACTS = 1_000
TIMEOUT_S = 30.0
RIGHT, WRONG, UNREADABLE = 0, 1, 2

Page = Callable[[int], Sequence[StoredFact]]


class Unreadable(Exception):
    """There is no log to be checked where we were told."""


@dataclass(frozen=True)
class Source:
    """Where a log's public files are, and its facts for whoever may read them."""

    fetch: Fetch
    page: Page | None = None


class _WireFact(msgspec.Struct):
    position: int
    recorded_at: datetime
    kind: str
    tags: list[str]
    data: msgspec.Raw
    parts: list[str]


class _WirePage(msgspec.Struct):
    facts: list[_WireFact]


def main(argv: Sequence[str]) -> int:
    """Check, tell, and return 0 if all is right, 1 if not, 2 if it could not be read."""
    arguments = _parser().parse_args(argv)
    try:
        with _source(arguments) as source:
            policy = _policy(arguments)
            keys = (policy and policy.logs) or _keys(arguments, source)
            started = time.perf_counter()
            with progress("checking", "facts", shown=not arguments.json) as told:
                facts = None if source.page is None else facts_of(source.page)
                verified = verify(
                    source.fetch,
                    keys[0].name,
                    keys,
                    facts=facts,
                    progress=told,
                    policy=policy,
                )
            own = bool(arguments.key or (policy and policy.logs))
            _tell(arguments, verified, time.perf_counter() - started, own_keys=own)
    except Wrong as wrong:
        return _tell_wrong(arguments, wrong)
    except (Unreadable, BadNote, BadPolicy, httpx.HTTPError, OSError, stores.UnknownStore) as error:
        print(f"cannot be checked: {error}", file=sys.stderr)
        return UNREADABLE
    return RIGHT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run verify", description=__doc__)
    parser.add_argument("place", help="a service's folder, its public folder, or its address")
    parser.add_argument(
        "--key", action="append", help="a verifier key you trust (default: the log's own word)"
    )
    parser.add_argument(
        "--policy", type=Path, help="a policy file (C2SP tlog-policy): check its witnesses' quorum"
    )
    parser.add_argument("--ledger", help="check the facts too, from this store's address")
    parser.add_argument(
        "--token-file", type=Path, help="check the facts too, read at the address with this token"
    )
    parser.add_argument("--json", action="store_true", help="tell in JSON, without a progress bar")
    return parser


@contextmanager
def _source(arguments: argparse.Namespace) -> Iterator[Source]:
    remote = arguments.place.startswith(("http://", "https://"))
    if remote and arguments.ledger:
        raise Unreadable("--ledger goes with a folder; at an address, name a --token-file")
    if not remote and arguments.token_file:
        raise Unreadable("--token-file goes with an address; for a folder, name a --ledger")
    if remote:
        with httpx.Client(base_url=arguments.place.rstrip("/"), timeout=TIMEOUT_S) as client:
            token = arguments.token_file and arguments.token_file.read_text("utf-8").strip()
            yield Source(_fetch_from(client), _page_from(client, token) if token else None)
        return
    folder = Path(arguments.place)
    if not folder.is_dir():
        raise Unreadable(f"{folder} is no folder")
    inside = folder / "public"
    fetch = PublicFolder(inside if inside.is_dir() else folder).fetch
    own = folder / "ledger.db"
    address = arguments.ledger or (f"sqlite:///{own}" if own.exists() else None)
    if address is None:
        yield Source(fetch)
        return
    recorder = stores.open_recorder(address, system_clock)
    try:
        yield Source(fetch, _page_of(recorder))
    finally:
        recorder.close()


def _page_of(recorder: Recorder) -> Page:
    def page(after: int) -> list[StoredFact]:
        return recorder.with_parts(recorder.page(after=after, limit=PAGE_FACTS).facts)

    return page


def _fetch_from(client: httpx.Client) -> Fetch:
    def fetch(path: str) -> bytes:
        answer = client.get(f"/tlog/{path}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise FileNotFoundError(path)
        return answer.raise_for_status().content

    return fetch


def _page_from(client: httpx.Client, token: str) -> Page:
    def page(after: int) -> list[StoredFact]:
        answer = client.get(
            "/log",
            params={"after": after, "limit": PAGE_FACTS},
            headers={"Authorization": f"Bearer {token}"},
        )
        facts = msgspec.json.decode(answer.raise_for_status().content, type=_WirePage).facts
        return [_stored(one) for one in facts]

    return page


def _stored(fact: _WireFact) -> StoredFact:
    digests = tuple(bytes.fromhex(digest) for digest in fact.parts)
    return StoredFact(
        fact.position, fact.recorded_at, fact.kind, fact.tags, bytes(fact.data), b"", digests
    )


def _policy(arguments: argparse.Namespace) -> Policy | None:
    if arguments.policy is None:
        return None
    policy = Policy.parse(arguments.policy.read_text("utf-8"))
    if len({key.name for key in policy.logs}) > 1:
        raise Unreadable("the policy names several logs; name one, or a policy for each")
    return policy


def _keys(arguments: argparse.Namespace, source: Source) -> list[VerifierKey]:
    if arguments.key:
        return trusted_keys(arguments.key)
    try:
        keys = trusted_keys(source.fetch(VERIFIER_KEYS_PATH).decode().splitlines())
    except FileNotFoundError:
        keys = []
    if not keys:
        raise Unreadable("there are no keys; name one with --key")
    return keys


def _tell(
    arguments: argparse.Namespace, verified: Verified, seconds: float, *, own_keys: bool
) -> None:
    signed_by = [str(key.algorithm.name) for key in verified.signed_by]
    document: dict[str, Any] = {
        "right": True,
        "origin": verified.origin,
        "size": verified.size,
        "root": verified.root.hex(),
        "signed_by": signed_by,
        "cosigned_by": [key.name for key in verified.cosigned_by],
        "keys_from": "the caller" if own_keys else "the log itself",
        "entries": verified.entries,
        "facts": verified.facts,
        "parts": {"kept": verified.parts_kept, "erased": verified.parts_erased},
        "seconds": round(seconds, 3),
    }
    if arguments.json:
        print(json.dumps(document))
        return
    rate = verified.entries / seconds if seconds else 0.0
    facts = "every fact is the one sealed" if verified.facts else "facts were not looked at"
    if verified.parts_kept or verified.parts_erased:
        facts += f", personal parts: {verified.parts_kept:,} kept, {verified.parts_erased:,} erased"
    trust = "" if own_keys else " (keys on the log's own word; --key names yours)"
    print(
        f"right: {verified.origin}, {verified.size:,} entries, {facts}, {rate:,.0f} a second\n"
        f"root {verified.root.hex()}, signed with {' and '.join(signed_by)}{trust}"
    )
    if verified.cosigned_by:
        names = ", ".join(key.name for key in verified.cosigned_by)
        print(f"cosigned by {names}: the quorum that the policy asks for")


def _tell_wrong(arguments: argparse.Namespace, wrong: Wrong) -> int:
    if arguments.json:
        print(json.dumps({"right": False, "position": wrong.position, "how": wrong.how}))
    else:
        where = "the log" if wrong.position is None else f"position {wrong.position:,}"
        print(f"WRONG: {where}: {wrong.how}")
    return WRONG


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
