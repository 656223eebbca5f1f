"""An event is sent to the machine that was looked at, and to no other."""

import asyncio
import ssl
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shared.clock import system_clock
from shared.hearing.addresses import Address
from shared.hearing.sending import Answer, Sender
from tests.support.consumer import Consumer
from tests.support.post import play


def machines(monkeypatch: pytest.MonkeyPatch, *found: str) -> list[str]:
    """Have every name stand for these machines; returns what is connected to, as it is."""
    connected = list[str]()

    async def connect(_: Any, host: str, port: int, *__: Any) -> Any:
        connected.append(host)
        raise OSError(host)

    monkeypatch.setattr("shared.hearing.sending.look_up", lambda host, port: [*found])
    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    return connected


@pytest.mark.parametrize("machine", ["127.0.0.1", "10.0.0.9", "::1", "::ffff:169.254.169.254"])
def test_a_name_that_stands_for_one_of_ours_is_not_called(
    monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    """Also where it stands for a public one besides: nothing is connected to."""
    connected = machines(monkeypatch, "1.1.1.1", machine)

    async def scenario() -> None:
        sender = Sender(private=False, at_once=1)
        answer = await sender.send(
            Address(secure=True, host="bank.example", port=443, target="/"), {}, b"{}"
        )
        assert answer == Answer(error="address_not_public")
        await sender.close()

    play(scenario)
    assert connected == []


def test_the_machine_that_was_looked_at_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its number, so that no second look at the name can lead elsewhere."""
    connected = machines(monkeypatch, "1.1.1.1", "2606:4700::1111")

    async def scenario() -> None:
        sender = Sender(private=False, at_once=1)
        answer = await sender.send(
            Address(secure=True, host="bank.example", port=443, target="/"), {}, b"{}"
        )
        assert answer == Answer(error="unreachable")
        await sender.close()

    play(scenario)
    assert connected[:1] == ["1.1.1.1"]


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate for a name, and what a server needs of it."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = system_clock()
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return file, context


def test_a_certificate_must_be_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its number is called, the consumer hears its name; another's certificate is none."""
    file, context = certificate(tmp_path, "bank.example")
    trusting = ssl.create_default_context(cafile=str(file))
    monkeypatch.setattr("shared.hearing.sending._tls", lambda: trusting)
    monkeypatch.setattr("shared.hearing.sending.look_up", lambda host, port: ["127.0.0.1"])

    async def scenario() -> None:
        async with Consumer(tls=context) as consumer:
            sender = Sender(private=True, at_once=1)
            headers = {"webhook-id": "1"}
            good = await sender.send(
                Address(secure=True, host="bank.example", port=consumer.port, target="/x?y"),
                headers,
                b"{}",
            )
            assert good.taken
            assert consumer.got[0].headers["host"] == f"bank.example:{consumer.port}"
            assert consumer.got[0].path == "/x?y"
            bad = await sender.send(
                Address(secure=True, host="other.example", port=consumer.port, target="/"),
                headers,
                b"{}",
            )
            assert bad == Answer(error="unreachable")
            await sender.close()

    play(scenario)


def test_a_name_server_that_does_not_answer_holds_up_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor whatever else the service does in threads; its own attempts end in time."""
    asked = threading.Semaphore(0)

    def looked_up(host: str, port: int) -> list[str]:
        if host == "slow.example":
            asked.release()
            time.sleep(1)
        return ["127.0.0.1"]

    monkeypatch.setattr("shared.hearing.sending.look_up", looked_up)

    async def scenario() -> None:
        async with Consumer() as consumer:
            slow = Sender(private=True, at_once=64, whole_s=0.5)
            quick = Sender(private=True, at_once=1)
            wrong = Address(secure=False, host="slow.example", port=consumer.port, target="/")
            right = Address(secure=False, host="bank.example", port=consumer.port, target="/")
            sent = [asyncio.create_task(slow.send(wrong, {}, b"{}")) for _ in range(64)]
            await asyncio.to_thread(asked.acquire)
            begun = time.monotonic()
            await asyncio.gather(*(asyncio.to_thread(time.monotonic) for _ in range(32)))
            assert (await quick.send(right, {"webhook-id": "1"}, b"{}")).taken
            assert time.monotonic() - begun < 0.4
            assert {one.error for one in await asyncio.gather(*sent)} == {"timeout"}
            await slow.close()
            await quick.close()

    play(scenario)
