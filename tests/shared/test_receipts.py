"""The receipt that a citizen takes home: what it says, and that nothing in it can be changed."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.canonical import canonical
from shared.contracts.consent import CONSENT_EVENT, Decision, Grade, Statement, Unreadable
from shared.contracts.receipts import (
    DecisionReceipt,
    agreed_purposes,
    read_decision_receipt,
    receipt_of,
    status_claim,
)
from shared.contracts.status_list import LIST_ENTRIES, PackedList, Status, StatusList
from shared.ledger.merkle import leaf_hash
from shared.ledger.notes import Checkpoint, Note
from shared.ledger.proofs import Proof
from shared.receipts import __main__ as command
from shared.receipts.kept import FILE_BYTES_MAX, KeptFact, KeptReceipt, read_kept_receipt
from shared.receipts.verify import (
    KEYS_IN_FILE,
    NO_STATUS,
    NOT_IN_FILE,
    TOKEN_WRONG,
    VKEYS_IN_FILE,
    BadReceipt,
    Checked,
    verify_receipt,
)
from shared.receipts.words import VIETNAMESE_CAVEATS, sentences
from shared.signing import Signer, TrustedKeys, create_key
from tests.support import samples
from tests.support.given import AT
from tests.support.receipts import (
    ASK_ME_AGAIN_AT,
    ASKED,
    CHOICES,
    CONFIRMED_AT,
    GIVEN_AT,
    LINKS,
    LISTED_AT,
    RECORDED_AT,
    REFUSED_AT,
    SIGNED_AT,
    SIZE,
    WITHDRAWN_AT,
    Office,
    an_office,
    decided,
)
from tests.support.sealed import KEY

ROOT = Path(__file__).parents[2]

Replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Give a service whose log holds an agreement, a refusal and a withdrawal."""
    with an_office(tmp_path_factory.mktemp("office")) as made:
        yield made


def check(office: Office, document: KeptReceipt, status: str | None = None) -> Checked:
    """Check with the keys that the service and its log are known by."""
    return verify_receipt(document, office.keys, office.vkeys, status, at=LISTED_AT)


def code_of(office: Office, document: KeptReceipt, status: str | None = None) -> str:
    """Return the code with which a receipt is found wrong."""
    with pytest.raises(BadReceipt) as bad:
        check(office, document, status)
    assert bad.value.how
    return bad.value.code


# -- what a receipt says ------------------------------------------------------------------------


REQUIRED = {
    "version": str,
    "jurisdiction": str,
    "consentTimestamp": int,
    "collectionMethod": str,
    "consentReceiptID": str,
    "piiPrincipalId": str,
    "piiControllers": list,
    "services": list,
    "policyUrl": str,
    "sensitive": bool,
    "spiCat": list,
}
CONTROLLER = {"piiController": str, "contact": str, "address": dict, "email": str, "phone": str}
PURPOSE = {
    "consentType": str,
    "purposeCategory": list,
    "piiCategory": list,
    "termination": str,
    "thirdPartyDisclosure": bool,
}
OPTIONAL = {"publicKey": str, "language": str}


def assert_has(document: dict[str, Any], members: Mapping[str, type]) -> None:
    """Fail unless each member is there, of its type."""
    for name, kind in members.items():
        assert isinstance(document[name], kind), name


@given(st.sampled_from(Decision), st.sampled_from(Grade), st.integers(1, 2**40))
def test_every_receipt_has_the_shape_that_kantara_publishes(
    decision: Decision, grade: Grade, position: int
) -> None:
    """Version 1.1's required members, types and its rule for third parties; and back again."""
    statement = samples.statement(decision, grade=grade, choices=CHOICES)
    made = receipt_of(decided(statement, position))
    document = json.loads(canonical(made))
    assert_has(document, REQUIRED | OPTIONAL)
    assert document["version"] == "KI-CR-v1.1.0"
    for controller in document["piiControllers"]:
        assert_has(controller, CONTROLLER)
    for service in document["services"]:
        assert isinstance(service["service"], str)
        for purpose in service["purposes"]:
            assert_has(purpose, PURPOSE)
            assert purpose["thirdPartyDisclosure"] == ("thirdPartyName" in purpose)
    assert read_decision_receipt(canonical(made)) == made
    assert made.contradictions() == []


