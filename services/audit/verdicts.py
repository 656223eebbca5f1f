"""What the facts of a matter come to: of each account whether it was opened validly, and why not.

Judged from the facts alone, by whoever has them: nobody's word is taken for it (R12). Rules are
numbered by their order in `RULES`, and docs/ledger-format.md states each so that another program
can judge the same. They are those without which no account opens; whether all else was in order,
the laws across both logs say.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from typing_extensions import override

from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.accounts.facts import AccountOpened
from services.audit.export import BadExport, LogName
from services.consent import gate
from services.consent.facts import VOCABULARY as CONSENT
from services.consent.facts import (
    ConsentConfirmed,
    ConsentDisputed,
    ConsentGiven,
    ConsentInvalidated,
    ConsentRedeemed,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    NoticeServed,
    OpeningSubmitted,
    SignatureAsked,
)
from services.consent.gate import RIGHTS, Act, Gate
from shared.contracts.consent import (
    CONSENT_EVENT,
    OPEN_ACCOUNT,
    REDEMPTION,
    Channel,
    ConsentEvent,
    Decision,
    Receipt,
    Statement,
    Unreadable,
    Waits,
    read_consent_event,
    read_receipt,
)
from shared.ledger.facts import Recorded, UnknownFact
from shared.ledger.recorder import StoredFact
from shared.signing import BadToken, TrustedKeys

VALID, NOT_VALID, OPEN, NO_ACCOUNT = "valid", "not_valid", "open", "no_account"
"""What a case comes to; `OPEN`: its redemption lies behind what the index covers."""

BEHIND_INDEX = "behind_index"

MATCHED = ("citizen_id", "bank_id", "product_id", "terms_hash", "purpose")
MATCHED_PLACE = ("office_id", "site_id", "clerk_id")

STOPS = (ConsentRefused, ConsentWithdrawn, ConsentDisputed, ConsentInvalidated)
AGREEMENTS = (ConsentGiven, ConsentConfirmed)

DECIDED = (
    *("consent.given.1", "consent.refused.1", "consent.confirmed.1", "consent.withdrawn.1"),
    *("consent.disputed.1", "consent.invalidated.1", "consent.redeemed.1"),
)
"""What is told of every consent: what the citizen said, what stopped it, and its use."""

SINCE = (
    *("consent.withdrawn.1", "consent.disputed.1", "consent.invalidated.1"),
    *("account.confirmed.1", "account.declined.1", "account.frozen.1"),
    *("account.frozen_by_bank.1", "account.closed.1"),
)
"""What can happen to an account once it is opened, and is told with the verdict."""


class At(NamedTuple):
    """A place in one of the logs."""

    log: LogName
    position: int

    @override
    def __str__(self) -> str:
        return f"{self.log}/{self.position}"


@dataclass(frozen=True, slots=True)
class Matter:
    """The facts of a bundle, of each log by position, the keys, and how far they are all there."""

    facts: Mapping[LogName, Mapping[int, StoredFact]]
    keys: TrustedKeys
    indexed: int
    """The last position of the consent log up to which its facts are all there."""

    def carrying(self, log: LogName, tag: str) -> list[Recorded]:
        """Return the facts that carry a tag; raises `BadExport` for one that cannot be read."""
        return [_decoded(log, one) for one in self.facts[log].values() if tag in one.tags]


def _decoded(log: LogName, stored: StoredFact) -> Recorded:
    try:
        fact = (CONSENT if log == "consent" else ACCOUNTS).decode(stored.kind, stored.data)
    except UnknownFact:
        fact = None
    except ValueError as error:
        raise BadExport(f"{log}/{stored.position} cannot be read: {error}") from error
    return Recorded(stored.position, stored.recorded_at, fact)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one consent, and the account opened with it, come to.

    `failed` has each rule that does not hold, with the places that show it; `since` what happened
    to the account later; `decided` where the citizen said what.
    """

    consent_id: str
    opening_id: str | None
    verdict: str
    failed: Mapping[str, Sequence[At]]
    since: Sequence[tuple[str, At]]
    decided: Sequence[tuple[str, At]]

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "consent_id": self.consent_id,
            "opening_id": self.opening_id,
            "verdict": self.verdict,
            "failed": {code: list(map(str, places)) for code, places in self.failed.items()},
            "since": [f"{kind} {place}" for kind, place in self.since],
            "decided": [f"{kind} {place}" for kind, place in self.decided],
        }


