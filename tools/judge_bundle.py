"""Judges the accounts of an evidence bundle anew, once `verify_bundle.py` beside it found it right.

    python tools/judge_bundle.py BUNDLE.zip --keys KEYS [--policy POLICY]

It tells in JSON of each account whether it was opened validly, and which rules do not hold
(docs/ledger-format.md); of the main program nothing is in here.
"""

import base64
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

sys.path.insert(0, str(Path(__file__).parent))
from verify_bundle import NOUNS, Fact, Log, asked, need, rights_of, sha, spelled, verify

SAME = ("product_id", "terms_hash", "purpose", *(f"{noun}_id" for noun in NOUNS))
STOPS = ("consent.refused.1", "consent.withdrawn.1", "consent.disputed.1", "consent.invalidated.1")
LATEST, NEVER = datetime.max.replace(tzinfo=UTC), 1 << 63
instant = datetime.fromisoformat


def read_jwks(content: bytes) -> dict[str, Any]:
    """Return each key by its thumbprint (RFC 7638), with the seconds in which it signs."""
    keys = {}
    for one in json.loads(content)["keys"]:
        need((one["crv"], one["kty"]) == ("Ed25519", "OKP"), "a key of another kind")
        named = sha(spelled({name: one[name] for name in ("crv", "kty", "x")}))
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(one["x"] + "="))
        times = [instant(one[name]).timestamp() for name in ("valid_from", "valid_until")]
        keys[base64.urlsafe_b64encode(named).decode().rstrip("=")] = (public, *times)
    return keys


def read_token(token: str, typ: str, jwks: dict[str, Any]) -> Fact:
    """Return what a JWS says whose key was valid then; nothing if it proves nothing."""
    try:
        head, body, signature = (base64.urlsafe_b64decode(f"{one}==") for one in token.split("."))
        header, said = json.loads(head), json.loads(body)
        public, start, end = jwks[header["kid"]]
        public.verify(signature, token.rpartition(".")[0].encode())
        right = (header["alg"], header["typ"]) == ("Ed25519", typ) and start <= said["iat"] < end
    except Exception:  # noqa: BLE001 - whatever is wrong with it
        return {}
    return dict(said) if right else {}


def gate(question: Fact, at: datetime, before: list[Fact]) -> tuple[bool, bool]:
    """Tell whether every right was in force, and whether nobody concerned was suspended."""

    def of(kind: str) -> list[Fact]:
        return [one["data"] for one in before if one["kind"] == kind]

    newest = {one["right_id"]: one for one in of("right.granted.1")}
    held = [newest.get(one) for one in rights_of(question)]
    lifted = of("suspension.lifted.1")
    ends = {one["suspension_id"]: instant(one["effective_from"]) for one in lifted}
    stopped = [
        one
        for one in of("suspension.ordered.1")
        if at < ends.get(one["suspension_id"], LATEST)
        and all(one[f"{noun}_id"] in {None, question[f"{noun}_id"]} for noun in NOUNS)
    ]
    rights = all(
        one
        and instant(one["valid_from"]) <= at
        and at < instant(one["valid_until"] or LATEST.isoformat())
        for one in held
    )
    return rights, not stopped