def test_an_agreement_in_full() -> None:
    """The example that docs and other programs can be held against."""
    statement = samples.statement(choices=CHOICES)
    document = json.loads(canonical(receipt_of(decided(statement))))
    assert document.pop("statement")["choices"] == [
        {"purpose": "marketing", "agreed": True},
        {"purpose": "profiling", "agreed": False},
    ]
    until = "after 1 use, or at 2023-08-09T05:15:00+00:00"
    nobody = {"address": {}, "email": "", "phone": "", "piiControllerUrl": ""}
    assert document == {
        "version": "KI-CR-v1.1.0",
        "jurisdiction": "VN",
        "consentTimestamp": 1691554560,
        "collectionMethod": "counter",
        "consentReceiptID": "st-given",
        "publicKey": "kid",
        "language": "vi",
        "piiPrincipalId": "c1",
        "piiControllers": [
            {
                "piiController": "Ngân hàng Số Việt",
                "contact": "bảo vệ dữ liệu",
                "onBehalf": False,
                **nobody,
            },
            {"piiController": "Bưu cục Lao Bảo", "contact": "", "onBehalf": True, **nobody},
        ],
        "policyUrl": "https://consent.example/policy",
        "services": [
            {
                "service": "Tài khoản thanh toán",
                "purposes": [
                    {
                        "purpose": "open-account",
                        "purposeCategory": ["2 - Contracted Service"],
                        "consentType": "EXPLICIT",
                        "piiCategory": ["1 - Biographical", "7 - Financial"],
                        "primaryPurpose": True,
                        "termination": until,
                        "thirdPartyDisclosure": False,
                    },
                    {
                        "purpose": "marketing",
                        "purposeCategory": ["6 - Marketing"],
                        "consentType": "EXPLICIT",
                        "piiCategory": [],
                        "primaryPurpose": False,
                        "termination": until,
                        "thirdPartyDisclosure": True,
                        "thirdPartyName": "Công ty Quảng cáo",
                    },
                ],
            }
        ],
        "sensitive": True,
        "spiCat": ["7 - Financial"],
        "schema_version": "ISO/IEC TS 27560:2023",
        "record_id": "q1",
        "event_time": "2023-08-09T04:16:00.000007Z",
        "event_type": "EXPLICIT",
        "event_state": "Given",
        "iss": "consent",
        "iat": 1691554620,
        "decision": "given",
        "statement_hash": statement.hash(),
        "evidence_grade": "otp",
        "status": {"status_list": {"idx": 4, "uri": "https://consent.example/status/0"}},
        "log": {
            "origin": "localhost/consent",
            "position": 4,
            "recorded_at": "2023-08-09T04:16:00.000007Z",
        },
        "withdraw_url": "https://consent.example/c/abc",
        "dispute_url": "https://consent.example/dispute",
        "dispute_code": "4F7K-22QP",
    }


@pytest.mark.parametrize("decision", [Decision.REFUSED, Decision.WITHDRAWN])
def test_a_no_names_no_purpose_as_agreed(decision: Decision) -> None:
    """Whoever reads only Kantara's members must not take a refusal for a consent."""
    statement = samples.statement(decision, choices=CHOICES)
    made = receipt_of(decided(statement))
    assert agreed_purposes(statement) == []
    assert [service.purposes for service in made.services] == [[]]
    assert (made.sensitive, made.spi_cat) == (False, [])
    assert made.event_state == {"refused": "Refused", "withdrawn": "Withdrawn"}[decision]


def test_online_nobody_asks_on_behalf() -> None:
    """Without an office there is the bank alone; without choices, the one purpose."""
    parties = replace(decided(samples.statement()).parties, office=None)
    made = receipt_of(decided(samples.statement(), parties=parties, uses={}))
    assert [one.pii_controller for one in made.pii_controllers] == ["Ngân hàng Số Việt"]
    assert [one.purpose for one in made.services[0].purposes] == ["open-account"]


def test_the_status_of_a_later_list() -> None:
    """Position 65,536 is entry 0 of list 1, whether or not the address ends in a slash."""
    for base in (LINKS.status_lists, LINKS.status_lists.rstrip("/")):
        claim = status_claim(base, LIST_ENTRIES).status_list
        assert (claim.idx, claim.uri) == (0, "https://consent.example/status/1")


@pytest.mark.parametrize("payload", [b"{}", b"x", b"[" * 100_000, b'{"version": 1}'])
def test_a_payload_that_is_no_receipt(payload: bytes) -> None:
    """One error, whatever it is."""
    with pytest.raises(Unreadable):
        read_decision_receipt(payload)


