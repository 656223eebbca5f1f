"""Ways to break what two logs tell: by hand, as somebody would who can write into both.

`GOVERNED` are the ways to break the laws that rules of the services stand behind: what was open,
registered and said by two when something happened.
"""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.accounts.facts import AccountClosed, AccountFrozen, StopReceived
from services.audit.laws.signed import OPENING
from services.consent.facts import (
    ConsentDisputed,
    DisputeChannel,
    LiftedFor,
    PolicyProposed,
    PolicySet,
    Right,
    RightGranted,
    SetFor,
    SuspendedFor,
    SuspensionLifted,
    SuspensionOrdered,
    WitnessNamed,
)
from services.consent.policy import Policy
from shared.claims import RequestClaimed
from shared.ledger.facts import tags_of
from shared.message_signatures.messages import Request
from shared.message_signatures.requests import fields_of, read_signed
from shared.oauth.jose import public_key, thumbprint
from tests.support.clients import BankClient

Facts = list[dict[str, Any]]
Break = Callable[[Facts, Facts], object]

USED, OPENED, ASKED = "consent.redeemed", "account.opened", "consent.requested"
OTHER = "0" * 64
LATER = datetime(2024, 1, 1, tzinfo=UTC)
NOWHERE: dict[str, Any] = {
    "bank_id": None,
    "office_id": None,
    "clerk_id": None,
    "site_id": None,
    "citizen_id": None,
}


def first(log: Facts, kind: str, number: int = 0) -> dict[str, Any]:
    """Return a fact of a kind."""
    found: dict[str, Any] = [fact for fact in log if fact["kind"] == f"{kind}.1"][number]
    return found


def renumber(log: Facts) -> None:
    """Give every fact its position, and all of them one time, so that law 1 sees nothing."""
    for position, fact in enumerate(log, start=1):
        fact.update(position=position, recorded_at=log[0]["recorded_at"])


def move(log: Facts, fact: dict[str, Any], index: int) -> None:
    """Put a fact elsewhere."""
    log.remove(fact)
    log.insert(index, fact)
    renumber(log)


def drop(log: Facts, fact: dict[str, Any]) -> None:
    """Remove a fact and close the gap."""
    log.remove(fact)
    renumber(log)


def add(log: Facts, fact: dict[str, Any], **changed: Any) -> None:
    """Append a copy of a fact with other data."""
    other = copy.deepcopy(fact)
    other["data"] |= changed
    log.append(other)
    renumber(log)


def change(log: int, kind: str, **changed: Any) -> Break:
    """Return a change of some fields of the first fact of a kind; 0 is the consent log."""
    return lambda *logs: first(logs[log], kind)["data"].update(changed)


def tell(log: Facts, happened: Any, index: int | None = None) -> None:
    """Put one more fact into a log, at the end unless told where."""
    fact = {
        **copy.deepcopy(log[0]),
        "kind": happened.NAME,
        "tags": tags_of(happened),
        "data": msgspec.to_builtins(happened),
    }
    log.insert(len(log) if index is None else index, fact)
    renumber(log)


def own(log: Facts, kind: str, consent_id: str) -> dict[str, Any]:
    """Return the first fact of a kind about a consent."""
    found: dict[str, Any] = next(
        one for one in log if one["kind"] == f"{kind}.1" and one["data"]["consent_id"] == consent_id
    )
    return found


def suspended(by: str, **scope: Any) -> SuspensionOrdered:
    """Return that somebody suspends something."""
    where = {**NOWHERE, **scope}
    return SuspensionOrdered(
        suspension_id="s1", **where, why=SuspendedFor.COMPLAINTS, ordered_by=by
    )


def suspend_before(kind: str) -> Break:
    """Return a way to have the office suspended just before something happens there."""

    def way(consent: Facts, _: Facts) -> None:
        at = consent.index(first(consent, kind))
        office_id = first(consent, ASKED)["data"]["office_id"]
        tell(consent, suspended("overseer:ubnd", office_id=office_id), at)

    return way


