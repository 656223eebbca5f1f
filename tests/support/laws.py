"""What must hold of two logs beyond what `demo/integrity.py` tells a regulator.

That file judges accounts; these laws look into every document, every byte and every rejection. They
are numbered on from there, and a violation is a sentence that names its law and a position.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from demo import integrity
from demo.cast import CLERKS, Citizen
from demo.integrity import Fact, instant, of_kind
from services.accounts.facts import VOCABULARY as ACCOUNTS
from services.accounts.facts import AccountRead
from services.consent.facts import VOCABULARY as CONSENT
from services.consent.facts import DataRead
from services.consent.policies import History, Known, by_version, evolve, history, in_force
from services.consent.policy import Policy
from services.consent.representatives import ADULT_FROM, AGREES_TOO_FROM, SPEAKS_FROM, age_at
from services.consent.witnesses import PAIR
from shared.canonical import digest
from shared.contracts.evidence import Passkey, PasskeySignature, Witnessing
from shared.contracts.reasons import REASONS
from shared.ledger.facts import Recorded, Vocabulary, tags_of
from shared.looks import ReadFor, named
from shared.passkeys import BadPasskey, RelyingParty
from tests.support import counter_laws
from tests.support.authenticator import ORIGIN, RP_ID

LAWS = {
    **integrity.LAWS,
    9: "the statement that is used is the one that was signed, and its event holds it",
    10: "what was signed was shown before: that text, under that code",
    11: "a receipt names the place where the consent log holds the redemption",
    12: "an account is answered once, after it was opened, and a number stands for one account",
    13: "every rejection names its reasons, all of them from the table",
    14: "tags say what the fields say, so a boundary finds every fact",
    15: "nothing personal is in either log, nor inside a signed document",
    16: "a refusal names nobody who is registered, nor does what asks for its signature",
    17: "no agreement was signed, nor passkey enrolled, with a phone of a clerk's or another's",
    18: "what a passkey signed checks from the log alone, under one enrolled and not taken away",
    19: "a passkey agrees at once, or confirms, only if it was known well before the question",
    20: "what two witnesses bear out, both signed: two enrolled then, of two sides, neither asking",
    21: "a look is recorded once an hour, of whoever may; for an own page, after it was asked for",
    22: "who agreed for another had an authority; a child agreed through one, and was asked",
    23: "at a counter: given, then photographed, then handed in, then confirmed, then used",
    24: "no picture served two cases; no clerk opened an account, nor decided on one at a bank",
    25: "what policy judged names the version that was in force",
}
"""Every law by its number; up to 8 they are those of the regulator's report."""

PARTY = RelyingParty(RP_ID, "Thuận", (ORIGIN,))
"""Whom the passkeys of the tests are made for."""

AUTHORISED = "representative.authorised.1"

JUDGED_WITHIN = timedelta(minutes=1)
"""From judging something to recording it, at most."""

PHONE_DIGITS = 9
"""The last digits of a phone number, which are the same however its beginning is written."""


def violations(
    consent: Sequence[Fact],
    accounts: Sequence[Fact],
    jwks: Mapping[str, Any],
    personal: Iterable[str],
    born: Mapping[str, date] | None = None,
) -> list[str]:
    """Return a sentence for every law that does not hold; `personal` is what nobody may find.

    `born` has dates of birth by citizen, which no log tells; who is not in it is of age.
    """
    checks = [
        _stated(consent),
        _beside(consent),
        _shown(consent),
        _placed(consent, accounts),
        _answered(accounts),
        _reasoned("consent", consent),
        _reasoned("accounts", accounts),
        _tagged("consent", consent, CONSENT),
        _tagged("accounts", accounts, ACCOUNTS),
        _private("consent", consent, list(personal)),
        _private("accounts", accounts, list(personal)),
        _unnamed(consent),
        _separate(consent),
        _by_passkey(consent),
        _known_before(consent),
        _witnessed(consent),
        _looked(consent, consent, DataRead),
        _looked(consent, accounts, AccountRead),
        _spoken(consent, born or {}),
        counter_laws.in_order(consent),
        counter_laws.by_others(consent, accounts),
        _judged(consent),
    ]
    own = [sentence for check in checks for sentence in check]
    return integrity.violations(consent, accounts, jwks) + own


