"""What proves that a citizen, and not a clerk, made a statement; facts and exports embed it whole.

Everything that a check needs is inside, as the device gave it: `shared/passkeys.py` verifies it
from these bytes alone, without a network, years later. Binary members are base64url text without
padding (RFC 4648 section 5), so that the evidence lives in canonical JSON unchanged. Nothing here
is secret.
"""

import hashlib
from dataclasses import dataclass, field

from shared.canonical import digest
from shared.contracts.consent import Grade

WITNESS_STATEMENT = "thuan-witness+jcs;v=1"
"""`typ` of what a witness signs: it can never be taken for a citizen's own statement."""


def passkey_id(credential_id: str) -> str:
    """Return the name by which facts and tags know a credential: 32 hexadecimal digits."""
    return hashlib.sha256(credential_id.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Passkey:
    """A passkey as it was enrolled, with the bytes that the enrolment can be checked from again.

    `public_key` is a COSE key (RFC 9052) and `algorithm` its COSE number; `sign_count` is what the
    device had counted at enrolment, 0 for passkeys that are synced. `transports` are hints for a
    browser and unsigned; `challenge` is what the device was asked to answer.
    """

    credential_id: str
    public_key: str
    algorithm: int
    sign_count: int
    aaguid: str
    backup_eligible: bool
    backed_up: bool
    transports: list[str]
    rp_id: str
    origin: str
    client_data_json: str
    attestation_object: str
    challenge: str

    @property
    def id(self) -> str:
        """Return a short name of the credential id, which may be long: 32 hexadecimal digits."""
        return passkey_id(self.credential_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class PasskeySignature:
    """A signature over a 32-byte digest by a passkey (WebAuthn Level 3 section 6.3.3).

    The signed bytes are `authenticator_data` and the SHA-256 of `client_data_json`, which holds
    the digest. `public_key` and `algorithm` are the enrolled passkey's, never the caller's; the
    members after `signature` say in the clear what those bytes say.
    """

    credential_id: str
    public_key: str
    algorithm: int
    authenticator_data: str
    client_data_json: str
    signature: str
    rp_id: str
    origin: str
    sign_count: int
    backed_up: bool
    backup_eligible: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class WitnessStatement:
    """What one witness says of one statement of a citizen; signed by its digest.

    `statement_hash` is the citizen's statement's, and `scan_hash` the SHA-256 of the scanned paper
    (64 hexadecimal digits), or None where there was no paper.
    """

    typ: str
    statement_hash: str
    witness_id: str
    scan_hash: str | None

    def hash(self) -> str:
        """Return the SHA-256 of the canonical bytes, hexadecimal: what the witness signs."""
        return digest(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Witnessing:
    """One witness's signature, with what is needed to make anew what was signed."""

    witness_id: str
    signature: PasskeySignature
    scan_hash: str | None

    def statement(self, statement_hash: str) -> WitnessStatement:
        """Return what this witness must have signed to bear out the citizen's statement."""
        return WitnessStatement(
            typ=WITNESS_STATEMENT,
            statement_hash=statement_hash,
            witness_id=self.witness_id,
            scan_hash=self.scan_hash,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeMatch:
    """That the code of a challenge came back from the citizen's phone; never the code."""

    challenge_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """How a statement was signed: the member that its grade asks for, and no other.

    `passkey` for `key_uv`, `code` for `otp`, two `witnesses` for `witnessed`.
    """

    grade: Grade
    passkey: PasskeySignature | None = None
    witnesses: list[Witnessing] = field(default_factory=list)
    code: CodeMatch | None = None

    @property
    def complete(self) -> bool:
        """Tell whether it holds what its grade asks for and nothing else."""
        held = (self.passkey is not None, self.code is not None, len(self.witnesses))
        return held == HELD[self.grade]


HELD = {
    Grade.KEY_UV: (True, False, 0),
    Grade.OTP: (False, True, 0),
    Grade.WITNESSED: (False, False, 2),
}
"""What evidence of a grade holds: a passkey's signature, a code's answer, how many witnesses."""