# -- what is right ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "decision"),
    [
        (GIVEN_AT, Decision.GIVEN),
        (REFUSED_AT, Decision.REFUSED),
        (WITHDRAWN_AT, Decision.WITHDRAWN),
        (CONFIRMED_AT, Decision.CONFIRMED),
        (ASK_ME_AGAIN_AT, Decision.WITHDRAWN),
    ],
)
def test_every_decision_has_a_receipt_that_holds(
    office: Office, position: int, decision: Decision
) -> None:
    """Kept as a file, read back, checked with keys from elsewhere: nothing is left open."""
    kept = read_kept_receipt(office.keep(position).file())
    checked = check(office, kept, office.listed(Status.VALID, position))
    assert checked.receipt == office.receipt(position)
    assert checked.receipt.decision is decision
    assert checked.log
    assert checked.log.checkpoint.size == SIZE
    assert checked.standing
    assert (checked.standing.status, checked.standing.as_of) == (Status.VALID, LISTED_AT)
    assert checked.caveats == []


@pytest.mark.parametrize("status", Status)
def test_what_the_status_list_says_is_passed_on(office: Office, status: Status) -> None:
    """Valid, invalid, suspended or used: each at this receipt's index alone."""
    listed = office.listed(status)
    standing = check(office, office.keep(), listed).standing
    assert standing
    assert standing.status is status
    other = check(office, office.keep(REFUSED_AT), listed).standing
    assert other
    assert other.status is Status.VALID


def test_a_refusal_taken_back_is_no_consent_taken_back(office: Office) -> None:
    """The two say the same in their statement; neither receipt passes with the other's fact."""
    again, withdrawn = office.receipt(ASK_ME_AGAIN_AT), office.receipt(WITHDRAWN_AT)
    assert (again.event_state, withdrawn.event_state) == ("RefusalWithdrawn", "Withdrawn")
    told = [
        " ".join(sentences(check(office, office.keep(at))))
        for at in (ASK_ME_AGAIN_AT, WITHDRAWN_AT)
    ]
    assert "took the refusal back" in told[0]
    assert "Cho phép hỏi lại" in told[0]
    assert "took the consent back" in told[1]
    swapped = office.sign(Replace(again, event_state=withdrawn.event_state))
    assert code_of(office, office.keep(ASK_ME_AGAIN_AT, swapped)) == "kind_differs"


def test_a_confirmation_agrees_to_what_was_asked(office: Office) -> None:
    """Its receipt lists the purpose, and says what it is."""
    made = office.receipt(CONFIRMED_AT)
    assert [one.purpose for one in made.services[0].purposes] == ["open-account"]
    assert made.event_state == "Given"
    assert "confirmed the consent" in " ".join(sentences(check(office, office.keep(CONFIRMED_AT))))


def test_keys_in_the_file_prove_nothing_about_who(office: Office, tmp_path: Path) -> None:
    """Whoever forges all of it passes with the file's own keys, and the result says so plainly."""
    with an_office(tmp_path) as forger:
        forged = forger.keep()
        checked = verify_receipt(forged)
        assert checked.caveats == [KEYS_IN_FILE, VKEYS_IN_FILE, NO_STATUS]
        assert code_of(office, forged) == "key_unknown"
        with pytest.raises(BadReceipt, match="checkpoint_unsigned"):
            verify_receipt(forged, None, office.vkeys)


def test_a_receipt_without_the_log_says_so(office: Office) -> None:
    """Before the log is sealed there is a fact without a proof; elsewhere there may be neither."""
    kept = office.keep()
    unsealed = check(office, Replace(kept, proof=None))
    assert unsealed.log is None
    assert unsealed.caveats == [NOT_IN_FILE, NO_STATUS]
    bare = Replace(kept, proof=None, fact=None, entry=None)
    assert check(office, bare).caveats == [NOT_IN_FILE, NO_STATUS]


def test_a_file_may_be_laid_out_anew(office: Office) -> None:
    """Another program's spaces, order and escapes are no change of what was decided."""
    document = json.loads(office.keep().file())
    other = json.dumps(dict(reversed(document.items())), indent=7, ensure_ascii=True)
    assert check(office, read_kept_receipt(other.encode())).log


def test_every_code_is_documented() -> None:
    """docs/receipts.md names whatever a check can find wrong."""
    source = (ROOT / "shared" / "receipts" / "verify.py").read_text("utf-8")
    documented = (ROOT / "docs" / "receipts.md").read_text("utf-8")
    codes = {*TOKEN_WRONG, *re.findall(r'BadReceipt\("(\w+)"', source)}
    assert len(codes) > 20
    assert [code for code in codes if f"`{code}`" not in documented] == []


