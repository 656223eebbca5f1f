"""Both services together, through any history that people and faults can make of them.

A state machine asks, shows, signs, withdraws, opens, repeats and answers, while requests, answers
or commits are lost before or after they took effect, the consent service goes away and comes back,
time passes, citizens are erased and come back, and each service is restarted on its files.

Beside it runs the model (`tests/support/model.py`), and each answer and each fact is compared at
once. After every history the laws hold, what failed is repeated to its right answer, and both logs
replayed into empty stores answer every question as the services do.
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
from eventsourcing.dcb.api import DCBEvent
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from typing_extensions import override

from demo.cast import ACCOUNT, KNOWN_SINCE, OTHER, POWER, SAVINGS, Product
from demo.commands import question, sitting
from services.accounts.facts import VOCABULARY as ACCOUNTS_FACTS
from services.accounts.openings import COMPARED
from services.accounts.views import read_opening
from services.consent.facts import VOCABULARY as CONSENT_FACTS
from services.consent.views import read_consent
from shared.canonical import canonical
from shared.ledger.facts import Vocabulary
from shared.ledger.log import Log
from shared.ledger.sqlite import SQLiteRecorder, create_schema
from tests.support.faults import aside, break_once, mend
from tests.support.model import (
    DAY,
    HALF_AN_HOUR,
    HOUR,
    KEYS,
    REDEMPTIONS,
    SUSPENDABLE,
    Asked,
    Code,
    Line,
    Model,
    Request,
    Said,
    StoreDown,
)
from tests.support.world import World, a_world, new_id

QUARTER = 91 * DAY
QUARTERS_MAX = 2
"""A signing key lives a year."""

DECISIONS = ["given", "refused", "withdrawn", "confirmed"]
NUMBERS = ["100200300400", "500600700800"]
SERVICES = ["consent", "accounts"]
FAULTS = ["before", "after"]

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

CAPTURED: list[dict[str, str]] = [
    *[{}] * 5,
    {"device_id": "own"},
    {"document_hash": "1" * 64},
    {"portrait_hash": "1" * 64},
    {"document_hash": "2" * 64, "portrait_hash": "2" * 64},
]


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
                self._hand_in(one)
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
                self._open(one, "bank", {})
            self._open(one, "bank", {})
            if way == "confirmed":
                address = f"{self.sent[-1].path}/confirmation"
                self._send(Request(address, {"account_number": NUMBERS[0]}, ACCOUNT.bank_id))

    @precondition(lambda self: self.model.asked)
    @rule(
        which=st.integers(0, 9),
        by=st.sampled_from(["gdv-01", "gdv-01", "gdv-02"]),
        changes=st.sampled_from(CAPTURED),
        minutes=st.sampled_from([0, 0, 0, -1, -45, 5, 6]),
        then=st.booleans(),
    )
    def capture(
        self, which: int, by: str, changes: dict[str, str], minutes: int, *, then: bool
    ) -> None:
        """A clerk photographs somebody, perhaps with something amiss, and perhaps hands it in."""
        one = _pick([*self.model.asked.values()], which)
        self._capture(one, by, changes, minutes)
        if then:
            self._send(Request(f"/consents/{one.id}/submission", {}, by))

    def _capture(self, one: Asked, by: str, changes: dict[str, str], minutes: int) -> None:
        taken_at = self.world.clock() + timedelta(minutes=minutes)
        path = f"/consents/{one.id}/captures/{new_id()}"
        self._send(Request(path, {**sitting(taken_at), **changes}, by))

    def _hand_in(self, one: Asked) -> None:
        self._capture(one, one.holder, {}, 0)
        self._send(Request(f"/consents/{one.id}/submission", {}, one.holder))

    @precondition(lambda self: self._signed())
    @rule(
        which=st.integers(0, 9),
        by=st.sampled_from(["bank", "bank", "bank", "asker", *HOLDERS]),
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
        self._open(_pick(self._signed(), which), "bank", {"consent": event})

    def _signed(self) -> list[Asked]:
        return [one for one in self.model.asked.values() if one.event]

    def _open(self, one: Asked, by: str, change: dict[str, Any]) -> None:
        holder = {"asker": one.holder, "bank": one.body["bank_id"]}.get(by, by)
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

    @precondition(lambda self: self.model.opened)
    @rule(
        which=st.integers(0, 99),
        path=st.sampled_from(["freezing", "closure"]),
        reason=st.sampled_from(["at_request", "at_request", "under_review"]),
        own=st.sampled_from([True, True, True, False]),
    )
    def order(self, which: int, path: str, reason: str, *, own: bool) -> None:
        """A bank freezes or closes an account of its own or of another, perhaps again."""
        opening_id = _pick([*self.model.opened], which)
        holder = self.model.opened[opening_id].bank_id if own else "truong-son"
        self._send(Request(f"/openings/{opening_id}/{path}", {"reason": reason}, holder))

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
        document = answer.json() if answer.content else {}
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
        if sent.path.endswith("/submission"):
            return self.model.submit(sent)
        if "/captures/" in sent.path:
            taken = datetime.fromisoformat(sent.body["taken_at"]) - self.world.clock()
            return self.model.capture(sent, self.model.now + round(taken.total_seconds() / 60))
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
        tokens = self.world.tokens
        header = tokens.keyed(who) if method == "POST" else tokens.header(who)
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
        assert await self.world.broken(*NUMBERS) == []
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
    max_examples=max(15, settings().max_examples // 6),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