# -- one account ----------------------------------------------------------------------------------


class Case:
    """One account that was opened, and all that its consent's facts say."""

    def __init__(self, matter: Matter, consent_id: str, opening: Recorded) -> None:
        self.matter, self.consent_id = matter, consent_id
        self.at, self.opened = At("accounts", opening.position), opening.fact
        self.facts = matter.carrying("consent", f"consent:{consent_id}")
        self.openings = _openings(matter, consent_id)
        self.asked, self.given = self.first(ConsentRequested), self.first(ConsentGiven)
        self.confirmed, self.used = self.first(ConsentConfirmed), self.first(ConsentRedeemed)
        self.event = self._signed(self.opened.consent_event, CONSENT_EVENT, read_consent_event)
        self.receipt = self._signed(self.opened.redemption_receipt, REDEMPTION, read_receipt)

    def all(self, *kinds: type[Any]) -> list[Recorded]:
        """Return the consent's facts of these kinds, in order."""
        return [one for one in self.facts if isinstance(one.fact, kinds)]

    def first(self, kind: type[Any]) -> Recorded | None:
        """Return the consent's first fact of a kind, None if there is none."""
        return next(iter(self.all(kind)), None)

    @property
    def used_at(self) -> int:
        """Return the position of the use, one that is behind all if there was none."""
        return self.used.position if self.used else 1 << 63

    @property
    def statement(self) -> Statement | None:
        """Return what the citizen agreed to."""
        return self.given.fact.statement if self.given else None

    def places(self, *facts: Recorded | None) -> list[At]:
        """Return where the account is, and where these facts of the consent log are."""
        return [self.at, *(At("consent", one.position) for one in facts if one)]

    def _signed(self, token: str, typ: str, read: Callable[[bytes], Any]) -> Any:
        try:
            return read(self.matter.keys.verify(token, typ))
        except (BadToken, Unreadable):
            return None


Places = Iterable[At] | None
"""Where a rule is seen not to hold; None where it does."""


def event_signed(case: Case) -> Places:
    """Hold that its consent event is signed by a key that was valid then."""
    return None if case.event else [case.at]


def receipt_signed(case: Case) -> Places:
    """Hold that its receipt is signed, and says where this use for this command lies."""
    receipt: Receipt | None = case.receipt
    said = receipt and (receipt.consent_id, receipt.redemption_id, receipt.command_hash)
    own = (case.consent_id, case.opened.opening_id, case.opened.command_hash)
    if receipt and said == own and receipt.position == case.used_at:
        return None
    return case.places(case.used)


def asked_for(case: Case) -> Places:
    """Hold that somebody asked the citizen before they agreed."""
    before = case.asked and case.given and case.asked.position < case.given.position
    return None if before else case.places(case.asked, case.given)


def given_before(case: Case) -> Places:
    """Hold that the citizen agreed before the use."""
    if case.given and case.given.position < case.used_at:
        return None
    return case.places(case.given)


def shown_before(case: Case) -> Places:
    """Hold that the notice was shown, and the signature asked for, before they agreed."""
    if case.given is None:
        return None
    agreed, before = case.given.fact, case.given.position
    shown = any(
        one.fact.notice_hash == agreed.statement.notice_hash
        for one in case.all(NoticeServed)
        if one.position < before
    )
    asked = any(
        one.fact.statement_hash == agreed.statement_hash
        for one in case.all(SignatureAsked)
        if one.position < before
    )
    return None if shown and asked else case.places(case.given)