# -- what is wrong ------------------------------------------------------------------------------


def resigned(office: Office, **changes: Any) -> KeptReceipt:
    """Return a receipt whose service signs something else than what was decided."""
    return office.keep(token=office.sign(Replace(office.receipt(), **changes)))


def with_fact(office: Office, of: int = GIVEN_AT, **changes: Any) -> KeptReceipt:
    """Return a receipt with a fact that was changed, and an entry that was made to fit."""
    fact = Replace(KeptFact.of(office.fact(of)), **changes)
    return Replace(office.keep(), fact=fact, entry=entry_of(fact) or office.keep().entry)


def entry_of(fact: KeptFact) -> str | None:
    """Return the entry that a fact makes, None where it makes none."""
    try:
        return base64.b64encode(fact.stored().entry()).decode()
    except ValueError:
        return None


def stranger(office: Office) -> KeptReceipt:
    """Return a receipt that names the service's key and is signed with another."""
    key = create_key(office.folder / "stranger", AT)
    token = Signer("consent", [key]).sign(
        "consent-receipt+jwt", canonical(office.receipt()), SIGNED_AT
    )
    header = office.sign(office.receipt()).split(".")[0]
    return Replace(office.keep(), receipt=".".join([header, *token.split(".")[1:]]))


def another_key(office: Office) -> KeptReceipt:
    """Return a receipt that a valid key signed while it names another."""
    return resigned(office, public_key="x" * 43)


def changed_data(office: Office, **changes: Any) -> KeptReceipt:
    """Return a receipt whose fact says something else, with an entry to fit."""
    data = json.loads(office.fact(GIVEN_AT).data) | changes
    return with_fact(office, data=msgspec.Raw(canonical(data)))


def with_proof(office: Office, **changes: Any) -> KeptReceipt:
    """Return a receipt whose proof was changed."""
    proof = Proof.parse(office.proofs[GIVEN_AT])
    return Replace(office.keep(), proof=replace(proof, **changes).text())


def rooted_elsewhere(office: Office) -> bytes:
    """Return the log's checkpoint with another root, its signatures left as they were."""
    note = Note.parse(Proof.parse(office.proofs[GIVEN_AT]).note)
    body = Checkpoint(Checkpoint.parse(note.body).origin, 6, leaf_hash(b"x")).body()
    return Note(body, note.signatures).text().encode()


def of_another_log(office: Office) -> bytes:
    """Return a checkpoint of another log, well signed."""
    body = Checkpoint(KEY.name, 6, leaf_hash(b"x")).body()
    return Note(body, (KEY.sign(body, AT),)).text().encode()


def statement_with(office: Office, **changes: Any) -> Statement:
    """Return the statement with other members."""
    return replace(office.receipt().statement, **changes)


