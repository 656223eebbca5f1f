"""Both services together, through any history that people and faults can make of them.

A state machine asks, decides, withdraws, opens, repeats and answers, while requests and answers
are lost between the services, appends fail before or after they are durable, the consent service
goes away and comes back, time passes, and both are restarted on their files. After every history
the laws of `demo/integrity.py` hold, every rejection is a fact, and repeating adds nothing.
"""

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule
from typing_extensions import override

from demo.cast import ACCOUNT, OTHER, POWER, SAVINGS, Citizen, Product
from demo.commands import command
from demo.integrity import violations
from shared.ledger.recorder import Append
from tests.support.world import World, a_world, new_id

CLERKS = ["gdv-01", "gdv-02"]
FAULTS = ["before", "after"]
CHANGES: list[dict[str, Any]] = [
    {"citizen_id": "c-nobody"},
    {"bank_id": OTHER.bank_id},
    {"product_id": SAVINGS.id},
    {"terms_hash": SAVINGS.terms_hash},
    {"purpose": "marketing"},
    {"office_id": "elsewhere"},
    {"site_id": "elsewhere"},
    {"clerk_id": "gdv-02"},
    {"consent": None},
]


class StoreFault(Exception):
    """The store failed, before or after the commit."""


@dataclass
class Asked:
    """A question that was put, by whom, and what the citizen is known to have signed."""

    consent_id: str
    link: str
    citizen: Citizen
    product: Product
    clerk: str


@dataclass
class Commanded:
    """A command that was sent, so that it can be sent again."""

    opening_id: str
    body: dict[str, Any]
    holder: str
    statuses: list[int] = field(default_factory=list)


