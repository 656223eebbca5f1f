"""The key that all persons' keys are wrapped with: in a file, or in a device that never gives it.

An empty address is the file `wrapping.key` of the service's folder. A device is named as RFC 7512
says, with the file that holds its PIN:

    pkcs11:token=thuan;object=consent?module-path=/…/module.so&pin-source=/…/pin
"""

import secrets
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import pkcs11
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import NoSuchKey, PKCS11Error
from pkcs11.mechanisms import GCMParams
from typing_extensions import override

from shared.signing import write_secret

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BITS = 128
SCHEME = "pkcs11:"
FILE_NAME = "wrapping.key"


class BadDevice(ValueError):
    """An address that names no device, or a device that does not have what it should."""


class WrongKey(Exception):
    """What is to be unwrapped was wrapped with another key, or changed."""


class WrappingKey(Protocol):
    """The key-encryption key, wherever it is kept; any thread may call."""

    def wrap(self, secret: bytes) -> bytes:
        """Return the secret, encrypted."""

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the secret again; raises `WrongKey`."""


class FileWrappingKey(WrappingKey):
    """A key-encryption key in a file that only the service may read (RFC 3394)."""

    def __init__(self, file: Path) -> None:
        self._key = file.read_bytes()

    @override
    def wrap(self, secret: bytes) -> bytes:
        return aes_key_wrap(self._key, secret)

    @override
    def unwrap(self, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap(self._key, wrapped)
        except InvalidUnwrap as error:
            raise WrongKey from error


class DeviceWrappingKey(WrappingKey):
    """A key-encryption key in a device (PKCS #11), which encrypts for us and keeps the key."""

    def __init__(self, address: str) -> None:
        device = _Device(address)
        session = device.session()
        self._key, self._lock = device.key(session), session.lock

    @override
    def wrap(self, secret: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        with self._lock:
            return nonce + bytes(self._key.encrypt(secret, **_with(nonce)))

    @override
    def unwrap(self, wrapped: bytes) -> bytes:
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            with self._lock:
                return bytes(self._key.decrypt(sealed, **_with(nonce)))
        except PKCS11Error as error:
            raise WrongKey from error


def create_wrapping_key(address: str, folder: Path) -> None:
    """Make the key where it is missing; raises `BadDevice`."""
    if address:
        _Device(address).create_key()
    elif not (folder / FILE_NAME).exists():
        write_secret(folder / FILE_NAME, secrets.token_bytes(KEY_BYTES))


def open_wrapping_key(address: str, folder: Path) -> WrappingKey:
    """Return the key that `create_wrapping_key` made; raises `BadDevice`."""
    return DeviceWrappingKey(address) if address else FileWrappingKey(folder / FILE_NAME)


class _Device:
    """A token of a PKCS #11 module, and the name of the key in it."""

    def __init__(self, address: str) -> None:
        place, _, options = address.removeprefix(SCHEME).partition("?")
        named, given = _attributes(place, ";"), _attributes(options, "&")
        try:
            self._token, self._label = named["token"], named["object"]
            self._module, self._pin = given["module-path"], Path(given["pin-source"])
        except KeyError as error:
            raise BadDevice(f"the address has no {error}") from None
        if not address.startswith(SCHEME):
            raise BadDevice(f"an address of a device begins with {SCHEME}")

    def session(self) -> "_Session":
        """Return the process's session; raises `BadDevice`."""
        pin = self._pin.read_text("utf-8").strip()
        try:
            return _session(self._module, self._token, pin)
        except (PKCS11Error, RuntimeError) as error:
            raise BadDevice(f"{self._token}: {type(error).__name__}") from error

    def key(self, session: "_Session") -> Any:
        """Return the key; raises `BadDevice`."""
        try:
            return session.opened.get_key(
                object_class=ObjectClass.SECRET_KEY, key_type=KeyType.AES, label=self._label
            )
        except NoSuchKey as error:
            raise BadDevice(f"{self._token} has no key {self._label}: run init") from error

    def create_key(self) -> None:
        """Make the key, which never leaves the device, unless it is there."""
        session = self.session()
        try:
            self.key(session)
        except BadDevice:
            never_leaves = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
            session.opened.generate_key(
                KeyType.AES, KEY_BYTES * 8, label=self._label, store=True, template=never_leaves
            )


@dataclass(frozen=True)
class _Session:
    """What a process has open at a token; it does one thing at a time."""

    opened: Any
    lock: threading.Lock


@cache
def _session(module: str, token: str, pin: str) -> _Session:
    """Return a process's session at a token: it can log in once, and closing one logs out all."""
    opened = pkcs11.lib(module).get_token(token_label=token).open(rw=True, user_pin=pin)
    return _Session(opened, threading.Lock())


def _with(nonce: bytes) -> dict[str, Any]:
    return {
        "mechanism": Mechanism.AES_GCM,
        "mechanism_param": GCMParams(nonce, tag_bits=TAG_BITS),
    }


def _attributes(text: str, mark: str) -> dict[str, str]:
    pairs = (one.partition("=") for one in text.split(mark) if one)
    return {name: unquote(value) for name, _, value in pairs}