WRONG: list[tuple[str, Callable[[Office], KeptReceipt]]] = [
    ("token_malformed", lambda o: Replace(o.keep(), receipt="x.y.z")),
    ("token_malformed", lambda o: Replace(o.keep(), receipt="")),
    ("token_malformed", lambda o: Replace(o.keep(), receipt=f"{o.keep().receipt}=")),
    ("token_type", lambda o: o.keep(token=o.sign(o.receipt(), CONSENT_EVENT))),
    ("signature_invalid", stranger),
    (
        "key_not_valid",
        lambda o: resigned(o, iat=int((AT - timedelta(days=1)).timestamp())),
    ),
    ("receipt_unreadable", lambda o: o.keep(token=o.sign({"iat": o.receipt().iat}))),
    ("statement_differs", lambda o: resigned(o, statement_hash="0" * 64)),
    (
        "statement_differs",
        lambda o: resigned(o, statement=statement_with(o, terms_hash="0" * 64)),
    ),
    ("members_differ", lambda o: resigned(o, decision=Decision.REFUSED)),
    ("members_differ", lambda o: resigned(o, event_state="Refused")),
    ("members_differ", lambda o: resigned(o, evidence_grade=Grade.KEY_UV)),
    ("members_differ", lambda o: resigned(o, consent_receipt_id="x")),
    ("members_differ", lambda o: resigned(o, record_id="x")),
    ("members_differ", lambda o: resigned(o, pii_principal_id="x")),
    ("members_differ", lambda o: resigned(o, jurisdiction="US")),
    ("members_differ", lambda o: resigned(o, language="en")),
    ("members_differ", lambda o: resigned(o, collection_method="online")),
    ("members_differ", lambda o: resigned(o, services=[])),
    ("members_differ", lambda o: resigned(o, event_time=AT)),
    ("members_differ", lambda o: resigned(o, consent_timestamp=0)),
    ("members_differ", lambda o: resigned(o, status=status_claim("x", 9))),
    ("key_differs", another_key),
    ("log_incomplete", lambda o: Replace(o.keep(), fact=None)),
    ("log_incomplete", lambda o: Replace(o.keep(), entry=None)),
    ("log_incomplete", lambda o: Replace(o.keep(), fact=None, entry=None)),
    ("entry_malformed", lambda o: Replace(o.keep(), entry="*")),
    ("entry_malformed", lambda o: Replace(o.keep(), entry="AAAA")),
    ("entry_differs", lambda o: Replace(o.keep(), entry=o.keep(REFUSED_AT).entry)),
    ("entry_differs", lambda o: Replace(o.keep(), fact=o.keep(REFUSED_AT).fact)),
    ("fact_malformed", lambda o: with_fact(o, data=msgspec.Raw(b'{"n":9007199254740993}'))),
    ("fact_malformed", lambda o: with_fact(o, data=msgspec.Raw(b"[" * 9_999 + b"]" * 9_999))),
    ("fact_malformed", lambda o: with_fact(o, data=msgspec.Raw(b"{}"))),
    ("position_differs", lambda o: with_fact(o, position=9)),
    ("time_differs", lambda o: with_fact(o, recorded_at=AT)),
    ("kind_differs", lambda o: with_fact(o, kind="signature.asked.1")),
    ("kind_differs", lambda o: with_fact(o, kind="consent.refused.1")),
    ("fact_differs", lambda o: changed_data(o, statement_hash="0" * 64)),
    ("fact_differs", lambda o: changed_data(o, statement={})),
    ("fact_differs", lambda o: with_fact(o, REFUSED_AT, position=4, kind="consent.given.1")),
    ("proof_malformed", lambda o: Replace(o.keep(), proof="x")),
    ("proof_of_another", lambda o: Replace(o.keep(), proof=o.proofs[REFUSED_AT])),
    ("proof_leads_elsewhere", lambda o: with_proof(o, hashes=())),
    ("proof_leads_elsewhere", lambda o: changed_data(o, clerk_id="other")),
    ("proof_leads_elsewhere", lambda o: with_fact(o, tags=["consent:q1"])),
    ("proof_leads_elsewhere", lambda o: with_fact(o, parts=["0" * 64])),
    ("origin_differs", lambda o: with_proof(o, note=of_another_log(o))),
    ("checkpoint_unsigned", lambda o: with_proof(o, note=rooted_elsewhere(o))),
]


@pytest.mark.parametrize(
    ("code", "wrong"), WRONG, ids=[f"{code}-{at}" for at, (code, _) in enumerate(WRONG)]
)
def test_every_way_to_be_wrong_has_its_code(
    office: Office, code: str, wrong: Callable[[Office], KeptReceipt]
) -> None:
    """Changed, forged, of another kind, contradicting itself, or not what the log holds."""
    assert code_of(office, wrong(office)) == code


def test_a_code_that_was_asked_for_is_no_decision(office: Office) -> None:
    """The same statement lies in `signature.asked`, sealed and proved: it is not taken for it."""
    receipt = Replace(office.receipt(), status=status_claim(LINKS.status_lists, ASKED))
    place = Replace(receipt.log, position=ASKED)
    token = office.sign(Replace(receipt, log=place))
    assert code_of(office, office.keep(ASKED, token)) == "kind_differs"


def test_malformed_keys_in_the_file(office: Office) -> None:
    """Where the file's own keys are asked for, they must be some."""
    kept = office.keep()
    for changes, code in (
        ({"keys": {}}, "keys_malformed"),
        ({"vkeys": ["x"]}, "vkeys_malformed"),
        ({"vkeys": []}, "checkpoint_unsigned"),
    ):
        with pytest.raises(BadReceipt, match=code):
            verify_receipt(Replace(kept, **changes))
        assert check(office, Replace(kept, **changes)).log


def resigned_list(office: Office, bits: int, lst: str) -> str:
    """Return a signed list with another content."""
    return office.listed(Status.VALID, status_list=PackedList(bits=bits, lst=lst))


SHORT = StatusList.of({}, GIVEN_AT)
UNKNOWN = StatusList.of({GIVEN_AT: 9}, 10, bits=4)
BEFORE = int(RECORDED_AT.timestamp()) - 1

