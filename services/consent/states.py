"""What this log is about, and the rules' own folding of each: what can be asked of any moment.

The service tells the digest of all these states at a position; whoever has the log folds it anew
and must come to the same (`shared/ledger/states.py`).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs

from services.consent import consents, gate, phones, suspensions, witnesses
from services.consent.consents import Consent, Passkeys
from services.consent.directory import Entry
from services.consent.facts import (
    BankRegistered,
    ClerkRegistered,
    LiftingProposed,
    OfficeRegistered,
    PolicyProposed,
    PolicySet,
    ProductOffered,
    RepresentativeAuthorised,
    RepresentativeEnded,
    RightGranted,
    SiteRegistered,
    StaffPasskeyMarked,
    StaffPhoneMarked,
    StaffPhoneUnmarked,
    SuspensionLifted,
    SuspensionOrdered,
)
from services.consent.gate import Gate
from services.consent.phones import Phones
from services.consent.suspensions import Suspension
from services.consent.witnesses import Witnesses
from shared import claims
from shared.claims import RequestClaimed
from shared.hearing import webhooks
from shared.hearing.facts import (
    CHANGING,
    WebhookKeyRenewed,
    WebhookRegistered,
    WebhookRemoved,
)
from shared.hearing.webhooks import Webhooks
from shared.ledger.facts import Recorded
from shared.ledger.states import Noun, Nouns

OF_GATE = frozenset({RightGranted, SuspensionOrdered, SuspensionLifted})
"""What opens and closes the gate for whoever it names."""


class Place(Struct, frozen=True):
    """A bank, an office, a clerk or a site: its line in the directory, its rights, its stops.

    Products and webhooks are the bank's; phones and passkeys those that are the clerk's own.
    """

    entry: Entry | None = None
    gate: Gate = msgspec.field(default_factory=Gate)
    products: Mapping[str, ProductOffered] = msgspec.field(default_factory=dict)
    staff_phones: frozenset[str] = frozenset()
    staff_passkeys: frozenset[str] = frozenset()
    webhooks: Webhooks = msgspec.field(default_factory=Webhooks)


def _placed(place: Place, recorded: Recorded) -> Place:
    match recorded.fact:
        case ProductOffered() as fact:
            return structs.replace(place, products={**place.products, fact.product_id: fact})
        case StaffPhoneMarked(phone_id=phone_id):
            return structs.replace(place, staff_phones=place.staff_phones | {phone_id})
        case StaffPhoneUnmarked(phone_id=phone_id):
            return structs.replace(place, staff_phones=place.staff_phones - {phone_id})
        case StaffPasskeyMarked(passkey_id=passkey_id):
            return structs.replace(place, staff_passkeys=place.staff_passkeys | {passkey_id})
        case RightGranted() | SuspensionOrdered() | SuspensionLifted():
            return structs.replace(place, gate=gate.evolve(place.gate, recorded))
        case WebhookRegistered() | WebhookKeyRenewed() | WebhookRemoved():
            told = webhooks.evolve(place.webhooks, recorded)
            return structs.replace(place, webhooks=told)
        case entry:
            return structs.replace(place, entry=entry)


class Citizen(Struct, frozen=True):
    """A citizen by a random id: phones by their marks, passkeys, who speaks, what is stopped.

    The times of an authority are personal, and not here; one that has ended is.
    """

    phones: Phones = msgspec.field(default_factory=Phones)
    passkeys: Passkeys = msgspec.field(default_factory=dict)
    authorities: Mapping[str, RepresentativeAuthorised] = msgspec.field(default_factory=dict)
    ended: Mapping[str, RepresentativeEnded] = msgspec.field(default_factory=dict)
    gate: Gate = msgspec.field(default_factory=Gate)


def _lived(citizen: Citizen, recorded: Recorded) -> Citizen:
    match recorded.fact:
        case RepresentativeAuthorised() as fact:
            return structs.replace(
                citizen, authorities={**citizen.authorities, fact.authority_id: fact}
            )
        case RepresentativeEnded() as fact:
            return structs.replace(citizen, ended={**citizen.ended, fact.authority_id: fact})
        case SuspensionOrdered() | SuspensionLifted():
            return structs.replace(citizen, gate=gate.evolve(citizen.gate, recorded))
        case fact if isinstance(fact, phones.KINDS):
            return structs.replace(citizen, phones=phones.evolve(citizen.phones, recorded))
        case _:
            return structs.replace(citizen, passkeys=consents.held(citizen.passkeys, recorded))


def _ruled(said: tuple[Recorded, ...], recorded: Recorded) -> tuple[Recorded, ...]:
    """Return what was proposed and set, in order."""
    return (*said, recorded)


def _place(name: str, *kinds: type[Any]) -> Noun:
    return Noun(name, OF_GATE | set(kinds), Place(), _placed)


OF_CITIZENS = {
    *phones.KINDS,
    *consents.PASSKEY_KINDS,
    *(RepresentativeAuthorised, RepresentativeEnded, SuspensionOrdered, SuspensionLifted),
}

NOUNS = Nouns(
    [
        Noun("consent", frozenset(consents.KINDS), Consent(), consents.evolve),
        Noun("citizen", frozenset(OF_CITIZENS), Citizen(), _lived),
        _place("bank", BankRegistered, ProductOffered, *CHANGING),
        _place("office", OfficeRegistered),
        _place("site", SiteRegistered),
        _place("clerk", ClerkRegistered, StaffPhoneMarked, StaffPhoneUnmarked, StaffPasskeyMarked),
        Noun(
            "suspension",
            frozenset({SuspensionOrdered, LiftingProposed, SuspensionLifted}),
            Suspension(),
            suspensions.evolve,
        ),
        Noun("witness", frozenset(witnesses.OF_WITNESSES), Witnesses(), witnesses.evolve),
        Noun("policy", frozenset({PolicyProposed, PolicySet}), (), _ruled),
        Noun("request", frozenset({RequestClaimed}), None, claims.evolve),
    ]
)
"""Everything that has a state in this log; what was rejected changes none."""