def statement_same(case: Case) -> Places:
    """Hold that what was signed has its digest, and is what the consent event says."""
    event: ConsentEvent | None = case.event
    pairs = list[tuple[Recorded, Any]]()
    if case.given:
        said = (event.statement, event.statement_hash) if event else None
        pairs.append((case.given, said))
    if case.confirmed and event and event.confirmation:
        pairs.append((case.confirmed, (event.confirmation, event.confirmation_hash)))
    wrong = [
        one
        for one, said in pairs
        if one.fact.statement.hash() != one.fact.statement_hash
        or said not in (None, (one.fact.statement, one.fact.statement_hash))
    ]
    return case.places(*wrong) if wrong else None


def fields_same(case: Case) -> Places:
    """Hold that the account is the one agreed to, and an account at all."""
    statement = case.statement
    if statement is None:
        return None
    same = all(
        getattr(statement, name) == getattr(case.opened, name)
        for name in (*MATCHED, *MATCHED_PLACE)
    )
    meant = statement.purpose == OPEN_ACCOUNT and statement.decision is Decision.GIVEN
    return None if same and meant else case.places(case.given)


def used_once(case: Case) -> Places:
    """Hold that the consent was used exactly once, for this command and statement."""
    uses = case.all(ConsentRedeemed)
    own = (case.opened.opening_id, case.opened.command_hash)
    fits = [
        one
        for one in uses
        if (one.fact.redemption_id, one.fact.command_hash) == own
        and (case.given is None or one.fact.statement_hash == case.given.fact.statement_hash)
    ]
    return None if len(uses) == 1 == len(fits) else case.places(*uses)


def opened_once(case: Case) -> Places:
    """Hold that no other account was opened with the consent."""
    places = [At("accounts", one.position) for one in case.openings]
    return None if len(places) == 1 else places


def confirmed_before(case: Case) -> Places:
    """Hold that it was confirmed before the use, if it waited for that."""
    if case.statement is None or case.statement.waits_for is not Waits.CONFIRMATION:
        return None
    if case.confirmed and case.confirmed.position < case.used_at:
        return None
    return case.places(case.given, case.confirmed)


def not_stopped(case: Case) -> Places:
    """Hold that it was not refused, withdrawn, disputed or found void before the use."""
    stops = [one for one in case.all(*STOPS) if one.position < case.used_at]
    return case.places(*stops) if stops else None


def in_time(case: Case) -> Places:
    """Hold that it was used within the time of what was signed last."""
    last = case.confirmed or case.given
    if last is None or case.used is None:
        return None
    statement = last.fact.statement
    if statement.not_before <= case.used.fact.redeemed_at < statement.expires_at:
        return None
    return case.places(last, case.used)


def handed_in(case: Case) -> Places:
    """Hold that at a counter it was handed in between the agreement and the use."""
    asked, given = case.asked, case.given
    if asked is None or given is None or asked.fact.channel is not Channel.COUNTER:
        return None
    between = range(given.position + 1, case.used_at)
    submitted = any(one.position in between for one in case.all(OpeningSubmitted))
    return None if submitted else case.places(given, case.used)


def rights_held(case: Case) -> Places:
    """Hold that at a counter every right that it takes was in force at the use."""
    codes = {guard.code for guard in RIGHTS.values()}
    return _gate(case, lambda code: code in codes)


def not_suspended(case: Case) -> Places:
    """Hold that nobody and nothing concerned was suspended at the use."""
    codes = {guard.code for guard in RIGHTS.values()}
    return _gate(case, lambda code: code not in codes)


def _gate(case: Case, wanted: Callable[[str], bool]) -> Places:
    """Ask the gate itself, with what lay before the use."""
    if case.asked is None or case.used is None:
        return None
    act, at = Act.of(case.asked.fact), case.used.fact.redeemed_at
    state = Gate()
    for recorded in _at_the_gate(case.matter, act):
        if recorded.position < case.used_at:
            state = gate.evolve(state, recorded)
    closed = [one for one in gate.closed(state, act, at, at) if wanted(one.code)]
    places = sorted({place for one in closed for place in one.positions})
    return [case.at, *(At("consent", place) for place in places)] if closed else None