WRONG_STATUS: list[tuple[str, Callable[[Office], str]]] = [
    ("status_token_malformed", lambda o: "x"),
    ("status_token_type", lambda o: o.sign(o.list_of(Status.VALID), CONSENT_EVENT)),
    ("status_signature_invalid", lambda o: o.listed(Status.VALID)[:-86] + "A" * 86),
    ("status_key_not_valid", lambda o: o.listed(Status.VALID, iat=0)),
    ("status_unreadable", lambda o: o.sign({"iat": o.receipt().iat}, "statuslist+jwt")),
    ("status_issuer_differs", lambda o: o.listed(Status.VALID, iss="x")),
    ("status_of_others", lambda o: o.listed(Status.VALID, sub="https://consent.example/status/1")),
    ("status_too_old", lambda o: o.listed(Status.VALID, iat=BEFORE)),
    ("status_expired", lambda o: o.listed(Status.VALID, exp=int(LISTED_AT.timestamp()))),
    ("status_list_malformed", lambda o: resigned_list(o, 2, "x")),
    ("status_list_malformed", lambda o: resigned_list(o, 3, SHORT.encode())),
    ("status_list_malformed", lambda o: resigned_list(o, 2, SHORT.encode())),
    ("status_list_malformed", lambda o: resigned_list(o, 4, UNKNOWN.encode())),
]


@pytest.mark.parametrize(
    ("code", "wrong"),
    WRONG_STATUS,
    ids=[f"{code}-{at}" for at, (code, _) in enumerate(WRONG_STATUS)],
)
def test_every_wrong_status_list_has_its_code(
    office: Office, code: str, wrong: Callable[[Office], str]
) -> None:
    """Forged, of others, from before the decision, over, or no list: nothing is taken from it."""
    assert code_of(office, office.keep(), wrong(office)) == code


def test_a_status_list_of_a_stranger(office: Office) -> None:
    """Signed well, by a key that is not the service's."""
    key = create_key(office.folder / "another", AT)
    payload = canonical(office.list_of(Status.VALID))
    token = Signer("consent", [key]).sign("statuslist+jwt", payload, SIGNED_AT)
    assert code_of(office, office.keep(), token) == "status_key_unknown"


def test_without_a_time_a_list_that_is_over_still_tells_what_was(office: Office) -> None:
    """Who asks what held then, and not what holds now, names no time."""
    listed = office.listed(Status.USED, exp=int(LISTED_AT.timestamp()))
    standing = verify_receipt(office.keep(), office.keys, office.vkeys, listed).standing
    assert standing
    assert standing.status is Status.USED


# -- one byte -----------------------------------------------------------------------------------


def one_changed(text: str, data: st.DataObject) -> str:
    """Return the text with one of its characters changed."""
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda one: one != text[place]))
    return text[:place] + letter + text[place + 1 :]


@pytest.mark.parametrize("member", ["receipt", "entry", "proof"])
@given(data=st.data())
def test_any_changed_character_is_found(office: Office, member: str, data: st.DataObject) -> None:
    """Of the signed receipt, the entry, the proof."""
    kept = office.keep()
    changed = one_changed(getattr(kept, member), data)
    with pytest.raises(BadReceipt):
        check(office, Replace(kept, **{member: changed}))


@given(data=st.data())
def test_any_changed_byte_of_the_fact_is_found(office: Office, data: st.DataObject) -> None:
    """Also where an entry is made to fit what was changed: then the log's tree is another."""
    kept = office.keep()
    assert kept.fact
    stored = bytearray(office.fact(GIVEN_AT).data)
    place = data.draw(st.integers(0, len(stored) - 1))
    stored[place] ^= data.draw(st.integers(1, 255))
    fact = Replace(kept.fact, data=msgspec.Raw(bytes(stored)))
    with pytest.raises(BadReceipt):
        check(office, Replace(kept, fact=fact))
    if fitted := entry_of(fact):
        with pytest.raises(BadReceipt):
            check(office, Replace(kept, fact=fact, entry=fitted))


@given(data=st.data())
def test_a_changed_file_never_says_anything_else(office: Office, data: st.DataObject) -> None:
    """Any byte of the file: it is found wrong, cannot be read, or says what it said, or less."""
    kept = office.keep()
    content = bytearray(kept.file())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        checked = check(office, read_kept_receipt(bytes(content)))
    except (Unreadable, BadReceipt):
        return
    assert checked.receipt == office.receipt()
    assert checked.log in {None, check(office, kept).log}


