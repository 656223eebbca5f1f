"""The receipt that a citizen takes home for every decision, a refusal as much as an agreement.

A compact JWS of type `DECISION_RECEIPT`. Its members have the names of the Kantara Consent Receipt
1.1 where that has one, so that programs that read those read ours, and of ISO/IEC TS 27560 for the
record behind it; the rest is ours. A reader of the first kind knows no refusals: `services` lists
what the citizen agreed to, so it lists no purpose where the citizen refused or took back.

It is not the redemption receipt, which one service gives the other (`shared/contracts/consent.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from shared.contracts.consent import Decision, Grade, Statement, Unreadable
from shared.contracts.status_list import Place

DECISION_RECEIPT = "consent-receipt+jwt"
"""JOSE `typ` of a citizen's receipt."""

KANTARA_VERSION = "KI-CR-v1.1.0"
SCHEMA_VERSION = "ISO/IEC TS 27560:2023"
EXPLICIT = "EXPLICIT"
"""The one type of consent there is here: nothing is taken from silence."""


class EventState(StrEnum):
    """What a decision made of a consent, as ISO/IEC TS 27560 and the W3C's DPV call it."""

    GIVEN = "Given"
    REFUSED = "Refused"
    WITHDRAWN = "Withdrawn"
    REFUSAL_WITHDRAWN = "RefusalWithdrawn"
    """Ours: a refusal was taken back, so the citizen may be asked again. There was no consent."""


EVENT_STATES = {
    Decision.GIVEN: EventState.GIVEN,
    Decision.CONFIRMED: EventState.GIVEN,
    Decision.REFUSED: EventState.REFUSED,
    Decision.WITHDRAWN: EventState.WITHDRAWN,
}
"""What each decision makes, unless what it takes back is a refusal."""

DECIDED_BY = {
    (Decision.GIVEN, EventState.GIVEN): "consent.given.",
    (Decision.CONFIRMED, EventState.GIVEN): "consent.confirmed.",
    (Decision.REFUSED, EventState.REFUSED): "consent.refused.",
    (Decision.WITHDRAWN, EventState.WITHDRAWN): "consent.withdrawn.",
    (Decision.WITHDRAWN, EventState.REFUSAL_WITHDRAWN): "refusal.withdrawn.",
}
"""How the kind of the fact begins that is a decision; the same statement is in other facts too."""

AGREEING = frozenset({Decision.GIVEN, Decision.CONFIRMED})
"""The decisions that agree to something."""


Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time that says its zone, as all of ours do (UTC)."""


class Controller(msgspec.Struct, frozen=True, kw_only=True):
    """Who decides about the data (Law 91/2025 article 2), or asks for the one who does.

    Kantara wants every member but the last two; what is not known is empty.
    """

    pii_controller: str = msgspec.field(name="piiController")
    contact: str = ""
    address: dict[str, str] = {}
    email: str = ""
    phone: str = ""
    on_behalf: bool = msgspec.field(name="onBehalf", default=False)
    pii_controller_url: str = msgspec.field(name="piiControllerUrl", default="")


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """One purpose that the citizen agreed to, and until when."""

    purpose: str
    purpose_category: list[str] = msgspec.field(name="purposeCategory")
    consent_type: str = msgspec.field(name="consentType", default=EXPLICIT)
    pii_category: list[str] = msgspec.field(name="piiCategory")
    primary_purpose: bool = msgspec.field(name="primaryPurpose")
    termination: str
    third_party_disclosure: bool = msgspec.field(name="thirdPartyDisclosure")
    third_party_name: str | msgspec.UnsetType = msgspec.field(
        name="thirdPartyName", default=msgspec.UNSET
    )


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What is offered, and what the citizen agreed to for its sake."""

    service: str
    purposes: list[Purpose]


