"""What an operator sets, from the environment, each name with the prefix `ACCOUNTS_`."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.rates import REQUESTS_PER_MINUTE


class Settings(BaseSettings):
    """The accounts service's settings; nobody may call until `tokens` names a file."""

    model_config = SettingsConfigDict(env_prefix="ACCOUNTS_", extra="ignore", frozen=True)

    folder: Path = Path(".data/accounts")
    """Where keys lie, and the log unless `ledger` says otherwise."""

    ledger: str = ""
    """The log's store, `sqlite:///file` or `postgresql://…?schema=name`; empty: in `folder`."""

    log_origin: str = "localhost/accounts"
    """The name that checkpoints of the log bear for ever; taken by the first `init`."""

    policy: Path | None = None
    """A policy file (C2SP tlog-policy): the witnesses to ask, and how many are enough."""

    tokens: Path | None = None
    """A JSON file of accepted bearer tokens, as SHA-256, with their roles."""

    clients: Path | None = None
    """A JSON file of clients that get tokens bound to their keys; none: nobody gets one."""

    public_url: str = "http://localhost:8002"
    """The address at which banks reach us: who signs our access tokens, and what for (`htu`)."""

    consent_url: str = "http://localhost:8001"
    """Where the consent service answers."""

    consent_public_url: str = ""
    """What the consent service is called by its clients (its `CONSENT_PUBLIC_URL`), which is what
    we sign for; empty: as `consent_url`."""

    consent_issuer: str = "consent"
    """The name under which consent events must be signed (`iss`)."""

    consent_client_id: str = ""
    """Our client at the consent service, whose keys `init` makes; empty: a bearer token."""

    consent_token: SecretStr = SecretStr("")
    """Our own bearer token at the consent service, unless we are a client; or
    `consent_token_file`."""

    consent_token_file: Path | None = None
    """A file that holds our own bearer token."""

    proxies: str = "127.0.0.1"
    """Addresses or networks of the proxies that say, in `X-Forwarded-For`, where a request is from;
    with commas. A bank's command from the network of a counter opens nothing."""

    requests_per_minute: int = Field(default=REQUESTS_PER_MINUTE, ge=1)
    """How often each caller may ask one process; whoever asks more often is told when to go on."""

    webhooks_private: bool = False
    """Whether webhooks may lie at private addresses, any port, and without TLS."""

    client_certificates: str = ""
    """The header in which `proxies`, and nobody else, hand over a client's certificate; empty: it
    is looked for in none, and tokens are bound by DPoP alone."""

    sandbox: bool = False
    """For demonstrations: a clock that `clock_file` moves. Never with real people."""

    clock_file: Path | None = None
    """Holds the seconds by which a sandbox's clock is moved."""

    @property
    def ledger_address(self) -> str:
        """Return the address of the log's store."""
        return self.ledger or f"sqlite:///{self.folder / 'ledger.db'}"

    def own_token(self) -> str:
        """Return our bearer token, from its file if there is one."""
        if self.consent_token_file:
            return self.consent_token_file.read_text(encoding="ascii").strip()
        return self.consent_token.get_secret_value()