def _at_the_gate(matter: Matter, act: Act) -> list[Recorded]:
    arms = [(arm.tags[0], set(arm.types)) for arm in gate.boundary(act)]
    return [
        _decoded("consent", one)
        for one in matter.facts["consent"].values()
        if any(tag in one.tags and one.kind in kinds for tag, kinds in arms)
    ]


RULES: Mapping[str, Callable[[Case], Places]] = {
    one.__name__: one
    for one in (
        *(event_signed, receipt_signed, asked_for, given_before, shown_before, statement_same),
        *(fields_same, used_once, opened_once, confirmed_before, not_stopped, in_time),
        *(handed_in, rights_held, not_suspended),
    )
}
"""Every rule that an opened account is judged by, in order, by its code."""


# -- all of a matter ------------------------------------------------------------------------------


def verdicts(matter: Matter, consent_ids: Iterable[str]) -> list[Verdict]:
    """Return the verdict of each account, and of each consent without one; raises `BadExport`."""
    return [one for own_id in sorted(set(consent_ids)) for one in _of_consent(matter, own_id)]


def agreements(matter: Matter, citizen_ids: Iterable[str] | None) -> list[At]:
    """Return where anybody, or one of these citizens, agreed to open an account."""
    found = [_decoded("consent", one) for one in matter.facts["consent"].values()]
    return [
        At("consent", one.position)
        for one in found
        if isinstance(one.fact, AGREEMENTS)
        and one.fact.statement.purpose == OPEN_ACCOUNT
        and (citizen_ids is None or one.fact.citizen_id in citizen_ids)
    ]


def _of_consent(matter: Matter, consent_id: str) -> Iterator[Verdict]:
    openings = _openings(matter, consent_id)
    decided = _decided(matter, consent_id)
    for opening in openings:
        yield _judged(Case(matter, consent_id, opening), decided)
    if not openings:
        yield Verdict(consent_id, None, NO_ACCOUNT, {}, (), decided)


def _judged(case: Case, decided: Sequence[tuple[str, At]]) -> Verdict:
    opening_id, since = case.opened.opening_id, _since(case)
    if case.receipt and case.receipt.position > case.matter.indexed:
        failed = {BEHIND_INDEX: [case.at]}
        return Verdict(case.consent_id, opening_id, OPEN, failed, since, decided)
    judged = {code: rule(case) for code, rule in RULES.items()}
    failed = {code: list(places) for code, places in judged.items() if places is not None}
    verdict = NOT_VALID if failed else VALID
    return Verdict(case.consent_id, opening_id, verdict, failed, since, decided)


def _openings(matter: Matter, consent_id: str) -> list[Recorded]:
    facts = matter.carrying("accounts", f"consent:{consent_id}")
    return [one for one in facts if isinstance(one.fact, AccountOpened)]


def _since(case: Case) -> list[tuple[str, At]]:
    """Return what happened to the consent behind its use, and to the account."""
    behind = [one for one in case.facts if one.position > case.used_at]
    account = case.matter.carrying("accounts", f"opening:{case.opened.opening_id}")
    return [*_named("consent", behind, SINCE), *_named("accounts", account, SINCE)]


def _decided(matter: Matter, consent_id: str) -> list[tuple[str, At]]:
    return _named("consent", matter.carrying("consent", f"consent:{consent_id}"), DECIDED)


def _named(log: LogName, facts: Iterable[Recorded], kinds: Sequence[str]) -> list[tuple[str, At]]:
    named = [one for one in facts if one.fact is not None and one.fact.NAME in kinds]
    return [(one.fact.NAME, At(log, one.position)) for one in named]