def judge(own_id: str, opening: Fact, logs: dict[str, Log], jwks: dict[str, Any]) -> list[str]:
    """Return the rules that do not hold of an account."""
    facts = [*logs["consent"].facts.values()]
    mine = [one for one in facts if f"consent:{own_id}" in one["tags"]]

    def of(*kinds: str, before: int = NEVER, behind: int = 0) -> list[Fact]:
        return [one for one in mine if one["kind"] in kinds and behind < one["position"] < before]

    names = ("consent.requested.1", "consent.given.1", "consent.confirmed.1", "consent.redeemed.1")
    question, given, second, used = (next(iter(of(name)), None) for name in names)
    account, use = opening["data"], used["position"] if used else NEVER
    event = read_token(account["consent_event"], "thuan-consent+jwt", jwks)
    receipt = read_token(account["redemption_receipt"], "thuan-redemption+jwt", jwks)
    own = [own_id, account["opening_id"], account["command_hash"]]
    if receipt and receipt["position"] > logs["consent"].indexed:
        return ["behind_index"]
    place, agreed = (given["position"], given["data"]) if given else (NEVER, {})
    said, last = agreed.get("statement", {}), (second or given or {}).get("data", {})
    at = instant(used["data"]["redeemed_at"]) if used else None
    rights, free = (
        gate(question["data"], at, [one for one in facts if one["position"] < use])
        if question and at
        else (True, True)
    )
    pairs = [("statement", agreed)] if given else []
    pairs += [("confirmation", second["data"])] if second and event.get("confirmation") else []
    rules = {
        "event_signed": event,
        "receipt_signed": receipt
        and [*own, use]
        == [receipt[name] for name in ("consent_id", "redemption_id", "command_hash", "position")],
        "asked_for": question and given and question["position"] < place,
        "given_before": place < use,
        "shown_before": not given
        or (
            any(
                one["data"]["notice_hash"] == said["notice_hash"]
                for one in of("notice.served.1", before=place)
            )
            and any(
                one["data"]["statement_hash"] == agreed["statement_hash"]
                for one in of("signature.asked.1", before=place)
            )
        ),
        "statement_same": all(
            sha(spelled(one["statement"], by_name=True)).hex() == one["statement_hash"]
            and (
                not event
                or [event[name], event[f"{name}_hash"]] == [one["statement"], one["statement_hash"]]
            )
            for name, one in pairs
        ),
        "fields_same": not given
        or (
            [said[name] for name in SAME] == [account[name] for name in SAME]
            and [said["purpose"], said["decision"]] == ["open-account", "given"]
        ),
        "used_once": [
            [one["data"][name] for name in ("redemption_id", "command_hash", "statement_hash")]
            for one in of("consent.redeemed.1")
        ]
        == [[*own[1:], agreed.get("statement_hash", used and used["data"]["statement_hash"])]],
        "opened_once": len(openings(own_id, logs)) == 1,
        "confirmed_before": said.get("waits_for") != "confirmation"
        or (second and second["position"] < use),
        "not_stopped": not of(*STOPS, before=use),
        "in_time": not last
        or not at
        or instant(last["statement"]["not_before"])
        <= at
        < instant(last["statement"]["expires_at"]),
        "handed_in": not question
        or not given
        or question["data"]["channel"] != "counter"
        or of("opening.submitted.1", behind=place, before=use),
        "rights_held": rights,
        "not_suspended": free,
    }
    return [name for name, holds in rules.items() if not holds]


def openings(own_id: str, logs: dict[str, Log]) -> list[Fact]:
    """Return the accounts that were opened with a consent."""
    return [
        one
        for one in logs["accounts"].facts.values()
        if one["kind"] == "account.opened.1" and f"consent:{own_id}" in one["tags"]
    ]


def cases(logs: dict[str, Log], consents: set[str], files: dict[str, bytes]) -> Iterator[Fact]:
    """Yield what each account comes to, and each consent without one."""
    jwks = read_jwks(files["jwks.json"])
    for own_id in sorted(consents):
        for one in openings(own_id, logs):
            failed = judge(own_id, one, logs, jwks)
            verdict = "open" if failed == ["behind_index"] else "not_valid" if failed else "valid"
            account = {"consent_id": own_id, "opening_id": one["data"]["opening_id"]}
            yield {**account, "verdict": verdict, "failed": failed}
        if not openings(own_id, logs):
            yield {"consent_id": own_id, "opening_id": None, "verdict": "no_account", "failed": []}


def judged(place: Path, keys: str, policy: str) -> Fact:
    """Return whether a bundle is right, and if it is what its accounts come to."""
    try:
        return {"right": True, "cases": [*cases(*verify(place, keys, policy))]}
    except Exception as error:  # noqa: BLE001 - whatever is odd is wrong
        return {"right": False, "cases": [], "how": repr(error)}


if __name__ == "__main__":
    sys.excepthook = lambda kind, how, _: print(f"WRONG: {kind.__name__}: {how}", file=sys.stderr)
    told = judged(*asked(sys.argv[1:]))
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    sys.exit(not told["right"])
