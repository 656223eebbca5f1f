"""Both services together, through any history that people and faults can make of them.

A state machine asks, shows, signs, withdraws, opens, repeats and answers, while requests, answers
or commits are lost before or after they took effect, the consent service goes away and comes back,
time passes, citizens are erased and come back, and each service is restarted on its files.

Beside it runs `Model`: the rules once more, in plain Python, on whole minutes and dictionaries. It
says of every request what is answered and which facts, with which reasons, lie behind it in either
log; each is compared at once. After every history the laws hold, what failed is repeated to its
right answer, and both logs replayed into empty stores answer every question as the services do.
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
from eventsourcing.dcb.api import DCBEvent
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from typing_extensions import override

from demo.cast import ACCOUNT, KNOWN_SINCE, OFFICE, OTHER, POWER, SAVINGS, Citizen, Product
from demo.commands import question
from services.accounts.facts import VOCABULARY as ACCOUNTS_FACTS
from services.accounts.openings import COMPARED
from services.accounts.views import read_opening
from services.consent.facts import VOCABULARY as CONSENT_FACTS
from services.consent.views import read_consent
from shared.canonical import canonical
from shared.ledger.facts import Vocabulary
from shared.ledger.log import Log
from shared.ledger.recorder import Append
from shared.ledger.sqlite import SQLiteRecorder, create_schema
from tests.support.laws import personal_data, violations
from tests.support.world import World, a_world, new_id

HOUR = 60
HALF_AN_HOUR = 30
DAY = 24 * HOUR
QUARTER = 91 * DAY
QUARTERS_MAX = 2
"""A signing key lives a year."""

UNDOABLE = {"waiting", "given", "redeemed", "refused"}
DECISIONS = ["given", "refused", "withdrawn", "confirmed"]
KEYS = "/.well-known/jwks.json"
REDEMPTIONS = "/redemptions"
NUMBERS = ["100200300400", "500600700800"]
SERVICES = ["consent", "accounts"]
FAULTS = ["before", "after"]
SUSPENDABLE = {"bank": "so-viet", "office": OFFICE[0], "clerk": "gdv-01"}
"""What may be suspended here, in the order in which the reasons are named."""

LOOKS = {"consent": "data.read.1", "accounts": "account.read.1"}
HOLDERS = ["gdv-01", "gdv-02", "so-viet", "truong-son"]
PRODUCTS = [ACCOUNT, ACCOUNT, ACCOUNT, SAVINGS, ACCOUNT, OTHER, POWER]
QUESTIONED: list[dict[str, Any]] = [
    {},
    {"citizen_id": "c-nobody"},
    {"terms_hash": "0" * 64},
    {"purpose": "marketing"},
    {"product_id": "none"},
    {"office_id": "elsewhere"},
    {"site_id": None},
    {"clerk_id": "gdv-02"},
    {"decide_within_s": 8 * DAY * 60},
]
COMMANDED: list[dict[str, Any]] = [
    *[{}] * 8,
    {"citizen_id": "c-nobody"},
    {"bank_id": OTHER.bank_id},
    {"product_id": "another"},
    {"terms_hash": "0" * 64},
    {"purpose": "electricity-contract"},
    {"office_id": "elsewhere"},
    {"site_id": "elsewhere"},
    {"clerk_id": "gdv-02"},
    {"consent": None},
    {"consent": "no.token"},
    {"consent": "forged"},
    {"terms_hash": None},
]


# == what must be ===============================================================================


class Line(NamedTuple):
    """A fact as far as it is predicted: its kind, and the reasons that it names."""

    kind: str
    reasons: tuple[str, ...] = ()


class Said(NamedTuple):
    """An answer as far as it is predicted."""

    status: int
    reasons: tuple[str, ...] = ()


class StoreDown(Exception):
    """The model's commit failed."""


@dataclass
class Code:
    """A code that was sent; `text` and `page` are None if the citizen never saw it."""

    decision: str
    asked_at: int
    page: httpx.Response | None = None
    text: str | None = None
    wrong: int = 0
    overtried: bool = False
    signed: bool = False


@dataclass
class Asked:
    """A question, once it is in the log."""

    id: str
    body: dict[str, Any]
    holder: str
    asked_at: int
    link: str | None = None
    served: bool = False
    codes: list[Code] = field(default_factory=list)
    given: Code | None = None
    confirmed: Code | None = None
    refused_at: int | None = None
    may_ask_again: bool = False
    disputed_at: int | None = None
    withdrawn: bool = False
    used_by: tuple[str, str] | None = None
    event: str | None = None

    @property
    def decide_by(self) -> int:
        """Return the minute at which no answer means no."""
        online = self.body["clerk_id"] is None
        return self.asked_at + (5 if online else DAY)

    def standing(self, now: int) -> str:
        """Return where the consent stands."""
        if self.disputed_at is not None:
            return "disputed"
        if self.withdrawn:
            return "withdrawn_after_use" if self.used_by else "withdrawn"
        if self.used_by:
            return "redeemed"
        if self.given:
            return self._agreed(self.given, now)
        if self.refused_at is not None:
            return "refusal_withdrawn" if self.may_ask_again else "refused"
        return "requested" if now < self.decide_by else "lapsed"

    def _agreed(self, given: Code, now: int) -> str:
        if self.waits and self.confirmed is None:
            return "waiting" if now - given.asked_at < 3 * DAY else "lapsed"
        return "expired" if self.over(now) else "given"

    @property
    def waits(self) -> bool:
        """Tell whether an agreement must be confirmed: it was asked for at a counter."""
        return self.body["clerk_id"] is not None

    def over(self, now: int) -> bool:
        """Tell whether the hour of the use is over."""
        last = self.confirmed or self.given
        return last is not None and now - last.asked_at >= HOUR

    def offers(self, now: int) -> set[str]:
        """Return the buttons of the citizen's page."""
        standing = self.standing(now)
        if standing == "requested":
            return {"given", "refused"}
        if standing == "waiting" and self.given and now - self.given.asked_at >= HALF_AN_HOUR:
            return {"confirmed", "withdrawn"}
        return {"withdrawn"} if standing in UNDOABLE else set()