def lift_alone(consent: Facts, _: Facts) -> None:
    """Have a suspension lifted by one organisation, named twice."""
    tell(consent, suspended("overseer:ubnd", site_id="s-1"))
    lifted = SuspensionLifted(
        suspension_id="s1",
        **{**NOWHERE, "site_id": "s-1"},
        why=LiftedFor.REMEDIED,
        proposed_by="overseer:ubnd",
        approved_by="overseer:ubnd",
        effective_from=LATER,
    )
    tell(consent, lifted)


def without_right(right: Right) -> Break:
    """Return a way to have a right never granted."""

    def way(consent: Facts, _: Facts) -> None:
        of_it = [
            one
            for one in consent
            if one["kind"] == "right.granted.1" and one["data"]["right"] == right
        ]
        for one in of_it:
            drop(consent, one)

    return way


def end_right_before(consent: Facts, _: Facts) -> None:
    """Have the clerk's training end in the past, in the log before the use."""
    used = first(consent, USED)
    asked = own(consent, ASKED, used["data"]["consent_id"])["data"]
    granted = next(
        one["data"]
        for one in consent
        if one["data"].get("right") == "training" and one["data"]["clerk_id"] == asked["clerk_id"]
    )
    ended = msgspec.convert(
        {**granted, "valid_until": asked["asked_at"], "granted_by": "operator:thuan"}, RightGranted
    )
    tell(consent, ended, consent.index(used))


def ask_the_refuser(days: int) -> Break:
    """Return a way to have whoever refused asked once more so many days later."""

    def way(consent: Facts, _: Facts) -> None:
        refused = first(consent, "consent.refused")
        question = own(consent, ASKED, refused["data"]["consent_id"])
        asked_at = msgspec.convert(question["data"]["asked_at"], datetime) + timedelta(days=days)
        add(consent, question, consent_id="again", asked_at=msgspec.to_builtins(asked_at))

    return way


def ask_the_disputer(consent: Facts, _: Facts) -> None:
    """Have a citizen say that it was not them, and be asked by the same bank again."""
    question = first(consent, ASKED)
    said = {name: question["data"][f"{name}_id"] for name in ("consent", "citizen", "bank")}
    disputed = ConsentDisputed(
        **{f"{name}_id": one for name, one in said.items()},
        office_id=None,
        clerk_id=None,
        channel=DisputeChannel.CODE,
        used_at=None,
        asking_again_from=LATER,
        authority_told_by=LATER,
    )
    tell(consent, disputed)
    add(consent, question, consent_id="again")


def set_policy(proposed_by: str, approved_by: str, **values: int) -> Break:
    """Return a way to have the next version proposed and set."""

    def way(consent: Facts, _: Facts) -> None:
        said: dict[str, Any] = {
            "policy_id": "consent",
            "version": 1,
            "values": {**Policy().values(), **values},
            "valid_from": msgspec.convert(consent[0]["recorded_at"], datetime) + timedelta(days=1),
            "why": SetFor.MISUSE,
            "proposed_by": proposed_by,
        }
        tell(consent, PolicyProposed(**said))
        tell(consent, PolicySet(**said, approved_by=approved_by))

    return way


def void_by(proposed_by: str, approved_by: str) -> Break:
    """Return a way to have a consent found void by these two."""

    def way(consent: Facts, _: Facts) -> None:
        asked = first(consent, ASKED)["data"]
        said = {
            "consent_id": asked["consent_id"],
            "bank_id": asked["bank_id"],
            "case_id": "case",
            "why": "forced",
            "proposed_by": proposed_by,
        }
        place = {name: asked[name] for name in ("citizen_id", "office_id", "clerk_id")}
        more = {"approved_by": approved_by, "used_at": None}
        for kind, data in (("proposed", said), ("invalidated", {**said, **place, **more})):
            noun = "invalidation" if kind == "proposed" else "consent"
            consent.append(
                {**copy.deepcopy(consent[0]), "kind": f"{noun}.{kind}.1", "tags": [], "data": data}
            )
            renumber(consent)

    return way