class Histories(RuleBasedStateMachine):
    """What may happen, in any order."""

    asked = Bundle("asked")
    agreed = Bundle("agreed")
    commands = Bundle("commands")

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory(prefix="thuan-histories-")
        self._stack = AsyncExitStack()
        self.world: World = self._run(
            self._stack.enter_async_context(a_world(Path(self._folder.name)))
        )
        self.minutes = 0

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    # -- people --------------------------------------------------------------------------------

    @rule(
        target=asked,
        person=st.integers(8, 11),
        product=st.sampled_from([ACCOUNT, SAVINGS]),
        clerk=st.sampled_from(CLERKS),
    )
    def ask(self, person: int, product: Product, clerk: str) -> Asked:
        """Somebody asks; a question that is rejected has no link and is tried with all the same."""
        return self._ask(person, product, clerk)

    def _ask(self, person: int, product: Product, clerk: str) -> Asked:
        citizen = self.world.people[person]
        consent_id, answer = self._run(self.world.ask(citizen, product, holder=clerk))
        link = answer.json().get("link", "/c/none.none")
        return Asked(consent_id, link, citizen, product, clerk)

    @rule(
        target=agreed,
        person=st.integers(0, 7),
        product=st.sampled_from([ACCOUNT, ACCOUNT, ACCOUNT, SAVINGS, POWER]),
        clerk=st.sampled_from(CLERKS),
    )
    def agree(self, person: int, product: Product, clerk: str) -> Asked:
        """Somebody asks, and the citizen agrees at once."""
        return self._agree(person, product, clerk)

    def _agree(self, person: int, product: Product, clerk: str) -> Asked:
        one = self._ask(person, product, clerk)
        self._run(self._decide(one, "given"))
        return one

    @rule(one=agreed)
    def withdraw(self, one: Asked) -> None:
        """The citizen takes it back, if the page still has the button."""
        self._run(self._decide(one, "withdrawn"))

    @rule(one=asked, decision=st.sampled_from(["given", "refused"]))
    def decide(self, one: Asked, decision: str) -> None:
        """The citizen presses a button, if the page has it, and signs."""
        self._run(self._decide(one, decision))

    async def _decide(self, one: Asked, decision: str) -> None:
        phone = self.world.phone(one.citizen)
        page = await phone.read(one.link)
        if f'value="{decision}"' not in page.text:
            return
        signed = await phone.decide(one.link, decision)
        assert signed.status_code in {200, 409, 503}

    @rule(one=asked)
    def mistype(self, one: Asked) -> None:
        """The citizen types a wrong code: nothing is signed."""
        self._run(self._mistype(one))

    async def _mistype(self, one: Asked) -> None:
        phone = self.world.phone(one.citizen)
        if 'value="given"' not in (await phone.read(one.link)).text:
            return
        page = await phone.press(one.link, "given")
        if page.status_code != 200:
            return
        wrong = "000000" if await phone.last_code() != "000000" else "000001"
        answer = await phone.type_code(page, wrong)
        assert answer.status_code in {403, 503}

    @rule(target=commands, one=agreed)
    def open(self, one: Asked) -> Commanded:
        """The clerk sends the command that the citizen agreed to, for the first time or again."""
        return self._open(one, {})

    @rule(
        target=commands,
        person=st.integers(0, 7),
        clerk=st.sampled_from(CLERKS),
        then=st.sampled_from(["open", "open", "open twice", "withdraw"]),
    )
    def agree_and_open(self, person: int, clerk: str, then: str) -> Commanded:
        """A citizen agrees; the clerk opens, or opens twice, or finds the consent withdrawn."""
        one = self._agree(person, ACCOUNT, clerk)
        if then == "withdraw":
            self._run(self._decide(one, "withdrawn"))
        if then == "open twice":
            self._open(one, {})
        return self._open(one, {})

    @rule(target=commands, one=agreed, change=st.sampled_from(CHANGES))
    def open_otherwise(self, one: Asked, change: dict[str, Any]) -> Commanded:
        """The clerk sends the command with one thing changed."""
        return self._open(one, change)

    @rule(target=commands, one=asked)
    def open_unasked(self, one: Asked) -> Commanded:
        """The clerk sends a command for a question that may have no answer, or a no."""
        return self._open(one, {})

    def _open(self, one: Asked, change: dict[str, Any]) -> Commanded:
        consent = self._run(self._event(one))
        agreed = command(one.citizen, consent, one.product, clerk=one.clerk)
        sent = Commanded(new_id(), {**agreed, **change}, one.clerk)
        answer = self._run(self._send(sent))
        if sent.body != agreed:
            assert answer.status_code != 201
        return sent

    async def _event(self, one: Asked) -> str | None:
        answer = await self.world.consent.get(
            f"/consents/{one.consent_id}", headers=self.world.tokens.header("regulator")
        )
        return answer.json().get("event") if answer.status_code == 200 else None

    async def _send(self, sent: Commanded) -> httpx.Response:
        answer: httpx.Response = await self.world.accounts.put(
            f"/openings/{sent.opening_id}",
            json=sent.body,
            headers=self.world.tokens.header(sent.holder),
        )
        sent.statuses.append(answer.status_code)
        if answer.status_code in {403, 409}:
            await self._is_a_fact(sent, answer)
        return answer

    async def _is_a_fact(self, sent: Commanded, answer: httpx.Response) -> None:
        codes = [reason["code"] for reason in answer.json()["reasons"]]
        rejected = [
            fact["data"]["reasons"]
            for fact in await self.world.log(self.world.accounts)
            if fact["kind"] == "opening.rejected.1"
            and fact["data"]["opening_id"] == sent.opening_id
        ]
        assert codes in rejected

    @rule(sent=commands)
    def repeat(self, sent: Commanded) -> None:
        """The same sent again: an account stays the same one, and nothing is added."""
        before = self._run(self.world.log(self.world.accounts))
        answer = self._run(self._send(sent))
        if 201 in sent.statuses[:-1]:
            assert answer.status_code == 201
            assert self._run(self.world.log(self.world.accounts)) == before

    @rule(sent=commands)
    def use_the_id_again(self, sent: Commanded) -> None:
        """Another sent under a used id opens nothing."""
        body = {**sent.body, "citizen_id": "c-other"}
        other = Commanded(sent.opening_id, body, sent.holder)
        assert self._run(self._send(other)).status_code != 201

    @rule(
        sent=commands,
        body=st.sampled_from(
            [
                {"account_number": "100200300"},
                {"account_number": "400500600"},
                {"reason": "not_ours"},
            ]
        ),
    )
    def answer(self, sent: Commanded, body: dict[str, str]) -> None:
        """The bank confirms or declines, perhaps with a taken number, perhaps again."""
        self._answer(sent, "declination" if "reason" in body else "confirmation", body)

    def _answer(self, sent: Commanded, path: str, body: dict[str, str]) -> None:
        answer = self._run(
            self.world.accounts.put(
                f"/openings/{sent.opening_id}/{path}",
                json=body,
                headers=self.world.tokens.header("so-viet"),
            )
        )
        assert answer.status_code in {200, 404, 409, 503}

    # -- what goes wrong -----------------------------------------------------------------------

    @rule(
        what=st.sampled_from(["wire", "wire", "consent", "accounts"]),
        fault=st.sampled_from(FAULTS),
        times=st.integers(1, 3),
    )
    def break_something(self, what: str, fault: str, times: int) -> None:
        """Lose what goes over the wire next (all of it is an outage), or fail the next commit."""
        if what == "wire":
            self.world.wire.faults = [fault] * times
        else:
            break_once(self._recorder(what), fault)

    def _recorder(self, name: str) -> Any:
        app = self.world.consent_app if name == "consent" else self.world.accounts_app
        return app.state.log._recorder

    @rule(minutes=st.sampled_from([1, 6, 61, 25 * 60]))
    def time_passes(self, minutes: int) -> None:
        """Time passes for everyone."""
        self.world.clock.move_to(self.world.clock() + timedelta(minutes=minutes))

    @rule()
    def restart(self) -> None:
        """Restart both on their files: every answer to a read stays the same."""
        before = self._run(self._reads())
        self._run(self.world.restart())
        assert self._run(self._reads()) == before

    async def _reads(self) -> list[Any]:
        headers = self.world.tokens.header("regulator")
        openings = (await self.world.accounts.get("/openings", headers=headers)).json()
        ids = [one["opening_id"] for one in openings["openings"]]
        histories = [
            (await self.world.accounts.get(f"/openings/{one}", headers=headers)).json()
            for one in ids
        ]
        return [openings, histories]

    # -- what always holds ---------------------------------------------------------------------

    @override
    def teardown(self) -> None:
        """Check the laws, the privacy of both logs, and that a replay says the same."""
        try:
            self._run(self._check())
        finally:
            self._run(self._stack.aclose())
            self._runner.close()
            self._folder.cleanup()

    async def _check(self) -> None:
        consent = await self.world.log(self.world.consent)
        accounts = await self.world.log(self.world.accounts)
        keys = (await self.world.consent.get("/.well-known/jwks.json")).json()
        assert violations(consent, accounts, keys) == []
        written = repr(consent) + repr(accounts)
        for citizen in self.world.people:
            assert citizen.phone not in written
            assert citizen.name not in written
        assert "100200300" not in written


def break_once(recorder: Any, fault: str) -> None:
    """Make a recorder's next batch fail, before or after it is durable."""
    whole = type(recorder).append_batch.__get__(recorder)

    def failing(batch: Sequence[Append]) -> Any:
        del recorder.append_batch
        if fault == "after":
            whole(batch)
        raise StoreFault(fault)

    recorder.append_batch = failing


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
