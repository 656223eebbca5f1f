"""What an operator sets, from the environment, each name with the prefix `CONSENT_`."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.rates import REQUESTS_PER_MINUTE


class Settings(BaseSettings):
    """The consent service's settings; nobody may call until `tokens` names a file."""

    model_config = SettingsConfigDict(env_prefix="CONSENT_", extra="ignore", frozen=True)

    folder: Path = Path(".data/consent")
    """Where keys lie, and the log unless `ledger` says otherwise."""

    ledger: str = ""
    """The log's store, `sqlite:///file` or `postgresql://…?schema=name`; empty: in `folder`."""

    eraser: str = ""
    """The log's store as the role that may remove what is erased; empty: as `ledger` says."""

    wrapping_key: str = ""
    """What citizens' keys are wrapped with: `pkcs11:…` (RFC 7512); empty: a file in `folder`."""

    log_origin: str = "localhost/consent"
    """The name that checkpoints of the log bear for ever; taken by the first `init`."""

    policy: Path | None = None
    """A policy file (C2SP tlog-policy): the witnesses to ask, and how many are enough."""

    tokens: Path | None = None
    """A JSON file of accepted bearer tokens, as SHA-256, with their roles."""

    clients: Path | None = None
    """A JSON file of clients that get tokens bound to their keys; none: nobody gets one."""

    public_url: str = "http://localhost:8001"
    """The address that citizens' links begin with, and at which banks reach us."""

    passkey_domain: str = "localhost"
    """The domain that passkeys are made for (RP id), such as `thuan.example`; never changed."""

    passkey_origins: tuple[str, ...] = ()
    """Pages and apps that may ask for a passkey, as JSON; empty: `public_url` alone."""

    proxies: str = "127.0.0.1"
    """Addresses or networks of the proxies that say, in `X-Forwarded-For`, where a request is from;
    by a clerk's address and a citizen's the service tells whether they are in one place."""

    issuer: str = "consent"
    """The name under which consent events are signed (`iss`)."""

    sms_url: str = ""
    """The SMS gateway; empty is allowed in a sandbox only, where an outbox takes its place."""

    accounts_url: str = ""
    """Where the accounts service answers, to be told of stops; empty: it is told of none."""

    accounts_public_url: str = ""
    """What the accounts service is called by its clients (its `ACCOUNTS_PUBLIC_URL`), which is
    what we sign for; empty: as `accounts_url`."""

    accounts_client_id: str = ""
    """Our client at the accounts service, whose keys `init` makes; empty: a bearer token."""

    accounts_token: SecretStr = SecretStr("")
    """Our own bearer token at the accounts service, unless we are a client; or
    `accounts_token_file`."""

    accounts_token_file: Path | None = None
    """A file that holds our own bearer token."""

    requests_per_minute: int = Field(default=REQUESTS_PER_MINUTE, ge=1)
    """How often each caller may ask one process; whoever asks more often is told when to go on."""

    webhooks_private: bool = False
    """Whether webhooks may lie at private addresses, any port, and without TLS."""

    client_certificates: str = ""
    """The header in which `proxies`, and nobody else, hand over a client's certificate; empty: it
    is looked for in none, and tokens are bound by DPoP alone."""

    sandbox: bool = False
    """For demonstrations: outbox, and a clock that `clock_file` moves. Never with real people."""

    clock_file: Path | None = None
    """Holds the seconds by which a sandbox's clock is moved."""

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the pages and apps that may ask for a passkey."""
        return self.passkey_origins or (self.public_url.rstrip("/"),)

    @property
    def ledger_address(self) -> str:
        """Return the address of the log's store."""
        return self.ledger or f"sqlite:///{self.folder / 'ledger.db'}"

    def own_token(self) -> str:
        """Return our bearer token at the accounts service, from its file if there is one."""
        if self.accounts_token_file:
            return self.accounts_token_file.read_text(encoding="ascii").strip()
        return self.accounts_token.get_secret_value()