def grant_as(who: str) -> Break:
    """Return a way to have somebody grant the first right for longer."""

    def way(consent: Facts, _: Facts) -> None:
        granted = first(consent, "right.granted")["data"]
        tell(
            consent,
            msgspec.convert({**granted, "granted_by": who, "document_hash": OTHER}, RightGranted),
        )

    return way


def use_what_was_rejected(_: Facts, accounts: Facts) -> None:
    """Have the command of an account be rejected for what stands in it."""
    opened = first(accounts, OPENED)["data"]
    said = {name: opened[name] for name in ("opening_id", "command_hash")}
    first(accounts, "opening.rejected")["data"].update(**said, reasons=["bank_differs"])


def stop(*, freeze: bool) -> Break:
    """Return a way to have a stop arrive that nobody signed, with or without what follows it."""

    def way(_: Facts, accounts: Facts) -> None:
        opened = first(accounts, OPENED)["data"]
        names = ("consent_id", "citizen_id", "bank_id")
        said = {name: opened[name] for name in names}
        reason = "consent_disputed"
        if not freeze:
            tell(accounts, StopReceived(**said, reason=reason, stop="a.b.c"))
            return
        place = {name: opened[name] for name in ("opening_id", "office_id", "clerk_id")}
        tell(accounts, AccountFrozen(**said, **place, reason=reason))

    return way


def sign_with(**changed: Any) -> Break:
    """Return a way to have an account's command signed, and that changed."""

    def way(_: Facts, accounts: Facts) -> None:
        fact = first(accounts, OPENED)
        at, data = msgspec.convert(fact["recorded_at"], datetime), fact["data"]
        said = {name: data[name] for name in OPENING if data.get(name) is not None}
        body = json.dumps({**said, "consent": data["consent_event"]})
        target = f"http://accounts/openings/{data['opening_id']}"
        bank = BankClient()
        pairs = [*bank.sign("PUT", target, body.encode(), at).items()]
        request = Request("PUT", target, fields_of(pairs))
        key = public_key(bank.key.as_dict(private=False))
        signed = read_signed(request, body.encode(), {thumbprint(key): key}, at)
        data["signed"] = {**msgspec.to_builtins(signed), **changed}

    return way


def sign_another(consent: Facts, accounts: Facts) -> None:
    """Have what an account's bank signed be another product's."""
    sign_with()(consent, accounts)
    first(accounts, OPENED)["data"]["product_id"] = "another"


def close(**changed: Any) -> Break:
    """Return a way to have the account that was confirmed first be closed by its bank."""

    def way(_: Facts, accounts: Facts) -> None:
        data = first(accounts, "account.confirmed")["data"]
        said = {name: data[name] for name in ("opening_id", "citizen_id", "bank_id")}
        tell(accounts, AccountClosed(**{**said, "reason": "at_request", **changed}))

    return way


def close_twice(consent: Facts, accounts: Facts) -> None:
    """Have it closed, and again."""
    close()(consent, accounts)
    add(accounts, accounts[-1], reason="again")


def close_before(kind: str) -> Break:
    """Return a way to have it closed just before something happens with it."""

    def way(consent: Facts, accounts: Facts) -> None:
        close()(consent, accounts)
        move(accounts, accounts[-1], accounts.index(first(accounts, kind)))

    return way


def claim_twice(consent: Facts, _: Facts) -> None:
    """Have one key be claimed for two requests."""
    for request_hash in (OTHER, "1" * 64):
        claimed = RequestClaimed(
            request_id="2" * 64, claimed_by="operator:op", request_hash=request_hash
        )
        tell(consent, claimed)


def open_behind_a_stop(consent: Facts, accounts: Facts) -> None:
    """Have an account opened behind the stop of its consent."""
    stop(freeze=False)(consent, accounts)
    move(accounts, accounts[-1], accounts.index(first(accounts, OPENED)))


def name_a_witness(consent: Facts, _: Facts) -> None:
    """Have another bank name a witness of a question."""
    consent_id = first(consent, ASKED)["data"]["consent_id"]
    named = WitnessNamed(consent_id=consent_id, witness_id="w", named_by="bank:another")
    tell(consent, named)


