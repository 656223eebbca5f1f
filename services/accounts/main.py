"""Puts the accounts service together: the one file that knows every part."""

import httpx
from fastapi import FastAPI

from services.accounts.api import commands as command_routes
from services.accounts.api import comparisons as comparison_routes
from services.accounts.api import looks as look_routes
from services.accounts.api import openings as opening_routes
from services.accounts.api import reconciliations as reconciliation_routes
from services.accounts.api import stops as stop_routes
from services.accounts.application import Openings, Parts
from services.accounts.comparing import Comparing
from services.accounts.consents import LIMITS, TIMEOUT, HttpConsents
from services.accounts.events import EVENTS
from services.accounts.facts import VOCABULARY
from services.accounts.reconciling import Reconciling
from services.accounts.reports import Reports
from services.accounts.settings import Settings
from services.accounts.states import NOUNS
from shared import live_states, rejection_routes, signed_answers, token_routes
from shared.authority import Authority, create_authority
from shared.clock import Clock, choose_clock
from shared.hearing.assembly import Hearing, create_hearing
from shared.in_flight import InFlight
from shared.ledger import stores
from shared.ledger.log import Log
from shared.ledger.seal import Seal, create_seal
from shared.live_states import LiveStates
from shared.marks import Marks, create_marks
from shared.rejections import Rejections
from shared.service_tokens import Access, Bearer, Other, create_client
from shared.signed_answers import Answers, create_answer_keys
from shared.web import Tokens, add_routes, create_web_app

NAME = "accounts"
"""Who we are, as facts and other services name us."""


def create_app(settings: Settings, client: httpx.AsyncClient | None = None) -> FastAPI:
    """Return the service, ready to serve; `init` made its folder before.

    `client` reaches the consent service; by default over the network at `consent_url`.
    """
    now = choose_clock(sandbox=settings.sandbox, file=settings.clock_file)
    client = client or httpx.AsyncClient(
        base_url=settings.consent_url, timeout=TIMEOUT, limits=LIMITS
    )
    parts = Parts(
        log=Log(stores.open_recorder(settings.ledger_address, now), VOCABULARY),
        consents=HttpConsents(client, _access(settings, client, now), now),
        marks=Marks.of(settings.folder),
        issuer=settings.consent_issuer,
        now=now,
    )

    authority = Authority(
        settings.public_url,
        settings.folder,
        settings.clients,
        now,
        certificates=bool(settings.client_certificates),
    )

    hearing = Hearing(
        parts.log,
        EVENTS,
        settings.public_url,
        settings.folder,
        now,
        private=settings.webhooks_private,
    )

    async def close() -> None:
        authority.close()
        hearing.close()
        parts.log.close()
        await parts.consents.close()

    app = create_web_app(
        name=NAME,
        title="Thuận accounts",
        summary="Opens an account only with the citizen's own signed consent.",
        tokens=Tokens.from_file(settings.tokens),
        log=parts.log,
        seal=Seal(parts.log.recorder, settings.folder, now, settings.policy),
        now=now,
        close=close,
        background=[hearing.run],
        prover=authority,
        requests_per_minute=settings.requests_per_minute,
        public_url=settings.public_url,
    )
    answers = Answers(settings.public_url, settings.folder, now)
    app.state.answers = answers
    app.state.in_flight = InFlight(settings.folder)
    openings = Openings(parts)
    add_routes(
        app,
        token_routes.routes(authority),
        signed_answers.routes(answers),
        command_routes.routes(openings),
        stop_routes.routes(openings),
        opening_routes.routes(openings),
        comparison_routes.routes(Comparing(parts.log, now)),
        look_routes.routes(openings),
        reconciliation_routes.routes(
            Reconciling(parts.log, parts.marks, settings.folder), Reports(parts.log)
        ),
        rejection_routes.routes(Rejections(parts.log, VOCABULARY)),
        live_states.routes(LiveStates(parts.log, VOCABULARY, NOUNS)),
    )
    hearing.add_to(app)
    return app


def _access(settings: Settings, http: httpx.AsyncClient, now: Clock) -> httpx.Auth:
    """Return how we say to the consent service who we are."""
    if not settings.consent_client_id:
        return Bearer(settings.own_token())
    other = Other(url=settings.consent_url, public_url=settings.consent_public_url)
    return Access(settings.consent_client_id, settings.folder, other, http, now)


def init(settings: Settings) -> None:
    """Make schema and keys where missing, and a key to follow one that ends soon."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stores.create_schema(settings.ledger_address)
    create_seal(settings.folder, settings.log_origin)
    create_marks(settings.folder)
    now = choose_clock(sandbox=settings.sandbox, file=settings.clock_file)
    create_authority(settings.folder, now)
    create_answer_keys(settings.folder, now)
    create_hearing(settings.folder)
    create_client(settings.folder, settings.consent_client_id or NAME, NAME, now)


def from_env() -> FastAPI:
    """Return the service as the environment sets it."""
    return create_app(Settings())
