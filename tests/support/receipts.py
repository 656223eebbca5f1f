"""A service that has keys and a sealed log with every decision, and gives receipts for them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.consent.facts import VOCABULARY
from shared.canonical import canonical
from shared.contracts.consent import Choice, Statement
from shared.contracts.receipts import (
    DECISION_RECEIPT,
    Controller,
    DataUse,
    Decided,
    DecisionReceipt,
    Links,
    LogPlace,
    Parties,
    Signing,
    receipt_of,
)
from shared.contracts.status_list import (
    STATUS_LIST,
    PackedList,
    Place,
    Status,
    StatusList,
    StatusListToken,
)
from shared.ledger import stores
from shared.ledger.notes import VerifierKey
from shared.ledger.recorder import Append, Recorder, StoredFact
from shared.ledger.seal import Seal, create_seal, log_origin
from shared.ledger.verify import trusted_keys
from shared.receipts.kept import KeptReceipt, keep_receipt
from shared.signing import Signer, TrustedKeys, create_key, load_keys
from tests.support import samples
from tests.support.events import event_of
from tests.support.given import AT

RECORDED_AT = AT + timedelta(minutes=1, microseconds=7)
SIGNED_AT = AT + timedelta(minutes=2)
LISTED_AT = AT + timedelta(minutes=10)
LIST_LIVES_FOR = timedelta(hours=1)
ORIGIN = "localhost/consent"

LINKS = Links(
    policy="https://consent.example/policy",
    withdraw="https://consent.example/c/abc",
    dispute="https://consent.example/dispute",
    status_lists="https://consent.example/status/",
)
PARTIES = Parties(
    bank=Controller(pii_controller="Ngân hàng Số Việt", contact="bảo vệ dữ liệu"),
    product="Tài khoản thanh toán",
    office=Controller(pii_controller="Bưu cục Lao Bảo"),
)
OPENING = DataUse(
    purpose_categories=["2 - Contracted Service"],
    pii_categories=["1 - Biographical", "7 - Financial"],
    sensitive_categories=["7 - Financial"],
)
MARKETING = DataUse(purpose_categories=["6 - Marketing"], third_party="Công ty Quảng cáo")

CHOICES = [Choice(purpose="marketing", agreed=True), Choice(purpose="profiling", agreed=False)]
GIVEN = replace(
    samples.GIVEN,
    statement=samples.statement(choices=CHOICES),
    statement_hash=samples.statement(choices=CHOICES).hash(),
)
HISTORY = [samples.QUESTION, samples.SERVED, samples.asked(), GIVEN]
OTHERS = [samples.REFUSED, samples.WITHDRAWN, samples.CONFIRMED, samples.ASK_ME_AGAIN]
ASKED, GIVEN_AT, REFUSED_AT, WITHDRAWN_AT, CONFIRMED_AT, ASK_ME_AGAIN_AT = 3, 4, 5, 6, 7, 8
SIZE = len(HISTORY) + len(OTHERS)


def decided(statement: Statement, position: int = GIVEN_AT, **changes: Any) -> Decided:
    """Return all that the receipt of a statement is made of."""
    whole = Decided(
        statement=statement,
        place=LogPlace(origin=ORIGIN, position=position, recorded_at=RECORDED_AT),
        parties=PARTIES,
        links=LINKS,
        dispute_code="4F7K-22QP",
        signing=Signing(issuer="consent", key_id="kid", at=SIGNED_AT),
        uses={"open-account": OPENING, "marketing": MARKETING},
    )
    return replace(whole, **changes)


@dataclass
class Office:
    """The service, as a citizen's receipt comes from it."""

    folder: Path
    recorder: Recorder
    signer: Signer
    proofs: dict[int, str]

    @property
    def keys(self) -> TrustedKeys:
        """Return the service's public keys."""
        return TrustedKeys.from_jwks(self.signer.public_keys())

    @property
    def lines(self) -> list[str]:
        """Return the log's verifier keys, one a line."""
        return (self.folder / "public" / "vkeys").read_text("utf-8").splitlines()

    @property
    def vkeys(self) -> list[VerifierKey]:
        """Return the log's verifier keys."""
        return trusted_keys(self.lines)

    def fact(self, position: int) -> StoredFact:
        """Return the fact at a position."""
        return self.recorder.page(after=position - 1, limit=1).facts[0]

    def receipt(self, position: int = GIVEN_AT) -> DecisionReceipt:
        """Return the receipt of the decision at a position."""
        stored = self.fact(position)
        statement = VOCABULARY.decode(stored.kind, stored.data).statement
        place = LogPlace(
            origin=log_origin(self.folder), position=position, recorded_at=stored.recorded_at
        )
        signing = Signing(issuer="consent", key_id=self.signer.keys[0].kid, at=SIGNED_AT)
        of_refusal = stored.kind.startswith("refusal.withdrawn.")
        made = decided(statement, position, place=place, signing=signing, of_refusal=of_refusal)
        return receipt_of(made)

    def sign(self, receipt: Any, typ: str = DECISION_RECEIPT) -> str:
        """Return anything signed as a receipt is."""
        return self.signer.sign(typ, canonical(receipt), SIGNED_AT)

    def keep(self, position: int = GIVEN_AT, token: str | None = None) -> KeptReceipt:
        """Return what the citizen takes home of the decision at a position."""
        return keep_receipt(
            token or self.sign(self.receipt(position)),
            keys=self.signer.public_keys(),
            vkeys=self.lines,
            fact=self.fact(position),
            proof=self.proofs[position],
        )

    def list_of(self, status: Status, position: int = GIVEN_AT, **changes: Any) -> StatusListToken:
        """Return the payload of the list that says this of the decision at a position."""
        packed = StatusList.of({Place.of(position).index: status})
        whole = StatusListToken(
            iss="consent",
            sub="https://consent.example/status/0",
            iat=int(LISTED_AT.timestamp()),
            exp=int((LISTED_AT + LIST_LIVES_FOR).timestamp()),
            ttl=300,
            status_list=PackedList(bits=packed.bits, lst=packed.encode()),
        )
        return replace(whole, **changes)

    def listed(self, status: Status, position: int = GIVEN_AT, **changes: Any) -> str:
        """Return that list, signed."""
        return self.sign(self.list_of(status, position, **changes), STATUS_LIST)


def recording_clock() -> datetime:
    """Return when all that happened was recorded."""
    return RECORDED_AT


@contextmanager
def an_office(folder: Path) -> Iterator[Office]:
    """Give a service on real files."""
    create_key(folder / "keys", AT)
    create_seal(folder, ORIGIN)
    address = f"sqlite:///{folder / 'ledger.db'}"
    stores.create_schema(address)
    with closing(stores.open_recorder(address, recording_clock)) as recorder:
        events = [event_of(fact) for fact in [*HISTORY, *OTHERS]]
        recorder.append_batch([Append(events)])
        with closing(Seal(recorder, folder, recording_clock)):
            pass  # what is closed is sealed
        with closing(Seal(recorder, folder, recording_clock)) as seal:
            proofs = {position: seal.proof(position) for position in range(1, len(events) + 1)}
        yield Office(folder, recorder, Signer("consent", load_keys(folder / "keys")), proofs)