GOVERNED: dict[str, tuple[int, Break]] = {
    "asked at an office that is no agent": (26, without_right(Right.REGISTRATION)),
    "asked without the host's leave": (26, without_right(Right.PERMISSION)),
    "asked at a suspended office": (26, suspend_before(ASKED)),
    "used at a suspended office": (27, suspend_before(USED)),
    "used when the training was over": (27, end_right_before),
    "photographed with another's phone": (28, change(0, "identity.captured", device_id="own")),
    "photographed at a suspended office": (28, suspend_before("identity.captured")),
    "handed in at a suspended office": (28, suspend_before("opening.submitted")),
    "asked of other terms": (29, change(0, ASKED, terms_hash=OTHER)),
    "asked of other fees": (29, change(0, ASKED, fee_hash=OTHER)),
    "asked for another bank": (29, change(0, ASKED, bank_id="another")),
    "asked under one id twice": (29, lambda c, a: add(c, first(c, ASKED))),
    "asked of nobody known": (29, change(0, ASKED, citizen_id="another")),
    "asked for too long": (29, change(0, ASKED, decide_by="2101-01-01T00:00:00Z")),
    "asked after a refusal": (30, ask_the_refuser(89)),
    "asked after a dispute": (30, ask_the_disputer),
    "suspended by a stranger": (31, lambda c, a: tell(c, suspended("bank:so-viet", site_id="s"))),
    "suspended nowhere": (31, lambda c, a: tell(c, suspended("overseer:ubnd"))),
    "lifted by one": (31, lift_alone),
    "void by one": (32, void_by("regulator:nhnn", "regulator:nhnn")),
    "void by another bank": (32, void_by("regulator:nhnn", "bank:another")),
    "policy by one organisation": (33, set_policy("operator:one", "overseer:one")),
    "policy by no overseer": (33, set_policy("operator:one", "bank:so-viet")),
    "policy out of bounds": (33, set_policy("operator:a", "overseer:b", code_tries_max=100)),
    "a right by a clerk": (34, grant_as("clerk:gdv-01")),
    "registered twice": (34, lambda c, a: add(c, first(c, "bank.registered"))),
    "an offer of no bank": (34, lambda c, a: drop(c, first(c, "bank.registered"))),
    "used by a bank": (35, change(0, USED, redeemed_by="bank:so-viet")),
    "handed in by another clerk": (35, change(0, "opening.submitted", clerk_id="another")),
    "answered by another bank": (35, change(1, "account.confirmed", bank_id="another")),
    "a witness named by another": (35, name_a_witness),
    "a kind that nobody knows": (36, lambda c, a: first(c, "notice.served").update(kind="new.1")),
    "a fact that lacks a field": (36, lambda c, a: first(c, USED)["data"].pop("consent_id")),
    "a rejected command": (37, use_what_was_rejected),
    "a stop of nobody": (38, stop(freeze=False)),
    "frozen without a stop": (38, stop(freeze=True)),
    "opened behind a stop": (38, open_behind_a_stop),
    "a signed command that was changed": (42, sign_with(body="{}")),
    "a command signed for another address": (42, sign_with(target="http://accounts/openings/x")),
    "signed by a key that is none": (42, sign_with(key={"kty": "oct", "k": "AAAA"})),
    "signed, and not what came of it": (42, sign_another),
    "closed twice": (43, close_twice),
    "closed by another bank": (43, close(bank_id="another")),
    "closed, and never opened": (43, close(opening_id="another")),
    "confirmed behind its closure": (43, close_before("account.confirmed")),
    "a key for two requests": (45, claim_twice),
    "a withdrawal that says it was used": (39, change(0, "consent.withdrawn", used_at=1)),
    "asked another thing": (40, change(0, ASKED, product_id="another")),
    "asked at another place": (40, change(0, ASKED, site_id="another")),
    "a phone in the clear": (
        15,
        lambda c, a: first(c, "citizen.registered")["data"].update(phone="+84912345678"),
    ),
}
"""Each way to break a law that the rules stand behind, and the law that must be found broken."""