@dataclass
class Request:
    """A request of a clerk or bank, kept so that it can be sent again."""

    path: str
    body: dict[str, Any]
    holder: str
    said: Said | None = None
    answer: Any = None

    @property
    def id(self) -> str:
        """Return the id that the caller made."""
        return self.path.split("/")[2]

    @property
    def own_bank(self) -> str | None:
        """Return the bank that sends it, None for a clerk."""
        return None if self.holder.startswith("gdv") else self.holder


@dataclass
class Opened:
    """An account in the log, and the bank's answer."""

    command: str
    consent_id: str
    bank_id: str
    answer: tuple[str, str] | None = None
    frozen: bool = False

    @property
    def standing(self) -> str:
        """Return where the opening stands."""
        if self.frozen:
            return "frozen"
        return (
            {"confirmation": "confirmed", "declination": "declined"}[self.answer[0]]
            if (self.answer)
            else "opened"
        )


class Model:
    """Both services in plain Python; `lines` is what their logs must hold."""

    def __init__(self, people: Sequence[Citizen]) -> None:
        self.now = 0
        self.lines: dict[str, list[Line]] = {"consent": [], "accounts": []}
        self.asked: dict[str, Asked] = {}
        self.opened: dict[str, Opened] = {}
        self.rejected: dict[str, set[tuple[str, str, tuple[str, ...]]]] = {}
        self.unread: set[tuple[str, str]] = set()
        self.store_fault: dict[str, str | None] = {"consent": None, "accounts": None}
        self.wire_fault: tuple[str, str] | None = None
        self.gone = False
        self.keys_at: int | None = None
        self.looks: set[tuple[str, frozenset[str], int]] = set()
        self.suspended: dict[str, set[str]] = {}  # and who wants each to end
        self._people = {one.id for one in people}
        self.erased: set[str] = set()
        self._keyed = set(self._people)  # whoever has a key that no fact erases
        self._refusals: dict[str, set[str]] = {}  # and what each refused: a key for each
        self._products = {one.id: one for one in (ACCOUNT, SAVINGS, OTHER, POWER)}

    # -- the store and the wire ----------------------------------------------------------------

    @property
    def undisturbed(self) -> bool:
        """Tell whether nothing is about to fail; how stops are lost is in test_disputes.py."""
        return not (self.gone or self.wire_fault or any(self.store_fault.values()))

    def _write(
        self, service: str, line: Line, effect: Callable[[], None] = lambda: None, *more: Line
    ) -> None:
        fault, self.store_fault[service] = self.store_fault[service], None
        if fault == "before":
            raise StoreDown
        self.lines[service] += [line, *more]
        effect()
        if fault == "after":
            raise StoreDown

    def _reach(self, path: str, act: Callable[[], Said]) -> Said | None:
        """Return what the consent service says to accounts; None if that does not arrive."""
        fault = None
        if self.wire_fault and self.wire_fault[0] == path:
            (_, fault), self.wire_fault = self.wire_fault, None
        if self.gone or fault == "before":
            return None
        try:
            said = act()
        except StoreDown:
            return None
        return None if fault == "after" else said

    # -- looking -------------------------------------------------------------------------------

    def look(self, service: str, path: str, document: dict[str, Any]) -> None:
        """Take note of what the regulator was shown: a fact, but for the same in the same hour."""
        fields = frozenset(name for name, value in document.items() if value is not None)
        look = (path, fields, self.now // HOUR)
        if "citizen_id" in fields and look not in self.looks:
            self.looks.add(look)
            self.lines[service].append(Line(LOOKS[service]))

    # -- asking --------------------------------------------------------------------------------

    def ask(self, sent: Request) -> Said:
        """Say what comes of a question."""
        known = self.asked.get(sent.id)
        if known:
            if (known.body, known.holder) == (sent.body, sent.holder):
                return Said(201)
            return self._no_question(409, ["consent_id_reused"])
        if reasons := [*self._unregistered(sent), *self._unasked(sent)]:
            return self._no_question(403, reasons)
        question = Asked(sent.id, sent.body, sent.holder, self.now)
        self._write(
            "consent",
            Line("consent.requested.1"),
            lambda: self.asked.update({sent.id: question}),
        )
        return Said(201)

    def _no_question(self, status: int, reasons: list[str]) -> Said:
        self._write("consent", Line("request.rejected.1", tuple(reasons)))
        return Said(status, tuple(reasons))

    def _unregistered(self, sent: Request) -> Iterator[str]:
        body = sent.body
        if body["citizen_id"] not in self._people - self.erased:
            yield "citizen_unknown"
        product = self._products.get(body["product_id"])
        if product is None or product.bank_id != body["bank_id"]:
            yield "product_unknown"
        else:
            if product.terms_hash != body["terms_hash"]:
                yield "terms_differ"
            if product.purpose != body["purpose"]:
                yield "purpose_differs"
        place = [body["office_id"], body["site_id"], body["clerk_id"]]
        if sent.own_bank is None and None in place:
            yield "place_missing"
        if sent.own_bank is not None and any(place):
            yield "place_not_online"
        if body["office_id"] == "elsewhere":
            yield "office_unknown"
        if body["site_id"] == "elsewhere":
            yield "site_unknown"
        if body["clerk_id"] and body["office_id"] in {None, "elsewhere"}:
            yield "clerk_unknown"

    def _unasked(self, sent: Request) -> Iterator[str]:
        body = sent.body
        if sent.own_bank not in {None, body["bank_id"]}:
            yield "not_own_bank"
        if sent.own_bank is None and body["clerk_id"] != sent.holder:
            yield "not_own_clerk"
        if body.get("decide_within_s"):
            yield "decide_by_out_of_range"
        yield from self._shut(body, counter=sent.own_bank is None)
        earlier = [
            one for one in self.asked.values() if one.body["citizen_id"] == body["citizen_id"]
        ]
        if any(self._holds(one, body) for one in earlier if one.refused_at is not None):
            yield "refused_before"
        if any(self._not_me(one, body) for one in earlier if one.disputed_at is not None):
            yield "disputed_before"
        same = [one for one in earlier if one.body["bank_id"] == body["bank_id"]]
        if any(
            one.standing(self.now) == "requested" and one.body["product_id"] == body["product_id"]
            for one in same
        ):
            yield "request_pending"
        if any(
            one.standing(self.now) in {"waiting", "given"}
            and one.body["product_id"] == body["product_id"]
            for one in same
        ):
            yield "agreement_stands"

    def _shut(self, body: dict[str, Any], *, counter: bool) -> Iterator[str]:
        """Say why the gate is closed; where a place is not named whole, nobody looks."""
        place = [body["office_id"], body["site_id"], body["clerk_id"]]
        if counter and None in place:
            return
        if counter and body["office_id"] == "elsewhere":
            yield from ("office_not_registered", "contract_missing", "clerk_untrained")
        if counter and "elsewhere" in place:
            yield "permission_missing"
        for noun, own_id in SUSPENDABLE.items():
            if noun in self.suspended and body[f"{noun}_id"] == own_id:
                yield f"{noun}_suspended"

    def _not_me(self, disputed: Asked, body: dict[str, Any]) -> bool:
        assert disputed.disputed_at is not None
        office = disputed.body["office_id"]
        own = disputed.body["bank_id"] == body["bank_id"]
        return self.now - disputed.disputed_at < 90 * DAY and (
            own or (office is not None and office == body["office_id"])
        )

    def _holds(self, refused: Asked, body: dict[str, Any]) -> bool:
        assert refused.refused_at is not None
        office = refused.body["office_id"]
        own = refused.body["bank_id"] == body["bank_id"]
        return (
            self.now - refused.refused_at < 90 * DAY
            and not refused.may_ask_again
            and (own or (office is not None and office == body["office_id"]))
        )

    # -- suspending ----------------------------------------------------------------------------

    def suspend(self, noun: str) -> Said:
        """Say what comes of suspending what is not suspended."""
        self._write("consent", Line("suspension.ordered.1"), lambda: self._stop(noun))
        return Said(200)

    def _stop(self, noun: str) -> None:
        self.suspended[noun] = set()

    def lift(self, noun: str, who: str) -> Said:
        """Say what comes of wanting a suspension to end: it takes two."""
        wanted = self.suspended[noun]
        if who in wanted:
            return Said(200)
        if wanted:
            self._write("consent", Line("suspension.lifted.1"), lambda: self._go_on(noun))
        else:
            self._write("consent", Line("lifting.proposed.1"), lambda: wanted.add(who))
        return Said(200)

    def _go_on(self, noun: str) -> None:
        del self.suspended[noun]

    # -- erasing -------------------------------------------------------------------------------

    def erase(self, citizen_id: str) -> Said:
        """Say what comes of erasing a citizen's data."""
        keys = len(self._refusals.get(citizen_id, ())) + (citizen_id in self._keyed)
        if not keys:
            return Said(200)
        own = [one for one in self.asked.values() if one.body["citizen_id"] == citizen_id]
        if any(self._is_open(one) for one in own):
            self._write("consent", Line("erasure.rejected.1", ("consent_open",)))
            return Said(409, ("consent_open",))
        more = [Line("citizen.erased.1")] * (keys - 1)
        self._write("consent", Line("citizen.erased.1"), lambda: self._forget(citizen_id), *more)
        return Said(200)

    def _forget(self, citizen_id: str) -> None:
        self.erased.add(citizen_id)
        self._keyed.discard(citizen_id)
        self._refusals.pop(citizen_id, None)

    def _is_open(self, one: Asked) -> bool:
        standing = one.standing(self.now)
        return standing in {"requested", "waiting", "given"}

    def register(self, citizen_id: str) -> Said:
        """Say what comes of registering a citizen anew, with the same phone."""
        if citizen_id in self.erased:
            self._keyed.add(citizen_id)  # the key is there, whatever becomes of the fact
            back = lambda: self.erased.discard(citizen_id)  # noqa: E731 - an effect, like the others
            self._write("consent", Line("citizen.registered.1"), back)
        return Said(204)

    def offers(self, one: Asked) -> set[str]:
        """Return the buttons of the citizen's page: none, once their data are erased."""
        return set() if one.body["citizen_id"] in self.erased else one.offers(self.now)

    # -- deciding ------------------------------------------------------------------------------

    def read(self, one: Asked) -> Said:
        """Say what comes of opening the link: the text was served."""
        if not one.served:
            self._write("consent", Line("notice.served.1"), lambda: setattr(one, "served", True))
        return Said(200)

    def press(self, one: Asked, decision: str) -> Said:
        """Say what comes of a button, offered or not."""
        if one.body["citizen_id"] in self.erased:
            return Said(409)
        reasons = [*self._undecidable(one, decision)]
        if not one.served:
            reasons.append("notice_not_served")
        recent = [
            code
            for code in one.codes
            if self.now - code.asked_at < HOUR
            and (code.decision == "withdrawn") == (decision == "withdrawn")
        ]
        if len(recent) >= 5:
            reasons.append("too_many_codes")
        if reasons:
            return self._no_decision(reasons)
        code = Code(decision, self.now)
        self._write("consent", Line("signature.asked.1"), lambda: one.codes.append(code))
        return Said(200)

    def type(self, one: Asked, code: Code, *, right: bool) -> Said:
        """Say what comes of typing a code."""
        if code.signed:
            return Said(200) if right else self._no_decision(["already_decided"])
        if failure := self._failure(code, right=right):
            return self._not_signed(one, code, failure)
        if reasons := [*self._undecidable(one, code.decision)]:
            return self._no_decision(reasons)
        if one.given is None and code.decision in {"refused", "withdrawn"}:  # has a key
            self._refusals.setdefault(one.body["citizen_id"], set()).add(one.id)
        what = "consent" if code.decision != "withdrawn" or one.given else "refusal"
        self._write("consent", Line(f"{what}.{code.decision}.1"), lambda: self._sign(one, code))
        return Said(200)

    def _failure(self, code: Code, *, right: bool) -> str | None:
        if code.wrong >= 5:
            return "code_tries_used"
        if self.now - code.asked_at >= 5:
            return "code_expired"
        return None if right else "code_wrong"

    def _not_signed(self, one: Asked, code: Code, failure: str) -> Said:
        def count() -> None:
            code.wrong += failure == "code_wrong"
            code.overtried |= failure != "code_wrong"

        if failure == "code_wrong" or not code.overtried:
            self._write("consent", Line("signature.failed.1", (failure,)), count)
        # The page shows the error where the decision is still open, else how things stand.
        return Said(403 if code.decision in self.offers(one) else 200)

    def _sign(self, one: Asked, code: Code) -> None:
        code.signed = True
        if code.decision == "given":
            one.given = code
        elif code.decision == "confirmed":
            one.confirmed = code
        elif code.decision == "refused":
            one.refused_at = self.now
        elif one.given:
            one.withdrawn = True
        else:
            one.may_ask_again = True

    def _undecidable(self, one: Asked, decision: str) -> Iterator[str]:
        standing = one.standing(self.now)
        if decision in one.offers(self.now):
            return
        if standing == "disputed":
            yield "consent_disputed"
            return
        if decision == "withdrawn":
            undone = one.withdrawn or one.may_ask_again
            nothing = "consent_expired" if standing == "expired" else "consent_not_given"
            yield "already_decided" if undone else nothing
        elif decision == "confirmed" and standing == "waiting":
            yield "confirmation_too_early"
        elif decision == "confirmed" and standing != "lapsed":
            decided = one.given or one.refused_at is not None
            yield "already_decided" if decided else "consent_not_given"
        else:
            yield "request_expired" if standing == "lapsed" else "already_decided"

    def dispute(self, one: Asked) -> Said:
        """Say what comes of “not me”: a stop, told to accounts, which freezes what was opened."""
        if one.disputed_at is None:
            one.disputed_at = self.now
            if self.keys_at is None or self.now - self.keys_at >= 5:
                self.keys_at = self.now
            self.lines["consent"] += [Line("consent.disputed.1"), Line("stop.delivered.1")]
            self.lines["accounts"].append(Line("stop.received.1"))
            for account in self.opened.values():
                if account.consent_id == one.id:
                    account.frozen = True
                    self.lines["accounts"].append(Line("account.frozen.1"))
        return Said(200)

    def _no_decision(self, reasons: list[str]) -> Said:
        self._write("consent", Line("decision.rejected.1", tuple(reasons)))
        return Said(409)

    # -- opening -------------------------------------------------------------------------------

    def open(self, sent: Request) -> Said:
        """Say what comes of a command: judge, redeem, record."""
        command = repr(sorted(sent.body.items()))
        evidence = self._evidence(sent.body["consent"])
        opened = self.opened.get(sent.id)
        bound = {
            one[0] for one in self.rejected.get(sent.id, ()) if "opening_id_reused" not in one[2]
        }
        bound |= {opened.command} if opened else set()
        if bound and command not in bound:
            return self._no_opening(sent, command, 409, ["opening_id_reused"])
        if opened:
            return Said(201)
        if isinstance(evidence, str):
            status = 503 if evidence == "consent_unreachable" else 403
            return self._no_opening(sent, command, status, [evidence])
        if reasons := [*self._unlike(evidence, sent)]:
            return self._no_opening(sent, command, 403, reasons)
        said = self._reach(REDEMPTIONS, lambda: self._redeem(evidence, sent.id, command))
        if said is None:
            return self._no_opening(sent, command, 503, ["consent_unreachable"])
        if said.status != 201:
            return self._no_opening(sent, command, 403, list(said.reasons))
        account = Opened(command, evidence.id, sent.body["bank_id"])
        self._write(
            "accounts", Line("account.opened.1"), lambda: self.opened.update({sent.id: account})
        )
        return Said(201)

    def unreadable(self, sent: Request) -> Said:
        """Say what comes of a command that lacks a field."""
        if (sent.id, sent.holder) not in self.unread:
            self._write(
                "accounts",
                Line("opening.rejected.1", ("malformed",)),
                lambda: self.unread.add((sent.id, sent.holder)),
            )
        return Said(422)

    def _evidence(self, token: str | None) -> Asked | str:
        if token is None:
            return "consent_missing"
        if token.count(".") != 2:
            return "token_malformed"
        if self.keys_at is None or self.now - self.keys_at >= 5:
            if self._reach(KEYS, lambda: Said(200)) is None:
                return "consent_unreachable"
            self.keys_at = self.now
        return next((one for one in self.asked.values() if one.event == token), "signature_invalid")

    def _unlike(self, one: Asked, sent: Request) -> Iterator[str]:
        body = sent.body
        for name, code in COMPARED.items():
            if name in body and one.body[name] != body[name]:
                yield code
        if one.body["purpose"] == body["purpose"] != ACCOUNT.purpose:
            yield "purpose_differs"
        if sent.own_bank not in {None, body["bank_id"]}:
            yield "not_own_bank"
        if sent.own_bank is None and body["clerk_id"] != sent.holder:
            yield "not_own_clerk"
        if one.over(self.now):
            yield "consent_expired"
        if any(account.consent_id == one.id for account in self.opened.values()):
            yield "consent_used"
        if one.disputed_at is not None:
            yield "consent_disputed"

    def _redeem(self, one: Asked, opening_id: str, command: str) -> Said:
        if one.used_by and one.used_by[0] == opening_id:
            same = one.used_by[1] == command
            return Said(201) if same else self._no_use(["redemption_id_reused"])
        reasons = ["consent_withdrawn"] if one.withdrawn else []
        reasons += ["consent_used"] if one.used_by else []
        reasons += ["consent_expired"] if one.over(self.now) else []
        reasons += self._shut(one.body, counter=one.holder.startswith("gdv"))
        if reasons:
            return self._no_use(reasons)
        use = (opening_id, command)
        self._write("consent", Line("consent.redeemed.1"), lambda: setattr(one, "used_by", use))
        return Said(201)

    def _no_use(self, reasons: list[str]) -> Said:
        self._write("consent", Line("redemption.rejected.1", tuple(reasons)))
        return Said(409, tuple(reasons))

    def _no_opening(self, sent: Request, command: str, status: int, reasons: list[str]) -> Said:
        known = self.rejected.setdefault(sent.id, set())
        fact = (command, sent.holder, tuple(reasons))
        if fact not in known:
            line = Line("opening.rejected.1", tuple(reasons))
            self._write("accounts", line, lambda: known.add(fact))
        return Said(status, tuple(reasons))

    # -- the bank's answer ---------------------------------------------------------------------

    def answer(self, sent: Request) -> Said:
        """Say what comes of a bank's confirmation or declination."""
        opened, kind = self.opened.get(sent.id), sent.path.split("/")[3]
        if opened is None or opened.bank_id != sent.holder:
            return self._no_answer(404, ["opening_unknown"])
        answer = (kind, repr(sent.body))
        if opened.answer == answer:
            return Said(200)
        reasons = ["account_frozen"] if opened.frozen and kind == "confirmation" else []
        reasons += ["already_answered"] if opened.answer else []
        others = [one for key, one in self.opened.items() if key != sent.id]
        if kind == "confirmation" and any(
            (one.bank_id, one.answer) == (sent.holder, answer) for one in others
        ):
            reasons.append("account_number_used")
        if reasons:
            return self._no_answer(409, reasons)
        word = {"confirmation": "confirmed", "declination": "declined"}[kind]
        self._write(
            "accounts", Line(f"account.{word}.1"), lambda: setattr(opened, "answer", answer)
        )
        return Said(200)

    def _no_answer(self, status: int, reasons: list[str]) -> Said:
        self._write("accounts", Line("answer.rejected.1", tuple(reasons)))
        return Said(status, tuple(reasons))


# == what happens ===============================================================================


class StoreFault(Exception):
    """The store failed, before or after the commit."""


def break_once(recorder: Any, fault: str) -> None:
    """Make a recorder's next batch fail, before or after it is durable."""
    whole = type(recorder).append_batch.__get__(recorder)

    def failing(batch: Sequence[Append]) -> Any:
        del recorder.append_batch
        if fault == "after":
            whole(batch)
        raise StoreFault(fault)

    recorder.append_batch = failing


def mend(recorder: Any) -> None:
    """Take a fault back that nothing met."""
    with suppress(AttributeError):
        del recorder.append_batch


@contextmanager
def aside(recorder: Any) -> Iterator[None]:
    """Set a fault aside while somebody looks: what it does to looks is in test_looks.py."""
    fault = recorder.__dict__.pop("append_batch", None)
    yield
    if fault:
        recorder.append_batch = fault


class Histories(RuleBasedStateMachine):
    """What may happen, in any order, each compared with the model at once."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory(prefix="thuan-histories-")
        self._stack = AsyncExitStack()
        folder = Path(self._folder.name)
        self.world: World = self._run(self._stack.enter_async_context(a_world(folder)))
        self.model = Model(self.world.people)
        self.sent: list[Request] = []
        self.heads = {name: len(self._log(name)) for name in SERVICES}
        self.quarters = 0
        self.suspensions: dict[str, str] = {}

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def _log(self, name: str) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self._run(self.world.log(getattr(self.world, name)))
        return log

    def _predict(self, rule: Callable[[], Said]) -> Said:
        try:
            return rule()
        except StoreDown:
            return Said(503, ("store_unavailable",))

    def _compare(self) -> None:
        """See that the facts behind the last known position are those that the model says."""
        for name in SERVICES:
            new = self._run(self._new(name))
            lines = [Line(fact["kind"], _reasons(fact["data"])) for fact in new]
            assert lines == self.model.lines[name], name
            self.heads[name] += len(new)
            self.model.lines[name].clear()

    async def _new(self, name: str) -> list[dict[str, Any]]:
        client: httpx.AsyncClient = getattr(self.world, name)
        answer = await client.get(
            "/log",
            params={"after": self.heads[name]},
            headers=self.world.tokens.header("regulator"),
        )
        facts: list[dict[str, Any]] = answer.json()["facts"]
        return facts

    # -- clerks and banks ----------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Nothing but the directory is in the logs."""
        self._compare()

    @rule(
        person=st.integers(0, 3),
        product=st.sampled_from(PRODUCTS),
        holder=st.sampled_from(["gdv-01", "gdv-02", "own", "so-viet"]),
        change=st.sampled_from(QUESTIONED),
    )
    def ask(self, person: int, product: Product, holder: str, change: dict[str, Any]) -> None:
        """Somebody asks somebody, perhaps with something amiss."""
        self._ask(person, product, holder, change)

    def _ask(
        self, person: int, product: Product, holder: str, change: dict[str, Any]
    ) -> Asked | None:
        holder = product.bank_id if holder == "own" else holder
        clerk = holder if holder.startswith("gdv") else None
        if clerk is None:
            change = {key: value for key, value in change.items() if key != "clerk_id"}
        body = {**question(self.world.people[person], product, clerk=clerk), **change}
        self._send(Request(f"/consents/{new_id()}", body, holder))
        return self.model.asked.get(self.sent[-1].id)

    @rule(
        person=st.integers(0, 7),
        product=st.sampled_from(PRODUCTS),
        holder=st.sampled_from(["gdv-01", "own"]),
        decision=st.sampled_from(["given", "given", "given", "refused"]),
    )
    def ask_and_decide(self, person: int, product: Product, holder: str, decision: str) -> None:
        """Somebody asks, and the citizen decides at once, as far as it goes."""
        self._ask_and_decide(person, product, holder, decision)

    def _ask_and_decide(
        self, person: int, product: Product, holder: str, decision: str
    ) -> Asked | None:
        one = self._ask(person, product, holder, {})
        if one and one.link:
            self._read(one)
            self._press(one, decision)
            if one.codes and one.codes[-1].text:
                self._type(one, one.codes[-1], right=True)
            if one.given and one.waits:
                self._time_passes(HALF_AN_HOUR)
                self._press_and_type(one, "confirmed")
        return one

    @rule(
        person=st.integers(0, 7),
        holder=st.sampled_from(["gdv-01", "own"]),
        way=st.sampled_from(["plain", "confirmed", "withdrawn", "lost"]),
    )
    def open_at_once(self, person: int, holder: str, way: str) -> None:
        """Somebody asks, the citizen agrees, and the command is sent.

        Or the citizen takes it back before; or the answer of the consent service is lost, and
        another command is sent after it; or the bank confirms, with a number that may be taken.
        """
        one = self._ask_and_decide(person, ACCOUNT, holder, "given")
        if one and one.event:
            if way == "withdrawn":
                self._withdraw(one)
            if way == "lost":
                self.lose_on_the_wire(REDEMPTIONS, "after")
                self._open(one, "same", {})
            self._open(one, "same", {})
            if way == "confirmed":
                address = f"{self.sent[-1].path}/confirmation"
                self._send(Request(address, {"account_number": NUMBERS[0]}, ACCOUNT.bank_id))

    @precondition(lambda self: self._signed())
    @rule(
        which=st.integers(0, 9),
        by=st.sampled_from(["same", "same", "same", "bank", *HOLDERS]),
        change=st.sampled_from(COMMANDED),
    )
    def open(self, which: int, by: str, change: dict[str, Any]) -> None:
        """Somebody sends the command that a citizen agreed to, or one with something changed."""
        self._open(_pick(self._signed(), which), by, change)

    @precondition(lambda self: len(self._signed()) > 1)
    @rule(which=st.integers(0, 9), other=st.integers(0, 9))
    def open_with_another_consent(self, which: int, other: int) -> None:
        """Somebody sends a command with a consent that stands for something else."""
        event = _pick(self._signed(), other).event
        self._open(_pick(self._signed(), which), "same", {"consent": event})

    def _signed(self) -> list[Asked]:
        return [one for one in self.model.asked.values() if one.event]

    def _open(self, one: Asked, by: str, change: dict[str, Any]) -> None:
        holder = {"same": one.holder, "bank": one.body["bank_id"]}.get(by, by)
        body = {name: one.body[name] for name in COMPARED if name in one.body}
        body |= {"consent": one.event} | change
        if body["consent"] == "forged":
            head, _, signature = str(one.event).rpartition(".")
            body["consent"] = f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
        if body["terms_hash"] is None:
            del body["terms_hash"]
        self._send(Request(f"/openings/{new_id()}", body, holder))

    @precondition(lambda self: self._commands())
    @rule(which=st.integers(0, 99), citizen=st.booleans())
    def use_an_id_again(self, which: int, *, citizen: bool) -> None:
        """Somebody sends another command, or another question, under a used id."""
        first = _pick(self.sent, which)
        change = {"citizen_id": "c-other"} if citizen else {"site_id": "elsewhere"}
        if first.path.count("/") == 2:
            self._send(Request(first.path, {**first.body, **change}, first.holder))

    @precondition(lambda self: self._commands())
    @rule(
        which=st.integers(0, 99),
        holder=st.sampled_from(["own", "own", "own", "truong-son"]),
        number=st.sampled_from([*NUMBERS, NUMBERS[0]]),
        decline=st.booleans(),
    )
    def answer(self, which: int, holder: str, number: str, *, decline: bool) -> None:
        """A bank confirms or declines an opening of its own or of another, perhaps again."""
        opening_id = _pick([*self.model.opened] * 9 + self._commands(), which)
        opened = self.model.opened.get(opening_id)
        holder = (opened.bank_id if opened else ACCOUNT.bank_id) if holder == "own" else holder
        path = "declination" if decline else "confirmation"
        body = {"reason": "not_ours"} if decline else {"account_number": number}
        self._send(Request(f"/openings/{opening_id}/{path}", body, holder))

    def _commands(self) -> list[str]:
        return [one.id for one in self.sent if one.path.startswith("/openings")]

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 99))
    def repeat(self, which: int) -> None:
        """The very same is sent again; what was answered with a yes adds nothing anywhere."""
        self._repeat(_pick(self.sent, which))

    def _repeat(self, again: Request) -> None:
        before, earlier, heads = again.said, again.answer, dict(self.heads)
        self._send(again)
        if before and before.status < 300:
            assert again.said == before
            assert self.heads == heads
            assert _lasting(again.answer) == _lasting(earlier)

    def _send(self, sent: Request) -> None:
        said = self._predict(lambda: self._rule(sent))
        client = self.world.consent if sent.path.startswith("/consents") else self.world.accounts
        header = self.world.tokens.header(sent.holder)
        answer = self._run(client.put(sent.path, json=sent.body, headers=header))
        document = answer.json()
        codes = tuple(one["code"] for one in document.get("reasons", ()))
        assert Said(answer.status_code, codes if said.reasons else ()) == said
        if said.reasons:
            assert (said.status == 503) == ("retry-after" in answer.headers)
        elif "link" in document:
            self.model.asked[sent.id].link = document["link"]
        sent.said, sent.answer = said, document
        if not any(one is sent for one in self.sent):
            self.sent.append(sent)
        self._compare()

    def _rule(self, sent: Request) -> Said:
        if sent.path.startswith("/consents"):
            return self.model.ask(sent)
        if sent.path.count("/") == 3:
            return self.model.answer(sent)
        return self.model.open(sent) if "terms_hash" in sent.body else self.model.unreadable(sent)

    # -- citizens ------------------------------------------------------------------------------

    @precondition(lambda self: self._linked())
    @rule(which=st.integers(0, 9))
    def read(self, which: int) -> None:
        """A citizen opens the link."""
        self._read(_pick(self._linked(), which))

    @precondition(lambda self: self._linked())
    @rule(
        which=st.integers(0, 9),
        decision=st.sampled_from(DECISIONS),
        wrong=st.sampled_from([0, 1, 4, 5, 6]),
    )
    def press(self, which: int, decision: str, wrong: int) -> None:
        """A citizen presses a button, or what no button offered is sent; codes are guessed at."""
        one = _pick(self._linked(), which)
        sent = len(one.codes)
        self._press(one, decision)
        if len(one.codes) > sent and one.codes[-1].text:
            for right in [False] * wrong + [True] * (wrong > 1):
                self._type(one, one.codes[-1], right=right)

    @precondition(lambda self: self._codes())
    @rule(which=st.integers(0, 9), right=st.booleans(), times=st.sampled_from([1, 1, 2]))
    def type(self, which: int, times: int, *, right: bool) -> None:
        """A citizen types a code, or somebody guesses at it, for the first time or again."""
        for _ in range(times):
            self._type(*_pick(self._codes(), which), right=right)

    @precondition(lambda self: self._signed())
    @rule(which=st.integers(0, 9))
    def withdraw(self, which: int) -> None:
        """A citizen takes a consent back, used or not, as far as the page lets it."""
        self._withdraw(_pick(self._signed(), which))

    @precondition(lambda self: self._linked() and self.model.undisturbed)
    @rule(which=st.integers(0, 9))
    def dispute(self, which: int) -> None:
        """A citizen says “not me”, perhaps again."""
        one = _pick(self._linked(), which)
        said = self._predict(lambda: self.model.dispute(one))
        page = self._run(self.world.consent.post(f"{one.link}/not-me", follow_redirects=True))
        assert page.status_code == said.status
        self.model.read(one)  # the page that comes then shows the text
        self._compare()

    def _withdraw(self, one: Asked) -> None:
        self._press_and_type(one, "withdrawn")

    def _press_and_type(self, one: Asked, decision: str) -> None:
        sent = len(one.codes)
        self._press(one, decision)
        if len(one.codes) > sent and one.codes[-1].text:
            self._type(one, one.codes[-1], right=True)

    def _linked(self) -> list[Asked]:
        return [one for one in self.model.asked.values() if one.link]

    def _codes(self) -> list[tuple[Asked, Code]]:
        return [(one, code) for one in self._linked() for code in one.codes if code.text]

    def _read(self, one: Asked) -> None:
        said = self._predict(lambda: self.model.read(one))
        page = self._run(self.world.consent.get(one.link))
        assert page.status_code == said.status
        if page.status_code == 200:
            offered = {each for each in DECISIONS if _button(each) in page.text}
            assert offered == self.model.offers(one)
        self._compare()

    def _press(self, one: Asked, decision: str) -> None:
        said = self._predict(lambda: self.model.press(one, decision))
        page = self._run(
            self.world.consent.post(
                f"{one.link}/code", data={"decision": decision}, follow_redirects=True
            )
        )
        assert page.status_code == said.status, page.text
        if page.status_code == 200:
            code = one.codes[-1]
            code.page, code.text = page, self._run(self._phone(one).last_code())
        self._compare()

    def _type(self, one: Asked, code: Code, *, right: bool) -> None:
        said = self._predict(lambda: self.model.type(one, code, right=right))
        assert code.text
        typed = code.text if right else f"{(int(code.text) + 1) % 10**6:06}"
        answer = self._run(self._phone(one).type_code(code.page, typed))
        assert answer.status_code == said.status, answer.text
        if one.given and (one.confirmed or not one.waits) and not one.event:
            one.event = self._look("consent", f"/consents/{one.id}")["event"]
        self._compare()

    def _phone(self, one: Asked) -> Any:
        (citizen,) = (each for each in self.world.people if each.id == one.body["citizen_id"])
        return self.world.phone(citizen)

    @rule(noun=st.sampled_from(sorted(SUSPENDABLE)))
    def suspend_or_go_on(self, noun: str) -> None:
        """An overseer suspends the office, a clerk or a bank; or it ends, by that and by a bank."""
        if noun not in self.model.suspended:
            self.suspensions[noun] = new_id()
            said = self._predict(lambda: self.model.suspend(noun))
            body = {f"{noun}_id": SUSPENDABLE[noun], "why": "complaints"}
            self._operate("PUT", f"/suspensions/{self.suspensions[noun]}", body, said, "overseer")
            return
        for who in ("overseer", "so-viet"):
            if noun in self.model.suspended:
                said = self._predict(partial(self.model.lift, noun, who))
                path = f"/suspensions/{self.suspensions[noun]}/lifting"
                self._operate("POST", path, {"why": "remedied"}, said, who)

    @rule(person=st.integers(0, 7))
    def erase(self, person: int) -> None:
        """A citizen's data are erased, as far as nothing of theirs is open."""
        citizen_id = self.world.people[person].id
        said = self._predict(lambda: self.model.erase(citizen_id))
        self._operate("POST", f"/citizens/{citizen_id}/erasure", {"ground": "request"}, said)

    @precondition(lambda self: self.model.erased)
    @rule(which=st.integers(0, 7))
    def come_back(self, which: int) -> None:
        """A citizen is registered anew, with the same phone."""
        erased = [one for one in self.world.people if one.id in self.model.erased]
        citizen = _pick(erased, which)  # not by id: that is chance, and would differ in a replay
        body = {"phone": citizen.phone, "known_since": KNOWN_SINCE}
        said = self._predict(lambda: self.model.register(citizen.id))
        self._operate("PUT", f"/citizens/{citizen.id}", body, said)

    def _operate(
        self, method: str, path: str, body: dict[str, str], said: Said, who: str = "operator"
    ) -> None:
        header = self.world.tokens.header(who)
        answer = self._run(self.world.consent.request(method, path, json=body, headers=header))
        codes = [one["code"] for one in answer.json().get("reasons", ())] if answer.content else []
        assert Said(answer.status_code, tuple(codes)) == said
        self._compare()

    # -- what goes wrong -----------------------------------------------------------------------

    @rule(path=st.sampled_from([REDEMPTIONS, REDEMPTIONS, KEYS]), fault=st.sampled_from(FAULTS))
    def lose_on_the_wire(self, path: str, fault: str) -> None:
        """The next use of a consent, or fetch of keys, or the answer to it, is lost."""
        self.world.wire.faults, self.world.wire.only = [fault], path
        self.model.wire_fault = (path, fault)

    @rule(name=st.sampled_from(SERVICES), fault=st.sampled_from(FAULTS))
    def fail_the_store(self, name: str, fault: str) -> None:
        """The next commit of a service fails, before or after it is durable."""
        mend(self._recorder(name))
        break_once(self._recorder(name), fault)
        self.model.store_fault[name] = fault

    def _recorder(self, name: str) -> Any:
        app = self.world.consent_app if name == "consent" else self.world.accounts_app
        return app.state.log.recorder

    @rule()
    def part(self) -> None:
        """The consent service goes out of reach for accounts, or comes back."""
        self.model.gone = not self.model.gone
        self.world.wire.app = None if self.model.gone else self.world.consent_app

    @rule(minutes=st.sampled_from([1, 1, 2, 4, 5, 10, 30, 59, HOUR, DAY + 1, QUARTER]))
    def let_time_pass(self, minutes: int) -> None:
        """Time passes for everyone; after a quarter, a refusal no longer holds."""
        self._time_passes(minutes)

    def _time_passes(self, minutes: int) -> None:
        self.quarters += minutes == QUARTER
        if self.quarters <= QUARTERS_MAX:
            self.world.clock.move_to(self.world.clock() + timedelta(minutes=minutes))
            self.model.now += minutes

    @rule(which=st.sampled_from(["consent", "accounts", "both"]))
    def restart(self, which: str) -> None:
        """A service restarts on its files: every answer to a read stays the same."""
        before = self._reads()
        restarts = {
            "consent": self.world.restart_consent,
            "accounts": self.world.restart_accounts,
            "both": self.world.restart,
        }
        self._run(restarts[which]())
        for name in SERVICES:
            if which in {name, "both"}:
                self.model.store_fault[name] = None
        if which != "consent":
            self.model.keys_at = None
        self.world.wire.app = None if self.model.gone else self.world.consent_app
        assert self._reads() == before
        self._compare()

    def _reads(self) -> dict[str, Any]:
        """Return every consent and every opening, as the regulator reads them."""
        addresses = [("consent", f"/consents/{one}") for one in self.model.asked]
        openings = dict.fromkeys(one for one in self._commands())
        addresses += [("accounts", f"/openings/{one}") for one in openings]
        return {path: self._look(name, path) for name, path in addresses}

    def _look(self, name: str, path: str) -> dict[str, Any]:
        """Have the regulator read something; returns what is shown."""
        client, header = getattr(self.world, name), self.world.tokens.header("regulator")
        with aside(self._recorder(name)):
            document: dict[str, Any] = self._run(client.get(path, headers=header)).json()
        self.model.look(name, path, document)
        return document

    # -- how it ends ---------------------------------------------------------------------------

    @override
    def teardown(self) -> None:
        """Mend what is broken, finish what failed, then check the laws and the replay."""
        try:
            if sys.exc_info()[0] is None:  # else a rule has failed, and that is what is told
                self._finish()
                self._run(self._check(self._reads()))
        finally:
            self._run(self._stack.aclose())
            self._runner.close()
            self._folder.cleanup()

    def _finish(self) -> None:
        self.world.wire.faults, self.model.wire_fault = [], None
        self.world.wire.app, self.model.gone = self.world.consent_app, False
        for name in SERVICES:
            mend(self._recorder(name))
            self.model.store_fault[name] = None
        for sent in list(self.sent):
            if sent.said and sent.said.status == 503:
                self._repeat(sent)
                assert sent.said.status != 503

    async def _check(self, reads: dict[str, Any]) -> None:
        consent, accounts = [await self.world.log(getattr(self.world, name)) for name in SERVICES]
        keys = (await self.world.consent.get("/.well-known/jwks.json")).json()
        personal = personal_data(self.world.people, *NUMBERS)
        assert violations(consent, accounts, keys, personal) == []
        for one in self.model.asked.values():
            document = reads[f"/consents/{one.id}"]
            assert document["standing"] == one.standing(self.model.now)
            assert document["event"] == one.event
        for opening_id, opened in self.model.opened.items():
            assert reads[f"/openings/{opening_id}"]["standing"] == opened.standing
        await self._replay(consent, accounts, reads)

    async def _replay(
        self, consent: list[dict[str, Any]], accounts: list[dict[str, Any]], reads: dict[str, Any]
    ) -> None:
        folder = Path(self._folder.name)
        now = self.world.clock()
        first = replayed(consent, CONSENT_FACTS, folder / "consent-again.db")
        second = replayed(accounts, ACCOUNTS_FACTS, folder / "accounts-again.db")
        try:
            for one in self.model.asked:
                again = (await read_consent(first, one, now)).document()
                assert _wire(again) == reads[f"/consents/{one}"]
            for one in self.model.opened:
                assert _wire(await read_opening(second, one)) == reads[f"/openings/{one}"]
        finally:
            first.close()
            second.close()


