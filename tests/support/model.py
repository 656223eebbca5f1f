"""The rules of both services once more, in plain Python, on whole minutes and dictionaries.

It says of every request what is answered and which facts, with which reasons, lie behind it in
either log. `tests/system/test_histories.py` holds the services to it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from demo.cast import ACCOUNT, DEVICE, OFFICE, OTHER, POWER, SAVINGS, Citizen
from services.accounts.openings import COMPARED

HOUR = 60
HALF_AN_HOUR = 30
DAY = 24 * HOUR
AHEAD_MAX = 5
OVER = {
    "disputed": "consent_disputed",
    "withdrawn": "consent_withdrawn",
    "withdrawn_after_use": "consent_withdrawn",
    "redeemed": "consent_used",
    "lapsed": "consent_expired",
    "expired": "consent_expired",
}
"""Where an agreement leads nowhere any more, and why nobody is photographed for it."""
UNDOABLE = {"waiting", "given", "redeemed", "refused"}
KEYS = "/.well-known/jwks.json"
REDEMPTIONS = "/redemptions"
SUSPENDABLE = {"bank": "so-viet", "office": OFFICE[0], "clerk": "gdv-01"}
"""What may be suspended here, in the order in which the reasons are named."""

LOOKS = {"consent": "data.read.1", "accounts": "account.read.1"}


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
    captures: dict[str, dict[str, Any]] = field(default_factory=dict)
    submitted: bool = False
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

    @property
    def unsubmitted(self) -> bool:
        """Tell whether it is still to be handed in: an account, asked for at a counter."""
        return self.waits and self.body["purpose"] == ACCOUNT.purpose and not self.submitted

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
            return {"withdrawn"} if self.unsubmitted else {"confirmed", "withdrawn"}
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


ORDERED = {"freezing": "account.frozen_by_bank.1", "closure": "account.closed.1"}
"""What a bank does to its account later, and the fact of it."""


@dataclass
class Opened:
    """An account in the log, and the bank's answer."""

    command: str
    consent_id: str
    bank_id: str
    answer: tuple[str, str] | None = None
    frozen: bool = False
    orders: dict[str, str] = field(default_factory=dict)
    """What the bank did later, `freezing` or `closure`, and what it said."""

    @property
    def standing(self) -> str:
        """Return where the opening stands."""
        if "closure" in self.orders:
            return "closed"
        if self.frozen or "freezing" in self.orders:
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
        self.pictures: dict[str, set[str]] = {}  # and the consents that each served
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
        self._write("consent", Line("request.claimed.1"))
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
        self._write("consent", Line("request.claimed.1"))
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
        elif decision == "confirmed" and standing == "waiting" and one.given:
            if one.unsubmitted:
                yield "not_submitted"
            if self.now - one.given.asked_at < HALF_AN_HOUR:
                yield "confirmation_too_early"
        elif decision == "confirmed" and standing != "lapsed":
            decided = one.given or one.refused_at is not None
            yield "already_decided" if decided else "consent_not_given"
        else:
            yield "request_expired" if standing == "lapsed" else "already_decided"

    # -- handing in ----------------------------------------------------------------------------

    def capture(self, sent: Request, taken: int) -> Said:
        """Say what comes of a clerk's pictures, which a device took in the minute `taken`."""
        one, capture_id = self.asked[sent.id], sent.path.split("/")[4]
        if known := one.captures.get(capture_id):
            same = known == sent.body
            return Said(204) if same else self._no_capture(409, ["capture_id_reused"])
        pictures = {sent.body["document_hash"], sent.body["portrait_hash"]}
        if reasons := [*self._not_photographed(one, sent, taken, pictures)]:
            return self._no_capture(403, reasons)

        def effect() -> None:
            one.captures[capture_id] = sent.body
            for picture in pictures:
                self.pictures.setdefault(picture, set()).add(one.id)

        self._write("consent", Line("identity.captured.1"), effect)
        return Said(204)

    def _not_photographed(
        self, one: Asked, sent: Request, taken: int, pictures: set[str]
    ) -> Iterator[str]:
        if one.body["clerk_id"] != sent.holder:
            yield "not_own_clerk"
        if one.given is None or taken < one.given.asked_at:
            yield "capture_before_consent"
        if taken > self.now + AHEAD_MAX:
            yield "device_clock_ahead"
        yield from self._ended(one)
        if (one.body["office_id"], sent.body["device_id"]) != (OFFICE[0], DEVICE):
            yield "device_not_registered"
        if len(pictures) == 1:
            yield "images_alike"
        if any(self.pictures.get(picture, set()) - {one.id} for picture in pictures):
            yield "image_used"
        yield from self._shut(one.body, counter=one.waits)

    def _ended(self, one: Asked) -> Iterator[str]:
        if one.submitted:
            yield "submitted_already"
        if one.given and (code := OVER.get(one.standing(self.now))):
            yield code

    def _no_capture(self, status: int, reasons: list[str]) -> Said:
        self._write("consent", Line("capture.rejected.1", tuple(reasons)))
        return Said(status, tuple(reasons))

    def submit(self, sent: Request) -> Said:
        """Say what comes of handing in."""
        one = self.asked[sent.id]
        own = one.body["clerk_id"] == sent.holder
        if own and one.submitted:
            return Said(204)
        reasons = [] if own else ["not_own_clerk"]
        if one.refused_at is not None:
            reasons.append("consent_refused")
        elif one.given is None:
            reasons.append("consent_not_given")
        reasons += [*self._ended(one), *([] if one.captures else ["capture_missing"])]
        if reasons := [*reasons, *self._shut(one.body, counter=one.waits)]:
            self._write("consent", Line("submission.rejected.1", tuple(reasons)))
            return Said(403, tuple(reasons))
        self._write("consent", Line("opening.submitted.1"), lambda: setattr(one, "submitted", True))
        return Said(204)

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
        agent = [] if sent.own_bank else ["bank_decides"]
        if isinstance(evidence, str):
            unknown = evidence == "consent_unreachable" and not agent
            return self._no_opening(sent, command, 503 if unknown else 403, [evidence, *agent])
        own = [*self._unlike(evidence, sent), *agent]
        if reasons := [*own, *self._used(evidence)]:
            also = self._also(evidence, sent.id, command) if own else []
            reasons += [one for one in also if one not in reasons]
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
        if one.over(self.now):
            yield "consent_expired"

    def _used(self, one: Asked) -> Iterator[str]:
        if any(account.consent_id == one.id for account in self.opened.values()):
            yield "consent_used"
        if one.disputed_at is not None:
            yield "consent_disputed"

    def _also(self, one: Asked, opening_id: str, command: str) -> list[str]:
        """Say what the consent service has against it, nothing where it is out of reach."""
        return [] if self.gone else self._unusable(one, opening_id, command)

    def _unusable(self, one: Asked, opening_id: str, command: str) -> list[str]:
        if one.used_by and one.used_by[0] == opening_id:
            return [] if one.used_by[1] == command else ["redemption_id_reused"]
        reasons = ["consent_disputed"] if one.disputed_at is not None else []
        reasons += ["consent_withdrawn"] if one.withdrawn else []
        reasons += ["consent_used"] if one.used_by else []
        reasons += ["not_submitted"] if one.unsubmitted else []
        reasons += ["consent_expired"] if one.over(self.now) else []
        return [*reasons, *self._shut(one.body, counter=one.holder.startswith("gdv"))]

    def _redeem(self, one: Asked, opening_id: str, command: str) -> Said:
        if one.used_by == (opening_id, command):
            return Said(201)
        if reasons := self._unusable(one, opening_id, command):
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
        if kind in ORDERED:
            return self._order(opened, kind, repr(sent.body))
        answer = (kind, repr(sent.body))
        if opened.answer == answer:
            return Said(200)
        reasons = ["account_closed"] if "closure" in opened.orders else []
        frozen = opened.frozen or "freezing" in opened.orders
        reasons += ["account_frozen"] if frozen and kind == "confirmation" else []
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

    def _order(self, opened: Opened, kind: str, body: str) -> Said:
        if opened.orders.get(kind) == body:
            return Said(200)
        declined = opened.answer is not None and opened.answer[0] == "declination"
        reasons = ["account_declined"] if declined else []
        reasons += ["account_closed"] if "closure" in opened.orders else []
        reasons += ["account_frozen"] if kind == "freezing" and kind in opened.orders else []
        if reasons:
            return self._no_answer(409, reasons)
        self._write("accounts", Line(ORDERED[kind]), lambda: opened.orders.update({kind: body}))
        return Said(200)

    def _no_answer(self, status: int, reasons: list[str]) -> Said:
        self._write("accounts", Line("answer.rejected.1", tuple(reasons)))
        return Said(status, tuple(reasons))
