"""Puts the consent service together: the one file that knows every part."""

from collections.abc import Iterator
from functools import partial

import httpx
from fastapi import APIRouter, FastAPI

from services.consent.accounts import STOP_TIMEOUT_S, HttpAccounts
from services.consent.api import consents as consent_routes
from services.consent.api import directory as directory_routes
from services.consent.api import looks as look_routes
from services.consent.api import notices as notice_routes
from services.consent.api import phones as phone_routes
from services.consent.api import policies as policy_routes
from services.consent.api import receipts as receipt_routes
from services.consent.api import redemptions as redemption_routes
from services.consent.api import representatives as representative_routes
from services.consent.api import rights as right_routes
from services.consent.api import submissions as submission_routes
from services.consent.api import suspensions as suspension_routes
from services.consent.api import witnesses as witness_routes
from services.consent.application.asking import Asking
from services.consent.application.comparing import Comparing
from services.consent.application.deciding import Deciding
from services.consent.application.enrolling import Enrolling
from services.consent.application.gathering import Gathering
from services.consent.application.governing import Governing
from services.consent.application.listing import Listing
from services.consent.application.looking import Looking
from services.consent.application.parts import Parts
from services.consent.application.passkeys import Passkeys
from services.consent.application.policies import Policies
from services.consent.application.receipting import Receipting
from services.consent.application.registering import Registering
from services.consent.application.representing import Representing
from services.consent.application.stopping import Stopping
from services.consent.application.submitting import Submitting
from services.consent.application.suspending import Suspending
from services.consent.application.witnessing import Witnessing
from services.consent.codes import Codes, create_code_key
from services.consent.events import EVENTS
from services.consent.facts import VOCABULARY
from services.consent.notices import Notices
from services.consent.pages import citizen as citizen_pages
from services.consent.pages import own as own_pages
from services.consent.pages import passkeys as passkey_pages
from services.consent.pages import phones as phone_pages
from services.consent.pages import receipts as receipt_pages
from services.consent.pages import sandbox as sandbox_pages
from services.consent.pages import suspending as suspending_pages
from services.consent.pages import witnesses as witness_pages
from services.consent.pages.guarding import Guarding
from services.consent.settings import Settings
from services.consent.sms import HttpGateway, Outbox, SmsGateway
from services.consent.states import NOUNS
from services.consent.views import read_host
from shared import live_states, rejection_routes, token_routes
from shared.authority import Authority, create_authority
from shared.clock import Clock, choose_clock
from shared.hearing.assembly import Hearing, create_hearing
from shared.in_flight import InFlight
from shared.ledger import stores
from shared.ledger.erasure import Erasure
from shared.ledger.log import Log
from shared.ledger.personal import Personal
from shared.ledger.recorder import Recorder
from shared.ledger.seal import Seal, create_seal, log_origin
from shared.ledger.subject_keys import create_subject_keys, open_subject_keys
from shared.live_states import LiveStates
from shared.marks import Marks, create_marks
from shared.passkeys import RelyingParty
from shared.rejections import Rejections
from shared.service_tokens import Access, Bearer, Other, create_client
from shared.signing import Signer, load_keys, renew_keys
from shared.web import Tokens, add_routes, create_web_app

NAME = "consent"
"""Who we are, as facts and other services name us."""


class NotForPeople(Exception):
    """The settings would send codes to an outbox instead of to people's phones."""


def create_app(settings: Settings, accounts: httpx.AsyncClient | None = None) -> FastAPI:
    """Return the service, ready to serve; `init` made its folder before.

    `accounts` reaches the accounts service; by default over the network at `accounts_url`.
    """
    return _app(settings, create_parts(settings, accounts))


def create_parts(settings: Settings, accounts: httpx.AsyncClient | None = None) -> Parts:
    """Return everything that the service is made of, open and ready."""
    now = choose_clock(sandbox=settings.sandbox, file=settings.clock_file)
    recorder = stores.open_recorder(settings.ledger_address, now)
    keys = open_subject_keys(settings.folder, settings.wrapping_key)
    erasure = Erasure(keys, _eraser(settings, recorder, now))
    erasure.again(VOCABULARY)
    log = Log(recorder, VOCABULARY, Personal(log_origin(settings.folder), keys))
    return Parts(
        log=log,
        signer=Signer(settings.issuer, load_keys(settings.folder / "keys")),
        codes=Codes((settings.folder / "codes.key").read_bytes()),
        marks=Marks.of(settings.folder),
        keys=keys,
        erasure=erasure,
        sms=_gateway(settings),
        accounts=_accounts(settings, accounts, now),
        notices=Notices(),
        policies=Policies(log, now),
        party=RelyingParty(settings.passkey_domain, "Thuận", settings.origins),
        now=now,
        public_url=settings.public_url.rstrip("/"),
    )


def _accounts(settings: Settings, http: httpx.AsyncClient | None, now: Clock) -> HttpAccounts:
    """Return the accounts service, and how we say there who we are."""
    http = http or httpx.AsyncClient(timeout=STOP_TIMEOUT_S)
    access: httpx.Auth | None = None
    if settings.accounts_client_id:
        other = Other(url=settings.accounts_url, public_url=settings.accounts_public_url)
        access = Access(settings.accounts_client_id, settings.folder, other, http, now)
    elif token := settings.own_token():
        access = Bearer(token)
    return HttpAccounts(settings.accounts_url, http, access)