def personal_data(people: Iterable[Citizen], *numbers: str) -> list[str]:
    """Return what must not be found: names, phones however written, account numbers."""
    known = list(people)
    phones = [one[-PHONE_DIGITS:] for one in (*(one.phone for one in known), *CLERKS.values())]
    return [*(one.name for one in known), *phones, *numbers]


def payload(token: str) -> dict[str, Any]:
    """Return the payload of a compact JWS, unverified."""
    part = token.split(".")[1]
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return document


def _by_consent(log: Sequence[Fact], kind: str) -> dict[str, Fact]:
    return {fact["data"]["consent_id"]: fact for fact in of_kind(log, kind)}


def _stated(consent: Sequence[Fact]) -> Iterator[str]:
    given = _by_consent(consent, "consent.given.1")
    confirmed = _by_consent(consent, "consent.confirmed.1")
    for fact in (*given.values(), *confirmed.values()):
        if fact["data"]["statement_hash"] != digest(fact["data"]["statement"]):
            yield f"law 9: the statement at {fact['position']} has another digest"
    for consent_id, fact in given.items():
        last = confirmed.get(consent_id, fact)
        if token := last["data"]["event"]:
            event, parts = payload(token), [("statement", fact), ("confirmation", last)]
            for name, signed in parts if last is not fact else parts[:1]:
                said = (signed["data"]["statement"], signed["data"]["statement_hash"])
                if (event[name], event[f"{name}_hash"]) != said:
                    yield f"law 9: the event at {last['position']} holds another {name}"
    for consent_id, used in _by_consent(consent, "consent.redeemed.1").items():
        agreed = given.get(consent_id)
        if agreed and agreed["data"]["statement_hash"] != used["data"]["statement_hash"]:
            yield f"law 9: used at {used['position']} for another statement"


def _beside(consent: Sequence[Fact]) -> Iterator[str]:
    for consent_id, fact in _by_consent(consent, "consent.given.1").items():
        named = fact["data"]["statement"].get("choices", [])
        beside = [
            (one["data"]["purpose"], one["data"]["statement_hash"])
            for one in of_kind(consent, "purpose.given.1")
            if one["data"]["consent_id"] == consent_id
        ]
        signed = fact["data"]["statement_hash"]
        if beside != [(one["purpose"], signed) for one in named if one["agreed"]]:
            yield f"law 9: beside the agreement at {fact['position']} stand other purposes"


def _shown(consent: Sequence[Fact]) -> Iterator[str]:
    served = {
        (one["data"]["consent_id"], *_text(one["data"])): one["position"]
        for one in reversed(of_kind(consent, "notice.served.1"))
    }
    asked = {one["data"]["challenge_id"]: one for one in of_kind(consent, "signature.asked.1")}
    kinds = (
        *("consent.given.1", "consent.confirmed.1", "consent.refused.1"),
        *("consent.withdrawn.1", "refusal.withdrawn.1", "purpose.withdrawn.1"),
    )
    for kind in kinds:
        for fact in of_kind(consent, kind):
            data, decision = fact["data"], kind.split(".")[1]
            code = asked.get(data["challenge_id"])
            at = served.get((data["consent_id"], *_text(data["statement"])))
            if code is None or code["data"]["statement_hash"] != data["statement_hash"]:
                yield f"law 10: decided at {fact['position']} with a code for something else"
            elif at is None or not at < code["position"] < fact["position"]:
                yield f"law 10: decided at {fact['position']} on a text not shown before"
            if data["statement"]["decision"] != decision:
                yield f"law 10: the statement at {fact['position']} is another decision"


def _text(data: Mapping[str, Any]) -> tuple[str, str, str]:
    return data["notice_id"], data["notice_lang"], data["notice_hash"]


def _placed(consent: Sequence[Fact], accounts: Sequence[Fact]) -> Iterator[str]:
    used = of_kind(consent, "consent.redeemed.1")
    places = {(one["position"], one["recorded_at"], one["data"]["redemption_id"]) for one in used}
    for opened in of_kind(accounts, "account.opened.1"):
        receipt = payload(opened["data"]["redemption_receipt"])
        place = receipt["position"], receipt["recorded_at"], opened["data"]["opening_id"]
        if place not in places:
            yield f"law 11: the receipt of the account at {opened['position']} points elsewhere"


