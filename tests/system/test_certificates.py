"""A token bound to a client's certificate is worth something with it, by a proxy of ours, alone."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from demo.cast import make_tokens
from demo.services import Service, a_port
from services.accounts import main as accounts_main
from services.accounts.settings import Settings as AccountsSettings
from shared.clock import system_clock
from shared.oauth.certificates import certificate_thumbprint
from shared.proxies import CERTIFICATE, Certificates
from shared.signing import BadToken
from tests.support.clients import BankClient, register
from tests.support.world import Running, World, a_running_world

HEADER = "X-Client-Certificate"
PROXY, STRANGER = "10.0.0.7", "192.0.2.9"
PROXIES = "10.0.0.0/29, proxy.example, *"

BANK = BankClient()
OTHER = BankClient("truong-son-1", "truong-son", OKPKey.generate_key("Ed25519"))

RFC_8705_PEM = """-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
"""


def a_certificate() -> x509.Certificate:
    """Return a certificate that its own key signed, as a bank may make one for this alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "so-viet")])
    since = datetime(2023, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(since).not_valid_after(since + timedelta(days=900))
    return builder.sign(key, SHA256())


def as_nginx(certificate: x509.Certificate) -> str:
    """Return `$ssl_client_escaped_cert`."""
    return quote(certificate.public_bytes(Encoding.PEM), safe="")


def as_rfc_9440(certificate: x509.Certificate) -> str:
    """Return a `Client-Cert`."""
    return f":{base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()}:"


def thumbprint(certificate: x509.Certificate) -> str:
    """Return the `x5t#S256`, counted apart from the code that is tried."""
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


OWN, ANOTHER = a_certificate(), a_certificate()


@dataclass
class Shown:
    """A bank's way to accounts: from which address, with which certificates in the header."""

    world: World
    headers: list[str] = field(default_factory=lambda: [as_nginx(OWN)])
    peer: str = PROXY
    client: BankClient = field(default_factory=lambda: BANK)

    async def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request as it arrives at the service."""
        app = Certificates(self.world.accounts_app, HEADER, PROXIES)
        transport = httpx.ASGITransport(app, client=(self.peer, 1))
        headers = [*more.pop("headers", {}).items(), *((HEADER, one) for one in self.headers)]
        async with httpx.AsyncClient(transport=transport, base_url="http://accounts") as client:
            return await client.request(method, path, headers=headers, **more)

    async def ask(self, **headers: str) -> httpx.Response:
        """Ask for a token, without a proof unless one is given."""
        form = self.client.form("http://accounts", self.world.clock())
        return await self.send("POST", "/oauth/token", data=form, headers=headers)

    async def token(self) -> str:
        """Return a token that is bound to the certificate."""
        answer = await self.ask()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def read(self, authorization: str, **headers: str) -> httpx.Response:
        """Read the bank's openings."""
        return await self.send(
            "GET", "/openings", headers={"Authorization": authorization, **headers}
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a world with clients."""
    folder = tmp_path_factory.mktemp("certificates")
    with a_running_world(folder) as running:
        running.world.clients = folder / "clients.json"
        register(running.world.clients, BANK.row(), OTHER.row())
        running.play(World.restart)
        yield running


def refused(answer: httpx.Response, code: str, word: str) -> None:
    """Check that a call is refused with a code, and how it is challenged."""
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith(word)


INVALID = 'Bearer error="invalid_token"'
CHALLENGED = "Bearer, DPoP"
INVALID_DPOP = 'DPoP error="invalid_token"'


def test_a_token_is_bound_to_the_certificate(running: Running) -> None:
    """It says so, and so does an introspection; with the certificate it is taken, however spelt."""

    async def scenario(world: World) -> None:
        shown = Shown(world)
        body = (await shown.ask()).json()
        token = body["access_token"]
        assert body["token_type"] == "Bearer"
        payload = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        assert payload["cnf"] == {"x5t#S256": thumbprint(OWN)}
        assert (await shown.read(f"Bearer {token}")).status_code == 200
        spelt = Shown(world, [as_rfc_9440(OWN)])
        assert (await spelt.read(f"bearer  {token}")).status_code == 200
        answer = await world.accounts.post(
            "/oauth/introspection", data={"token": token}, headers=world.tokens.header("operator")
        )
        assert (answer.json()["token_type"], answer.json()["cnf"]) == ("Bearer", payload["cnf"])
        where = await world.accounts.get("/.well-known/oauth-authorization-server")
        assert where.json()["tls_client_certificate_bound_access_tokens"] is True

    running.play(scenario)


def test_without_the_certificate_it_is_worth_nothing(running: Running) -> None:
    """Another, none, an empty one, two; from whoever is no proxy of ours, whatever it says."""

    async def scenario(world: World) -> None:
        bearer = f"Bearer {await Shown(world).token()}"
        refused(
            await Shown(world, [as_nginx(ANOTHER)]).read(bearer), "certificate_differs", INVALID
        )
        refused(await Shown(world, ["nonsense"]).read(bearer), "certificate_malformed", INVALID)
        own = as_nginx(OWN)
        for headers in ([], [""], [own, own], [as_nginx(ANOTHER), own]):
            refused(await Shown(world, headers).read(bearer), "unauthenticated", CHALLENGED)
        stranger = Shown(world, peer=STRANGER)
        refused(await stranger.read(bearer), "unauthenticated", CHALLENGED)
        forwarded = await stranger.read(bearer, **{"X-Forwarded-For": PROXY})
        refused(forwarded, "unauthenticated", CHALLENGED)
        for other in ("Client-Cert", f"{HEADER}-", CERTIFICATE):
            answer = await Shown(world, []).read(bearer, **{other: own})
            refused(answer, "unauthenticated", CHALLENGED)
        answer = await world.accounts.get(
            "/openings", headers={"Authorization": bearer, HEADER: own}
        )
        refused(answer, "unauthenticated", CHALLENGED)

    running.play(scenario)


def test_nobody_gets_one_by_a_header_of_their_own(running: Running) -> None:
    """From no proxy of ours it is as if there were none; and what is no certificate is refused."""

    async def scenario(world: World) -> None:
        for shown in (Shown(world, peer=STRANGER), Shown(world, [])):
            answer = await shown.ask(**{"X-Forwarded-For": PROXY})
            assert (answer.status_code, answer.json()["code"]) == (400, "proof_missing")
        said = (await Shown(world, ["nonsense"]).ask()).json()
        assert (said["error"], said["code"]) == ("invalid_request", "certificate_malformed")

    running.play(scenario)


def test_a_token_is_shown_as_it_is_bound(running: Running) -> None:
    """One of a key never as `Bearer`, also with a certificate; one of a certificate never by DPoP.

    With a proof in the request, the token is bound to the proof's key, and to nothing else.
    """

    async def scenario(world: World) -> None:
        shown, now = Shown(world), world.clock()
        proof = BANK.proof("POST", "http://accounts/oauth/token", now)
        body = (await shown.ask(DPoP=proof)).json()
        assert body["token_type"] == "DPoP"
        token = body["access_token"]
        refused(await shown.read(f"Bearer {token}"), "access_binding", INVALID)
        proof = BANK.proof("GET", "http://accounts/openings", now, token)
        downgraded = await shown.read(f"Bearer {token}", DPoP=proof)
        refused(downgraded, "access_binding", INVALID)
        assert (await shown.read(f"DPoP {token}", DPoP=proof)).status_code == 200
        bound = await shown.token()
        proof = BANK.proof("GET", "http://accounts/openings", now, bound)
        refused(await shown.read(f"DPoP {bound}", DPoP=proof), "access_binding", INVALID_DPOP)

    running.play(scenario)


def test_all_else_of_a_token_is_checked_too(running: Running) -> None:
    """Its end, its client, its service, its scopes; and bearer tokens are what they were."""

    async def scenario(world: World) -> None:
        assert world.clients
        shown, theirs = Shown(world), Shown(world, client=OTHER)
        own, other = await shown.token(), await theirs.token()
        register(world.clients, BANK.row() | {"scopes": ["rejections"]})
        answer = await shown.read(f"Bearer {own}")
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_insufficient")
        said = 'Bearer error="insufficient_scope", scope="openings"'
        assert answer.headers["www-authenticate"] == said
        refused(await theirs.read(f"Bearer {other}"), "client_unknown", INVALID)
        register(world.clients, BANK.row(), OTHER.row())
        refused(await shown.read("Bearer x"), "access_invalid", INVALID)
        refused(await shown.read(f"Bearer {own}x"), "access_invalid", INVALID)
        refused(await shown.read("Basic x"), "unauthenticated", CHALLENGED)
        plain = world.tokens.header("so-viet")["Authorization"]
        assert (await shown.read(plain)).status_code == 200
        world.clock.move_to(world.clock() + timedelta(minutes=10))
        refused(await shown.read(f"Bearer {own}"), "access_expired", INVALID)

    running.play(scenario)


def test_who_is_not_set_to_take_certificates_takes_none(running: Running) -> None:
    """Whatever stands in front: neither for a token, nor with one from before."""

    async def scenario(world: World) -> None:
        shown, authority = Shown(world), world.accounts_app.state.prover
        token = await shown.token()
        authority.certificates = False
        answer = await shown.ask()
        assert (answer.status_code, answer.json()["code"]) == (400, "proof_missing")
        refused(await shown.read(f"Bearer {token}"), "unauthenticated", CHALLENGED)
        where = await world.accounts.get("/.well-known/oauth-authorization-server")
        assert where.json()["tls_client_certificate_bound_access_tokens"] is False
        authority.certificates = True

    running.play(scenario)


# -- as rules -----------------------------------------------------------------------------------


def test_the_thumbprint_is_that_of_rfc_8705() -> None:
    """Of the certificate that it prints in its appendix A."""
    found = certificate_thumbprint(quote(RFC_8705_PEM))
    assert found == "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"


@pytest.mark.parametrize("spelling", [as_nginx, as_rfc_9440])
def test_what_is_no_certificate_has_no_thumbprint(spelling: Any) -> None:
    """Cut short, with more behind it, two of them, or far too long; the whole one has one."""
    whole = spelling(OWN)
    assert certificate_thumbprint(whole) == thumbprint(OWN)
    bad = [whole[:-60], whole[60:], whole + whole, whole * 20, "", ":", "::", ":%:", "%", "é"]
    for text in bad:
        with pytest.raises(BadToken, match="certificate_malformed"):
            certificate_thumbprint(text)


@given(st.text(max_size=80))
def test_any_text_is_a_certificate_or_none(text: str) -> None:
    """Without a defect, in either spelling."""
    for one in (text, f":{text}:", quote(f"-----BEGIN CERTIFICATE-----\n{text}")):
        with pytest.raises(BadToken, match="certificate_malformed"):
            certificate_thumbprint(one)


ADDRESSES = st.integers(0, 2**32 - 1).map(IPv4Address)
NETWORKS = st.tuples(ADDRESSES, st.integers(0, 32)).map(lambda one: f"{one[0]}/{one[1]}")


async def handed_on(peer: object, proxies: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    """Return the scope of a request as the app behind sees it."""
    seen = list[dict[str, Any]]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {"type": "http", "client": peer, "headers": [*headers]}
    await Certificates(app, HEADER, proxies)(scope, None, None)  # type: ignore[arg-type]
    return seen[0]


@given(peer=ADDRESSES, proxies=st.lists(NETWORKS, max_size=3), within=st.booleans())
def test_a_header_is_believed_of_a_proxy_alone(
    *, peer: IPv4Address, proxies: list[str], within: bool
) -> None:
    """Whatever the networks are, in either spelling of the address; and it never goes further."""
    if within and proxies:
        peer = ip_network(proxies[0], strict=False)[0]  # type: ignore[assignment]
    ours = any(peer in ip_network(one, strict=False) for one in proxies)
    said = [(HEADER.lower().encode(), b"text"), (b"other", b"x")]
    for spelt in (str(peer), f"::ffff:{peer}"):
        scope = asyncio.run(handed_on((spelt, 1), ",".join(proxies), *said))
        assert scope.get(CERTIFICATE) == ("text" if ours else None)
        assert scope["headers"] == said[1:]


@pytest.mark.parametrize("peer", [None, ("", 0), ("/run/socket", 0), ("proxy.example", 1)])
def test_who_has_no_address_is_no_proxy(peer: object) -> None:
    """Behind a Unix socket, say; and neither a name nor a star makes anybody one."""
    said = (HEADER.lower().encode(), b"text")
    assert CERTIFICATE not in asyncio.run(handed_on(peer, PROXIES, said))
    assert CERTIFICATE not in asyncio.run(handed_on((STRANGER, 1), PROXIES, said))


# -- as processes -------------------------------------------------------------------------------


def asked(url: str, peer: str, audience: str, **headers: str) -> int | str:
    """Ask a process for a token from a loopback address, by certificate; returns type or status."""
    form = BANK.form(audience, system_clock())
    transport = httpx.HTTPTransport(local_address=peer)
    with httpx.Client(transport=transport) as client:
        answer = client.post(
            f"{url}/oauth/token", data=form, headers={HEADER: as_nginx(OWN), **headers}
        )
        return str(answer.json()["token_type"]) if answer.is_success else answer.status_code


def test_processes_believe_the_address_of_the_connection(tmp_path: Path) -> None:
    """One that is set to, of its proxy and not of whoever says so; one that is not, of nobody."""
    register(tmp_path / "clients.json", BANK.row())
    ports = a_port(0), a_port(0)
    public_url = f"http://localhost:{ports[0]}"
    env = {
        "ACCOUNTS_FOLDER": str(tmp_path / "accounts"),
        "ACCOUNTS_TOKENS": str(make_tokens(tmp_path).file),
        "ACCOUNTS_CLIENTS": str(tmp_path / "clients.json"),
        "ACCOUNTS_PUBLIC_URL": public_url,
        "ACCOUNTS_PROXIES": "127.0.0.3",
    }
    told = {**env, "ACCOUNTS_CLIENT_CERTIFICATES": HEADER}
    accounts_main.init(AccountsSettings(folder=tmp_path / "accounts"))
    both = [
        Service("accounts", ports[0], told, tmp_path),
        Service("accounts", ports[1], env, tmp_path),
    ]
    try:
        for one in both:
            one.launch()
        for one in both:
            one.wait()
        url, other = (f"http://127.0.0.1:{port}" for port in ports)
        assert asked(url, "127.0.0.3", public_url) == "Bearer"
        assert asked(url, "127.0.0.3", public_url, **{"X-Forwarded-For": STRANGER}) == "Bearer"
        assert asked(url, "127.0.0.1", public_url) == 400
        assert asked(url, "127.0.0.1", public_url, **{"X-Forwarded-For": "127.0.0.3"}) == 400
        assert asked(other, "127.0.0.3", public_url) == 400
    finally:
        for one in both:
            one.stop()