class StatusReference(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is said whether the decision still stands: an index in the list at an address."""

    idx: int
    uri: str


class StatusClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The claim `status` of a token that a Token Status List speaks of."""

    status_list: StatusReference


class LogPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Which log holds the decision, at which position, recorded when."""

    origin: str
    position: int
    recorded_at: Instant


class DecisionReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The payload of a citizen's receipt; `iat` and `consentTimestamp` are seconds since 1970 UTC.

    `publicKey` is the RFC 7638 thumbprint of the key that signed it. `piiPrincipalId` is the
    citizen's random id. Whoever holds the receipt can dispute with `dispute_code`, from any phone.
    """

    version: str = KANTARA_VERSION
    jurisdiction: str
    consent_timestamp: int = msgspec.field(name="consentTimestamp")
    collection_method: str = msgspec.field(name="collectionMethod")
    consent_receipt_id: str = msgspec.field(name="consentReceiptID")
    public_key: str = msgspec.field(name="publicKey")
    language: str
    pii_principal_id: str = msgspec.field(name="piiPrincipalId")
    pii_controllers: list[Controller] = msgspec.field(name="piiControllers")
    policy_url: str = msgspec.field(name="policyUrl")
    services: list[Service]
    sensitive: bool
    spi_cat: list[str] = msgspec.field(name="spiCat")
    schema_version: str = SCHEMA_VERSION
    record_id: str
    event_time: Instant
    event_type: str = EXPLICIT
    event_state: EventState
    iss: str
    iat: int
    decision: Decision
    statement: Statement
    statement_hash: str
    evidence_grade: Grade
    status: StatusClaim
    log: LogPlace
    withdraw_url: str
    dispute_url: str
    dispute_code: str

    def contradictions(self) -> list[str]:
        """Return the members that say something else than the statement or the place in the log."""
        said, place = self.statement, Place.of(self.log.position)
        same = {
            "decision": self.decision == said.decision,
            "event_state": (said.decision, self.event_state) in DECIDED_BY,
            "evidence_grade": self.evidence_grade == said.grade,
            "consentReceiptID": self.consent_receipt_id == said.statement_id,
            "record_id": self.record_id == said.consent_id,
            "piiPrincipalId": self.pii_principal_id == said.citizen_id,
            "jurisdiction": self.jurisdiction == said.jurisdiction,
            "language": self.language == said.notice_lang,
            "collectionMethod": self.collection_method == said.channel,
            "services": _purposes(self.services) == agreed_purposes(said),
            "event_time": self.event_time == self.log.recorded_at,
            "consentTimestamp": self.consent_timestamp == int(self.event_time.timestamp()),
            "status": self.status.status_list.idx == place.index,
        }
        return [name for name, equal in same.items() if not equal]


# -- making one ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Parties:
    """Who is named: the bank that the citizen answered, its product, and who asked for it."""

    bank: Controller
    product: str
    office: Controller | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """Where the citizen goes from here; `status_lists` is the address before a list's number."""

    policy: str
    withdraw: str
    dispute: str
    status_lists: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DataUse:
    """What data a purpose needs, in Kantara's categories; `third_party` is whom else they reach."""

    purpose_categories: Sequence[str] = ()
    pii_categories: Sequence[str] = ()
    sensitive_categories: Sequence[str] = ()
    third_party: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Signing:
    """By whom, with which key (RFC 7638 thumbprint), and when a receipt is signed."""

    issuer: str
    key_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """All that a receipt is made of; `uses` are by purpose, and one may be missing.

    `of_refusal` says that what is taken back is a refusal.
    """

    statement: Statement
    place: LogPlace
    parties: Parties
    links: Links
    dispute_code: str
    signing: Signing
    uses: Mapping[str, DataUse] = field(default_factory=dict)
    of_refusal: bool = False

    @property
    def event_state(self) -> EventState:
        """Return what the decision made of the consent."""
        if self.of_refusal:
            return EventState.REFUSAL_WITHDRAWN
        return EVENT_STATES[self.statement.decision]


def receipt_of(decided: Decided) -> DecisionReceipt:
    """Return the receipt of a decision that lies in the log."""
    said, place, links = decided.statement, decided.place, decided.links
    sensitive = _sensitive(decided)
    return DecisionReceipt(
        jurisdiction=said.jurisdiction,
        consent_timestamp=int(place.recorded_at.timestamp()),
        collection_method=said.channel,
        consent_receipt_id=said.statement_id,
        public_key=decided.signing.key_id,
        language=said.notice_lang,
        pii_principal_id=said.citizen_id,
        pii_controllers=_controllers(decided.parties),
        policy_url=links.policy,
        services=[_service(decided)],
        sensitive=bool(sensitive),
        spi_cat=sensitive,
        record_id=said.consent_id,
        event_time=place.recorded_at,
        event_state=decided.event_state,
        iss=decided.signing.issuer,
        iat=int(decided.signing.at.timestamp()),
        decision=said.decision,
        statement=said,
        statement_hash=said.hash(),
        evidence_grade=said.grade,
        status=status_claim(links.status_lists, place.position),
        log=place,
        withdraw_url=links.withdraw,
        dispute_url=links.dispute,
        dispute_code=decided.dispute_code,
    )


def status_claim(status_lists: str, position: int) -> StatusClaim:
    """Return where the status of a position is; the list's number ends the address."""
    place = Place.of(position)
    uri = f"{status_lists.rstrip('/')}/{place.number}"
    return StatusClaim(status_list=StatusReference(idx=place.index, uri=uri))


def agreed_purposes(statement: Statement) -> list[str]:
    """Return the purposes that the citizen agreed to, the one asked for first; maybe none."""
    if statement.decision not in AGREEING:
        return []
    choices = [] if statement.choices is msgspec.UNSET else statement.choices
    return [statement.purpose, *(one.purpose for one in choices if one.agreed)]


def read_decision_receipt(payload: bytes) -> DecisionReceipt:
    """Return the payload as a citizen's receipt; raises `Unreadable`."""
    try:
        return msgspec.json.decode(payload, type=DecisionReceipt)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def _controllers(parties: Parties) -> list[Controller]:
    if parties.office is None:
        return [parties.bank]
    return [parties.bank, msgspec.structs.replace(parties.office, on_behalf=True)]


def _service(decided: Decided) -> Service:
    agreed = agreed_purposes(decided.statement)
    return Service(
        service=decided.parties.product, purposes=[_purpose(decided, name) for name in agreed]
    )


def _purpose(decided: Decided, name: str) -> Purpose:
    said, use = decided.statement, decided.uses.get(name, DataUse())
    until = said.expires_at.astimezone(UTC).isoformat()
    return Purpose(
        purpose=name,
        purpose_category=list(use.purpose_categories),
        pii_category=list(use.pii_categories),
        primary_purpose=name == said.purpose,
        termination=f"after {said.max_uses} use, or at {until}",
        third_party_disclosure=use.third_party is not None,
        third_party_name=use.third_party or msgspec.UNSET,
    )


def _sensitive(decided: Decided) -> list[str]:
    uses = (decided.uses.get(name, DataUse()) for name in agreed_purposes(decided.statement))
    return sorted({one for use in uses for one in use.sensitive_categories})


def _purposes(services: Sequence[Service]) -> list[str]:
    return [purpose.purpose for service in services for purpose in service.purposes]