def _answered(accounts: Sequence[Fact]) -> Iterator[str]:
    opened = {one["data"]["opening_id"]: one for one in of_kind(accounts, "account.opened.1")}
    answered, numbers = set[str](), set[str]()
    for fact in accounts:
        if fact["kind"] not in {"account.confirmed.1", "account.declined.1"}:
            continue
        opening_id, number = fact["data"]["opening_id"], fact["data"].get("account_id")
        own = opened.get(opening_id)
        if own is None or own["position"] > fact["position"]:
            yield f"law 12: answered at {fact['position']} though nothing was opened"
        if opening_id in answered or number in numbers:
            yield f"law 12: answered at {fact['position']} a second time"
        answered.add(opening_id)
        numbers |= {number} if number else set()


def _reasoned(name: str, log: Sequence[Fact]) -> Iterator[str]:
    for fact in log:
        if ".rejected." in fact["kind"]:
            reasons = fact["data"]["reasons"]
            if not reasons or not set(reasons) <= set(REASONS):
                yield f"law 13: {name} rejects at {fact['position']} for {reasons}"


def _tagged(name: str, log: Sequence[Fact], vocabulary: Vocabulary) -> Iterator[str]:
    for fact in log:
        happened = vocabulary.decode(fact["kind"], msgspec.json.encode(fact["data"]))
        if fact["tags"] != tags_of(happened):
            yield f"law 14: {name} is found otherwise at {fact['position']}"


def _private(name: str, log: Sequence[Fact], personal: Sequence[str]) -> Iterator[str]:
    for fact in log:
        documents = [payload(one) for one in fact["data"].values() if _is_token(one)]
        text = json.dumps([fact, documents], ensure_ascii=False)
        if any(one in text for one in personal):
            yield f"law 15: {name} holds something personal at {fact['position']}"


def _unnamed(consent: Sequence[Fact]) -> Iterator[str]:
    registered = [one["data"] for one in of_kind(consent, "citizen.registered.1")]
    known = {one[name] for one in registered for name in ("citizen_id", "phone_id")} - {None}
    known |= {one["data"]["authority_id"] for one in of_kind(consent, AUTHORISED)}
    for fact in consent:
        statement = fact["data"].get("statement")
        of_refusal = fact["kind"] in {"consent.refused.1", "refusal.withdrawn.1"}
        if of_refusal or (statement and statement["decision"] == "refused"):
            text = json.dumps([fact["tags"], fact["data"]])
            if any(one in text for one in known):
                yield f"law 16: the refusal at {fact['position']} names a citizen"


def _separate(consent: Sequence[Fact]) -> Iterator[str]:
    staff, own = set[tuple[str, str]](), set[tuple[str, str]]()
    sent = {
        one["data"].get("challenge_id") or one["data"]["enrolment_id"]: one
        for kind in ("signature.asked.1", "passkey.asked.1")
        for one in of_kind(consent, kind)
    }
    for fact in consent:
        data, kind = fact["data"], fact["kind"]
        if kind == "staff.phone.marked.1":
            staff.add((data["clerk_id"], data["phone_id"]))
        elif kind == "staff.phone.unmarked.1":
            staff.discard((data["clerk_id"], data["phone_id"]))
        elif kind in {"citizen.registered.1", "phone.enrolled.1"}:
            own.add((data["citizen_id"], data["phone_id"]))
        elif kind in {"consent.given.1", "consent.confirmed.1", "passkey.enrolled.1"}:
            code = sent.get(data.get("challenge_id") or data["enrolment_id"])
            phone_id = code and code["data"].get("phone_id")
            if phone_id in {one for _, one in staff}:
                yield f"law 17: agreed at {fact['position']} with a clerk's phone"
            if phone_id and (_speaker_of(data), phone_id) not in own:
                yield f"law 17: agreed at {fact['position']} with a phone that is another's"


def _by_passkey(consent: Sequence[Fact]) -> Iterator[str]:
    """Check every signature by passkey from the log alone, under what was enrolled before it."""
    enrolled = dict[str, tuple[str, Passkey]]()
    for fact in consent:
        data = fact["data"]
        if fact["kind"] == "passkey.enrolled.1":
            passkey = msgspec.convert(data["passkey"], Passkey)
            enrolled[passkey.credential_id] = data["citizen_id"], passkey
        elif fact["kind"] == "passkey.revoked.1":
            enrolled = {
                name: one for name, one in enrolled.items() if one[1].id != data["passkey_id"]
            }
        signature = (data.get("evidence") or {}).get("passkey")
        if signature and not _signed_by(
            data, msgspec.convert(signature, PasskeySignature), enrolled
        ):
            yield f"law 18: no passkey of the citizen's signed what is at {fact['position']}"