def init(settings: Settings) -> None:
    """Make schema and keys where missing, and a key to follow one that ends soon."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stores.create_schema(settings.ledger_address)
    create_seal(settings.folder, settings.log_origin)
    create_subject_keys(settings.folder, settings.wrapping_key)
    create_code_key(settings.folder / "codes.key")
    create_marks(settings.folder)
    now = choose_clock(sandbox=settings.sandbox, file=settings.clock_file)
    renew_keys(settings.folder / "keys", now())
    create_authority(settings.folder, now)
    create_hearing(settings.folder)
    create_client(settings.folder, settings.accounts_client_id or NAME, NAME, now)


def from_env() -> FastAPI:
    """Return the service as the environment sets it."""
    return create_app(Settings())


def _app(settings: Settings, parts: Parts) -> FastAPI:
    stopping = Stopping(parts)
    authority = Authority(
        settings.public_url,
        settings.folder,
        settings.clients,
        parts.now,
        certificates=bool(settings.client_certificates),
    )

    hearing = Hearing(
        parts.log,
        EVENTS,
        settings.public_url,
        settings.folder,
        parts.now,
        private=settings.webhooks_private,
    )

    async def close() -> None:
        authority.close()
        hearing.close()
        parts.log.close()
        parts.erasure.close()
        await parts.sms.close()
        await parts.accounts.close()

    seal = Seal(parts.log.recorder, settings.folder, parts.now, settings.policy)
    app = create_web_app(
        name=NAME,
        title="Thuận consent",
        summary="What a citizen decided, signed, and its single use.",
        tokens=Tokens.from_file(settings.tokens),
        log=parts.log,
        seal=seal,
        now=parts.now,
        close=close,
        background=[stopping.run, hearing.run],
        prover=authority,
        requests_per_minute=settings.requests_per_minute,
        public_url=parts.public_url,
    )
    app.state.parts = parts
    app.state.in_flight = InFlight(settings.folder)
    deciding, receipting = Deciding(parts), Receipting(parts, seal)
    add_routes(
        app,
        token_routes.routes(authority),
        *_machine_routes(parts, stopping, receipting),
        *_pages(parts, deciding, stopping, receipting, sandbox=settings.sandbox),
    )
    hearing.add_to(app)
    # Outside all of the framework, which answers a body that is too large before any middleware.
    app.middleware_stack = Guarding(
        app.build_middleware_stack(), own=deciding.consent_id, sandbox=settings.sandbox
    )
    return app


def _machine_routes(
    parts: Parts, stopping: Stopping, receipting: Receipting
) -> Iterator[APIRouter]:
    directory, asking, looking = Registering(parts), Asking(parts), Looking(parts)
    yield directory_routes.routes(directory, Passkeys(parts))
    yield right_routes.routes(directory)
    yield suspension_routes.routes(Suspending(parts))
    yield policy_routes.routes(Governing(parts))
    yield phone_routes.routes(Enrolling(parts), directory)
    yield representative_routes.routes(Representing(parts))
    yield witness_routes.routes(Witnessing(parts, Deciding(parts)))
    yield consent_routes.routes(asking, looking, parts.policies, parts.now)
    yield redemption_routes.routes(asking, parts.now)
    yield submission_routes.routes(Submitting(parts))
    yield consent_routes.key_routes(parts.signer)
    yield look_routes.routes(looking)
    yield notice_routes.routes(parts.notices)
    yield consent_routes.comparison_routes(Comparing(parts, looking))
    yield consent_routes.invalidation_routes(stopping, looking)
    yield receipt_routes.routes(asking, receipting, Listing(parts), looking)
    rejections = Rejections(parts.log, VOCABULARY)
    yield rejection_routes.routes(rejections, partial(read_host, parts.log))
    yield live_states.routes(LiveStates(parts.log, VOCABULARY, NOUNS))


def _pages(
    parts: Parts, deciding: Deciding, stopping: Stopping, receipting: Receipting, *, sandbox: bool
) -> Iterator[APIRouter]:
    gathering, suspending = Gathering(parts), Suspending(parts)
    yield citizen_pages.routes(deciding, stopping, sandbox=sandbox)
    yield passkey_pages.routes(deciding, Passkeys(parts), sandbox=sandbox)
    yield receipt_pages.routes(deciding, receipting, sandbox=sandbox)
    yield phone_pages.routes(Enrolling(parts), sandbox=sandbox)
    yield witness_pages.routes(Witnessing(parts, deciding), sandbox=sandbox)
    yield own_pages.routes(gathering, suspending, sandbox=sandbox)
    yield suspending_pages.routes(gathering, suspending, sandbox=sandbox)
    if isinstance(parts.sms, Outbox):
        yield sandbox_pages.routes(parts.sms)


def _eraser(settings: Settings, recorder: Recorder, now: Clock) -> Recorder:
    """Return the store as the role that may remove personal parts."""
    return stores.open_recorder(settings.eraser, now) if settings.eraser else recorder


def _gateway(settings: Settings) -> SmsGateway:
    if settings.sms_url:
        return HttpGateway(settings.sms_url)
    if settings.sandbox:
        return Outbox()
    raise NotForPeople("set CONSENT_SMS_URL, or CONSENT_SANDBOX=true to only try it out")
