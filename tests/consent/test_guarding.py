"""What a citizen meets where no page is, or the body is none: a page still, with every header.

Each address is tried in one process, and some over a socket, where a server stands in front.
"""

import asyncio
from pathlib import Path

import httpx
import pytest

from services.consent.pages.words import ENGLISH, VIETNAMESE
from tests.consent.test_pages import Reading, asked, is_guarded
from tests.support.processes import Running, a_stand, running
from tests.support.world import World, a_world

LARGE = b"decision=given&x=" + b"x" * 70_000
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BROKEN = {"Content-Type": "multipart/form-data"}

BELOW = [
    ("GET", "/not-me", 405),
    ("GET", "/passkey-options", 405),
    ("GET", "/nothing", 404),
    ("GET", "/", 404),
    ("GET", "/code/", 404),
    ("GET", "/sign/x/passkey", 405),
    ("PUT", "/code", 405),
    ("DELETE", "/receipt", 405),
    ("OPTIONS", "/receipt.json", 405),
    ("PATCH", "/passkey", 405),
    ("POST", "/receipt.jwt", 405),
]
"""Below a citizen's link: the page says no, and leads back."""

ELSEWHERE = [
    ("POST", "/c/x", 405),
    ("GET", "/c/x/not-me", 405),
    ("GET", "/c/", 404),
    ("GET", "/c", 404),
    ("GET", "/c/x/", 404),
    ("GET", "/phone/", 404),
    ("GET", "/phone/x/", 404),
    ("PUT", "/phone/x", 405),
    ("GET", "/phone/x/y", 404),
    ("PUT", "/not-me", 405),
    ("GET", "/not-me/", 404),
    ("GET", "/not-me/x", 404),
    ("GET", "/me/x/y/z", 404),
    ("TRACE", "/not-me", 405),
]
"""Where there is nothing of anybody's to go back to."""


def is_page(answer: httpx.Response) -> bool:
    """Tell whether a person can read it, and nobody else learns its address."""
    html = answer.headers["content-type"].startswith("text/html")
    return html and is_guarded(answer) and "location" not in answer.headers


async def tried(client: httpx.AsyncClient, link: str) -> None:
    """Try every address of the tables, and hold that each answer is a page."""
    for method, path, status in BELOW:
        answer = await client.request(method, f"{link}{path}", params={"lang": "en"})
        assert (answer.status_code, is_page(answer)) == (status, True), (method, path)
        assert ENGLISH["no_page_unknown"] in answer.text
        assert f"{httpx.URL(link).path}?lang=en" in [
            one["href"] for one in Reading(answer.text).all("a")
        ]
        assert ("allow" in answer.headers) is (status == 405)
    for method, path, status in ELSEWHERE:
        answer = await client.request(method, path)
        assert (answer.status_code, is_page(answer)) == (status, True), (method, path)
        assert VIETNAMESE["no_not_found"] in answer.text
        assert not Reading(answer.text).all("a")


async def filled(client: httpx.AsyncClient, link: str) -> None:
    """Send bodies that are too large, or none, to what takes one."""
    for path in ("/code", "/not-me", "/sign/x", "/passkey", "/passkey-options"):
        answer = await client.post(f"{link}{path}", content=LARGE, headers=FORM)
        assert (answer.status_code, is_page(answer)) == (413, True), path
        assert VIETNAMESE["no_malformed"] in answer.text
    for path in (f"{link}/code", "/not-me"):
        answer = await client.post(path, content=b"--x\r\nno", headers=BROKEN)
        assert (answer.status_code, is_page(answer)) == (422, True), path


def test_every_address_under_a_link_is_a_page(tmp_path: Path) -> None:
    """No route, another method, a slash too many, a body that is none: never a machine's answer."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            _, _, link = await asked(world)
            await tried(world.consent, link)
            await filled(world.consent, link)

    asyncio.run(scenario())


def test_it_is_a_page_over_a_socket_too(tmp_path: Path) -> None:
    """The same behind the real server; and no slash leads to the host that a request names."""

    async def scenario(both: Running) -> None:
        async with a_stand(both) as stand:
            client = stand.world.consent
            _, _, link = await asked(stand.world)
            path = httpx.URL(link).path
            await tried(client, path)
            await filled(client, path)
            answer = await client.get(f"{path}/", headers={"Host": "elsewhere.example"})
            assert (answer.status_code, is_page(answer)) == (404, True)
            assert "elsewhere" not in answer.text
            head = await client.head(path)
            assert (head.status_code, is_page(head), head.content) == (405, True, b"")

    with running(tmp_path) as both:
        asyncio.run(scenario(both))


def test_machines_are_answered_as_before(tmp_path: Path) -> None:
    """Other addresses keep their problem documents; files are what we say they are."""

    async def scenario() -> None:
        async with a_world(tmp_path) as world:
            for path in ("/consents", "/chance", "/menu", "/phones/x/y", "/livez/"):
                answer = await world.consent.get(path)
                assert answer.headers["content-type"] == "application/problem+json", path
            for path in ("/static/passkey.js", "/static/page.css", "/static/none"):
                answer = await world.consent.get(path)
                assert answer.headers["x-content-type-options"] == "nosniff", path

    asyncio.run(scenario())


def test_our_own_failure_is_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody expected is told in words, and the link is kept to itself."""

    async def scenario(world: World) -> httpx.Response:
        _, _, link = await asked(world)
        monkeypatch.setattr(world.consent_app.state.parts.log, "read", None)
        transport = httpx.ASGITransport(world.consent_app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://consent") as client:
            return await client.get(f"{link}/receipt")

    async def run() -> httpx.Response:
        async with a_world(tmp_path) as world:
            return await scenario(world)

    answer = asyncio.run(run())
    assert (answer.status_code, is_page(answer)) == (500, True)
    assert VIETNAMESE["no_failed"] in answer.text