def _known_before(consent: Sequence[Fact]) -> Iterator[str]:
    """Check that no passkey that came with, or after, a question stands for its citizen alone."""
    since = {
        fact["data"]["passkey"]["credential_id"]: instant(fact["recorded_at"])
        for fact in of_kind(consent, "passkey.enrolled.1")
    }
    asked, policies = _by_consent(consent, "consent.requested.1"), by_version(_policies(consent))
    for kind in ("consent.given.1", "consent.confirmed.1"):
        for fact in of_kind(consent, kind):
            data = fact["data"]
            signature = (data["evidence"] or {}).get("passkey")
            if signature is None or (
                kind == "consent.given.1" and "waits_for" in data["statement"]
            ):
                continue
            came = instant(asked[data["consent_id"]]["data"]["asked_at"])
            policy = policies.get(data["policy_version"], Policy())
            if since.get(signature["credential_id"], came) > came - policy.settles_after:
                yield f"law 19: signed at {fact['position']} with a passkey that was too new"


def _witnessed(consent: Sequence[Fact]) -> Iterator[str]:
    """Check every pair of witnesses from the log alone, at the position where they decided."""
    invited, able = dict[str, Fact](), dict[str, tuple[Fact, Passkey]]()
    for fact in consent:
        data, kind = fact["data"], fact["kind"]
        if kind == "witness.invited.1":
            invited[data["witness_id"]] = fact
        elif kind == "witness.enrolled.1":
            passkey = msgspec.convert(data["passkey"], Passkey)
            able[data["witness_id"]] = invited[data["witness_id"]], passkey
        elif kind == "witness.ended.1":
            able.pop(data["witness_id"], None)
        elif (data.get("statement") or {}).get("grade") == "witnessed" and data.get("evidence"):
            both = msgspec.convert(data["evidence"]["witnesses"], list[Witnessing])
            if not _borne_out(data, both, able):
                yield f"law 20: no two witnesses bore out what is at {fact['position']}"


def _borne_out(
    data: Mapping[str, Any],
    both: Sequence[Witnessing],
    able: Mapping[str, tuple[Fact, Passkey]],
) -> bool:
    known = [able[one.witness_id] for one in both if one.witness_id in able]
    sides = {one["data"]["organisation_id"] for one, _ in known}
    phones = {one["data"]["phone_id"] for one, _ in known}
    statement = data["statement"]
    if sides & {statement["office_id"], statement["bank_id"]}:
        return False
    try:
        for one, (_, passkey) in zip(both, known, strict=True):
            PARTY.check_enrolment(passkey)
            says = one.statement(data["statement_hash"])
            PARTY.check(one.signature, bytes.fromhex(says.hash()), passkey)
    except (BadPasskey, ValueError):
        return False
    return len(known) == len(sides) == len(phones) == PAIR


def _looked(consent: Sequence[Fact], log: Sequence[Fact], kind: Any) -> Iterator[str]:
    """Check that each look is recorded once, under its own id, and was not a stranger's.

    `kind` is the service's own fact of a look.
    """
    known, policies = set[str](), by_version(_policies(consent))
    for fact in of_kind(log, kind.NAME):
        read = msgspec.convert(fact["data"], kind)
        if named(read) != read or read.look_id in known:
            yield f"law 21: the look at {fact['position']} is recorded otherwise, or twice"
        known.add(read.look_id)
        if not (_for_own_page(consent, read, policies) or _of_its_own(log, read)):
            yield f"law 21: what was shown at {fact['position']} was no business of {read.read_by}"


def _for_own_page(
    consent: Sequence[Fact], read: DataRead | AccountRead, policies: Mapping[int, Policy]
) -> bool:
    """Tell whether a citizen had asked for the page for which something was shown."""
    times = [
        (read.read_at - instant(fact["data"]["asked_at"]), fact["data"]["policy_version"])
        for fact in of_kind(consent, "page.asked.1")
        if fact["data"]["citizen_id"] == read.citizen_id
    ]
    asked = any(
        timedelta(0) <= one <= policies.get(by, Policy()).page_lives_for for one, by in times
    )
    return read.read_by.startswith("service:") and read.purpose is ReadFor.OWN_PAGE and asked


