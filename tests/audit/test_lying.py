"""A service that answers wrongly, or not at all: what an export makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from demo.services import a_port
from services.audit import __main__ as audit
from services.audit import reading, sources
from services.audit.export import read_manifest
from services.audit.writing import Part
from tests.audit.conftest import Stage, Told, served
from tests.support.tampering import FACTS


@dataclass
class Liar:
    """Stands before the consent service; what it is told to say of a path, it says."""

    url: str
    lies: dict[str, tuple[int, bytes]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def liar(stage: Stage) -> Iterator[Liar]:
    """Give a service that passes everything on until it is told to lie."""
    port = a_port(0)
    liar = Liar(f"http://127.0.0.1:{port}")

    async def answer(request: Request) -> Response:
        path = request.url.path
        if path in liar.lies:
            status, content = liar.lies[path]
            return Response(content, status)
        async with httpx.AsyncClient(base_url=stage.consent, verify=False) as client:
            headers = {"Authorization": request.headers["authorization"]}
            told = await client.get(path, params=request.query_params, headers=headers)
        return Response(told.content, told.status_code)

    with served(Starlette(routes=[Route("/{path:path}", answer)]), port):
        yield liar


FACT = (
    b'{"position":1,"recorded_at":"2023-07-31T16:59:00Z","kind":"k","tags":[],"data":{},"parts":[]}'
)

LIES = {
    "no page of facts": ("/log", 200, b"nonsense"),
    "not the one spelling": ("/log", 200, b'{"facts":[' + FACT.replace(b":1", b": 1") + b"]}"),
    "position 1 came behind 1": ("/log", 200, b'{"facts":[' + FACT + b"]}"),
    "500": ("/log", 500, b""),
    "tile/0/000 is missing": ("/tlog/tile/0/000", 404, b""),
    "there is no checkpoint of consent": ("/tlog/checkpoint", 404, b""),
    "the checkpoint is none": ("/tlog/checkpoint", 200, b"nonsense"),
    "no public keys": ("/.well-known/jwks.json", 404, b""),
    "no texts of open-account.1": ("/notices/open-account.1", 200, b"[]"),
    "names a text '../x'": ("/notices/open-account.1", 200, b'{"texts":{"../x":"x"}}'),
}


@pytest.mark.parametrize("said", LIES)
def test_what_has_no_place_in_an_export_ends_the_taking(
    stage: Stage, liar: Liar, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    """Exit code 2, in words; and once the answer is right, the same command goes on."""
    path, status, content = LIES[said]
    liar.lies = {path: (status, content)}
    place = stage.place()
    arguments = ["export", str(place), "--consent", liar.url, *stage.addresses[4:]]
    assert audit.main(arguments) == 2
    assert said in capsys.readouterr().err
    liar.lies = {}
    assert audit.main(arguments) == 0
    assert audit.main(["verify", str(place)]) == 0


def test_what_it_lacks_is_taken_home_as_it_is(stage: Stage, liar: Liar, told: Told) -> None:
    """A log without its facts, a notice without its text: that is what is to be shown."""
    liar.lies = {"/log": (200, b'{"facts":[]}')}
    place = stage.place()
    assert told("export", place, "--consent", liar.url, *stage.addresses[4:])[0] == 0
    code, document = told("verify", place)
    (found,) = document["findings"]
    assert (code, found["position"], found["how"]) == (1, 1, "the fact is missing")
    liar.lies = {"/notices/open-account.1": (404, b"")}
    place = stage.place()
    assert audit.main(["export", str(place), "--consent", liar.url, *stage.addresses[4:]]) == 0
    missing = read_manifest((place / "manifest.json").read_bytes()).texts_missing
    assert list(missing) == ["open-account.1"]


def test_no_answer_is_longer_than_it_may_be(
    stage: Stage, liar: Liar, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither of a service, which is read no further, nor in an export."""
    liar.lies = {}
    place = stage.place()
    arguments = ["export", str(place), "--consent", liar.url, *stage.addresses[4:]]
    with monkeypatch.context() as patch:
        patch.setattr(sources, "PAGE_BYTES_MAX", 1_000)
        assert audit.main(arguments) == 2
    assert "more than 1,000 bytes" in capsys.readouterr().err
    assert audit.main(arguments) == 0
    with monkeypatch.context() as patch:
        patch.setattr(reading, "MANIFEST_BYTES_MAX", 10)
        assert audit.main(["verify", str(place)]) == 2
    assert "more than 10 bytes" in capsys.readouterr().err
    monkeypatch.setattr(reading, "LINE_BYTES_MAX", 10)
    monkeypatch.setattr(reading, "BLOCK_BYTES", 64)
    assert audit.main(["verify", str(place)]) == 1
    assert f"{FACTS}, position 1: a line has more than" in capsys.readouterr().out


def test_one_export_is_taken_by_one_process(
    stage: Stage, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second is told, and leaves it alone."""
    place = stage.place()
    with Part(place).taken():
        assert audit.main(["export", str(place), *stage.addresses]) == 2
    assert "another process" in capsys.readouterr().err
    assert told("export", place, *stage.addresses)[0] == 0


def test_a_log_that_another_answers_for_is_not_gone_on_with(
    stage: Stage, liar: Liar, told: Told, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What was begun of one log does not end as another's."""
    place = tmp_path / "export"
    liar.lies = {"/log": (500, b"")}
    assert told("export", place, "--consent", liar.url, *stage.addresses[4:])[0] == 2
    liar.lies = {}
    arguments = ["export", str(place), "--consent", stage.accounts, *stage.addresses[4:]]
    assert audit.main(arguments) == 2
    assert "not of the log that now answers as consent" in capsys.readouterr().err