@given(st.binary() | st.text().map(str.encode))
def test_any_file_has_one_error(content: bytes) -> None:
    """Nonsense is unreadable, whatever it is."""
    with pytest.raises(Unreadable):
        read_kept_receipt(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"position": 0},
        {"position": 2**63},
        {"recorded_at": "2023-08-09T04:16:00"},
        {"kind": "k" * 1_001},
        {"tags": ["t" * 1_001]},
        {"parts": ["x"]},
        {"parts": ["0" * 64] * 256},
        {"data": None, "position": "4"},
    ],
)
def test_a_fact_that_no_entry_can_hold_is_unreadable(
    office: Office, changes: dict[str, Any]
) -> None:
    """Out of range, without a zone, too long, too many: an error, not a defect."""
    document = json.loads(office.keep().file())
    document["fact"] |= changes
    with pytest.raises(Unreadable):
        read_kept_receipt(json.dumps(document).encode())


def test_an_endless_or_bottomless_file_is_unreadable(office: Office) -> None:
    """The size is bounded, and so is the depth."""
    for content in (b" " * (FILE_BYTES_MAX + 1), b'{"keys":' * 90_000):
        with pytest.raises(Unreadable):
            read_kept_receipt(content)


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def home(office: Office, tmp_path: Path) -> Path:
    """Give a folder with a kept receipt, and what was taken from elsewhere to check it with."""
    (tmp_path / "receipt.json").write_bytes(office.keep().file())
    (tmp_path / "refusal.json").write_bytes(office.keep(REFUSED_AT).file())
    (tmp_path / "jwks.json").write_text(json.dumps(office.signer.public_keys()))
    (tmp_path / "vkeys").write_text("\n".join(office.lines))
    (tmp_path / "used.jwt").write_text(office.listed(Status.USED) + "\n")
    return tmp_path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give the command: its exit code and what it writes."""
    monkeypatch.chdir(home)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = command.main(["verify", *arguments])
        return code, *capsys.readouterr()

    return call


ELSEWHERE = ("--keys", "jwks.json", "--vkeys", "vkeys")
THEN = ("--status", "used.jwt", "--at", LISTED_AT.isoformat())

WITHOUT_NETWORK = """
import json, runpy, sys
from pathlib import Path

def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"the network was asked for: {event}")

sys.addaudithook(refuse)

from shared.contracts.status_list import Status
from tests.support.receipts import an_office

with an_office(Path()) as office:
    Path("receipt.json").write_bytes(office.keep().file())
    Path("jwks.json").write_text(json.dumps(office.signer.public_keys()))
    Path("vkeys").write_text("\\n".join(office.lines))
    Path("used.jwt").write_text(office.listed(Status.USED))

sys.argv[0] = "receipt"
runpy.run_module("shared.receipts", run_name="__main__")
"""


def test_a_receipt_is_made_and_checked_in_a_process_without_network(tmp_path: Path) -> None:
    """In an empty folder, where any socket ends the process: right, in two languages."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK, "verify", "receipt.json", *ELSEWHERE, *THEN],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    right, signed, in_log, standing, *vietnamese = done.stdout.splitlines()
    assert right == (
        "right: The citizen agreed, 11:16 on 09 Aug 2023 in Vietnam:"
        " Tài khoản thanh toán, Ngân hàng Số Việt, Bưu cục Lao Bảo"
    )
    assert signed.startswith("signed by consent with key ")
    assert in_log == (
        f"in the log localhost/consent at position 4, under a signed checkpoint of {SIZE} facts"
    )
    assert standing == ("at 11:25 on 09 Aug 2023 in Vietnam it was used, and cannot be used again")
    assert vietnamese == [
        "Quyết định: Đồng ý, lúc 11:16 ngày 09/08/2023",
        "Việc: Tài khoản thanh toán, Ngân hàng Số Việt, Bưu cục Lao Bảo",
        "Lúc 11:25 ngày 09/08/2023: sự đồng ý đã được dùng, không dùng lại được",
    ]


def test_what_is_left_open_is_said(run: Run) -> None:
    """With the file's own keys and nothing else: right, and plainly not a proof of who."""
    code, out, _ = run("refusal.json")
    assert code == 0
    assert "right: The citizen refused" in out
    assert [f"but: {one}" in out for one in (KEYS_IN_FILE, VKEYS_IN_FILE, NO_STATUS)] == [True] * 3
    assert "Quyết định: Không đồng ý" in out
    assert out.count("Nhưng: ") == 3
    assert set(VIETNAMESE_CAVEATS) == {KEYS_IN_FILE, VKEYS_IN_FILE, NOT_IN_FILE, NO_STATUS}