def _of_its_own(log: Sequence[Fact], read: DataRead | AccountRead) -> bool:
    """Tell whether it was the reader's own question or command, or the reader oversees all."""
    if read.purpose is ReadFor.OWN_PAGE:
        return False
    if read.purpose is ReadFor.WITNESSING:
        return isinstance(read, DataRead) and _named(log, read)
    role, _, own_id = read.read_by.partition(":")
    name = "opening_id" if isinstance(read, AccountRead) else "consent_id"
    of_it = [fact["data"] for fact in log if fact["data"].get(name) == getattr(read, name)]
    return role in {"regulator", "service"} or any(
        one.get(f"{role}_id") == own_id and one.get("citizen_id") == read.citizen_id
        for one in of_it
    )


def _named(log: Sequence[Fact], read: DataRead) -> bool:
    """Tell whether a witness was named for what was shown to them."""
    wanted = {"consent_id": read.consent_id, "witness_id": read.read_by.removeprefix("witness:")}
    named_for = of_kind(log, "witness.named.1")
    return any(wanted.items() <= one["data"].items() for one in named_for)


def _signed_by(
    data: Mapping[str, Any],
    signature: PasskeySignature,
    enrolled: Mapping[str, tuple[str, Passkey]],
) -> bool:
    owner, passkey = enrolled.get(signature.credential_id, ("", None))
    try:
        if passkey:
            PARTY.check_enrolment(passkey)
        PARTY.check(signature, bytes.fromhex(data["statement_hash"]), passkey)
    except BadPasskey:
        return False
    return passkey is not None and owner == _speaker_of(data)


def _speaker_of(data: Mapping[str, Any]) -> str:
    """Return who said what a fact is about: the citizen, or whoever speaks for them."""
    speaker: str = data.get("statement", {}).get("expressed_by", data["citizen_id"])
    return speaker


def _spoken(consent: Sequence[Fact], born: Mapping[str, date]) -> Iterator[str]:
    """Check for every agreement that whoever made it might, at the position where it lies.

    The times of an authority are personal, and in no log: only that it was given and not ended is.
    """
    held = dict[str, Mapping[str, Any]]()
    for fact in consent:
        data, kind = fact["data"], fact["kind"]
        if kind == AUTHORISED:
            held[data["authority_id"]] = data
        elif kind == "representative.ended.1":
            held.pop(data["authority_id"], None)
        elif kind in {"consent.given.1", "consent.confirmed.1"}:
            live = [one for one in held.values() if one["citizen_id"] == data["citizen_id"]]
            day, at = born.get(data["citizen_id"]), instant(fact["recorded_at"])
            if not _rightly(data["statement"], live, age_at(day, at) if day else ADULT_FROM):
                yield f"law 22: nobody who might agreed at {fact['position']}"


def _rightly(statement: Mapping[str, Any], live: Sequence[Mapping[str, Any]], years: int) -> bool:
    """Tell whether an agreement is of whoever may speak for a citizen of so many years."""
    child = years < SPEAKS_FROM
    if "expressed_by" not in statement:
        return not child
    named = (statement["authority_id"], statement["expressed_by"])
    asked_too = child and years >= AGREES_TOO_FROM
    return (
        named in [(one["authority_id"], one["representative_id"]) for one in live]
        and statement["channel"] == "counter"
        and (not asked_too or statement.get("subject_agrees") is True)
    )


def _is_token(value: object) -> bool:
    return isinstance(value, str) and value.startswith("eyJ") and value.count(".") == 2


def _policies(consent: Sequence[Fact]) -> History:
    """Return the policies that a log sets, with their starts."""
    known = Known()
    for fact in of_kind(consent, "policy.set.1"):
        happened = CONSENT.decode(fact["kind"], msgspec.json.encode(fact["data"]))
        known = evolve(known, Recorded(fact["position"], instant(fact["recorded_at"]), happened))
    return history(known)


def _judged(consent: Sequence[Fact]) -> Iterator[str]:
    """Check the version that each fact names against those that held when it was judged."""
    dated = _policies(consent)
    for fact in consent:
        data, at = fact["data"], instant(fact["recorded_at"])
        times = [at - JUDGED_WITHIN, at]
        if "asked_at" in data:
            times = [instant(data["asked_at"])]
        held = {in_force(dated, one).version for one in times}
        if data.get("policy_version") not in {None, *held}:
            yield f"law 25: judged at {fact['position']} by a policy that was not in force"