def replayed(facts: list[dict[str, Any]], vocabulary: Vocabulary, file: Path) -> Log:
    """Return a log in an empty store, into which every fact was decoded and written anew."""
    create_schema(file)
    times = [datetime.fromisoformat(fact["recorded_at"]).astimezone(UTC) for fact in facts]
    clock = iter(times)
    recorder = SQLiteRecorder(file, lambda: next(clock))
    for fact in facts:
        happened = vocabulary.decode(fact["kind"], canonical(fact["data"]))
        if happened.PERSONAL:  # withheld from whoever replays
            recorder.append([DCBEvent(fact["kind"], canonical(fact["data"]), fact["tags"])])
        else:
            recorder.append([vocabulary.encode(happened)])
    return Log(recorder, vocabulary)


def _wire(document: dict[str, Any]) -> Any:
    """Return a document as it comes out of an answer."""
    return msgspec.to_builtins(document)


def _pick(choices: Sequence[Any], which: int) -> Any:
    return choices[which % len(choices)]


def _reasons(data: dict[str, Any]) -> tuple[str, ...]:
    if "reasons" in data:
        return tuple(data["reasons"])
    return (data["reason"],) if "challenge_id" in data and "reason" in data else ()


def _button(decision: str) -> str:
    return f'value="{decision}"'


def _lasting(answer: Any) -> Any:
    """Return what of an answer stays the same for ever: where it stands may move on."""
    moving = {"standing", "history", "account_end"}
    return {key: value for key, value in answer.items() if key not in moving}


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=max(25, settings().max_examples // 4),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