def test_in_json(run: Run, office: Office) -> None:
    """For programs: the same, with whose keys it was checked with."""
    code, out, _ = run("receipt.json", *ELSEWHERE, *THEN, "--json")
    document = json.loads(out)
    root = document["log"].pop("root")
    assert (code, len(root)) == (0, 64)
    assert document == {
        "right": True,
        "receipt_id": "st-given",
        "decision": "given",
        "event_state": "Given",
        "statement_hash": office.receipt().statement_hash,
        "recorded_at": RECORDED_AT.isoformat(),
        "keys_from": "the caller",
        "log": {
            "origin": "localhost/consent",
            "position": 4,
            "size": SIZE,
            "keys_from": "the caller",
        },
        "status": {"status": "used", "as_of": LISTED_AT.isoformat()},
        "caveats": [],
    }
    bare = json.loads(run("receipt.json", "--json")[1])
    assert (bare["keys_from"], bare["log"]["keys_from"]) == ("the file itself",) * 2
    assert bare["status"] is None


def test_what_is_wrong_is_named(run: Run, home: Path, office: Office) -> None:
    """Exit code 1, the code and a sentence; a list that is over now is not accepted."""
    changed = Replace(office.keep(), receipt=stranger(office).receipt)
    (home / "changed.json").write_bytes(changed.file())
    sentence = "the receipt was changed after it was signed, or forged"
    assert run("changed.json")[:2] == (1, f"WRONG: signature_invalid: {sentence}\n")
    code, out, _ = run("changed.json", "--json")
    wrong = {"right": False, "code": "signature_invalid", "how": sentence}
    assert (code, json.loads(out)) == (1, wrong)
    assert "status_expired" in run("receipt.json", "--status", "used.jwt")[1]
    assert "checkpoint_unsigned" in run("receipt.json", "--vkey", str(KEY.verifier))[1]
    first, second = office.lines
    assert run("receipt.json", "--vkey", first, "--vkey", second)[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere.json",),
        ("vkeys",),
        ("receipt.json", "--keys", "nowhere"),
        ("receipt.json", "--keys", "vkeys"),
        ("receipt.json", "--keys", "receipt.json"),
        ("receipt.json", "--vkey", "nonsense"),
        ("receipt.json", "--vkeys", "empty"),
        ("receipt.json", "--status", "nowhere"),
        (".",),
    ],
)
def test_what_cannot_be_read_is_said(run: Run, home: Path, arguments: tuple[str, ...]) -> None:
    """Files that are not there or not what they should be: exit code 2, a line, no traceback."""
    (home / "empty").touch()
    if arguments == ("receipt.json", "--keys", "receipt.json"):
        (home / "receipt.json").write_text("{}")
    code, out, error = run(*arguments)
    assert (code, out) == (2, "")
    assert error.startswith("cannot be checked: ")


def test_a_time_without_a_zone_is_not_understood(run: Run) -> None:
    """What the command line does not understand is argparse's to say."""
    for wrong in ("2023-08-09T11:00:00", "tomorrow"):
        with pytest.raises(SystemExit) as stopped:
            run("receipt.json", "--at", wrong)
        assert stopped.value.code == 2


def test_every_decision_and_status_has_its_words(office: Office) -> None:
    """In both languages; a text signed in English is told in English alone."""
    for position in (GIVEN_AT, REFUSED_AT, WITHDRAWN_AT):
        for status in Status:
            checked = check(office, office.keep(position), office.listed(status, position))
            assert len(list(sentences(checked))) == 7
            english = replace(checked, receipt=Replace(checked.receipt, language="en"))
            assert len(list(sentences(english))) == 4


def test_the_end_of_time_has_words_too(office: Office) -> None:
    """A time that no zone of ours can show is told as it is written."""
    last = datetime.max.replace(tzinfo=UTC)
    checked = check(office, office.keep())
    place = Replace(checked.receipt.log, recorded_at=last)
    told = replace(checked, receipt=Replace(checked.receipt, log=place))
    assert "9999-12-31T23:59:59.999999+00:00" in next(sentences(told))


def test_a_receipt_is_short(office: Office) -> None:
    """It goes through every reader's limit of 16,384 characters with much to spare."""
    assert isinstance(office.receipt(), DecisionReceipt)
    assert len(office.sign(office.receipt())) < 5_000
    assert len(office.keep().file()) < 30_000
    assert TrustedKeys.from_jwks(office.keep().keys).verify(
        office.keep().receipt, "consent-receipt+jwt"
    )
