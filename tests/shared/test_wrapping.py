"""What persons' keys are wrapped with: a file, or a device of which SoftHSM is the one tested."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.ledger.personal import Personal
from shared.ledger.subject_keys import create_subject_keys, open_subject_keys
from shared.ledger.wrapping import (
    BadDevice,
    DeviceWrappingKey,
    WrappingKey,
    WrongKey,
    create_wrapping_key,
    open_wrapping_key,
)
from tests.support.sealed import found

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
INIT = ("softhsm2-util", "--init-token", "--free")
PIN = "9-of-them"


@pytest.fixture(scope="session")
def device(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the address of a key in a fresh token, without the key."""
    module = next((one for one in MODULES if Path(one).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM is not installed")
    folder = tmp_path_factory.mktemp("device")
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(conf)  # read once, when the module is loaded
    for token in ("thuan", "other token"):
        subprocess.run(
            [*INIT, "--label", token, "--pin", PIN, "--so-pin", "1234567"],
            check=True,
            capture_output=True,
        )
    (folder / "pin").write_text(f"{PIN}\n")
    return f"pkcs11:token=thuan;object=consent?module-path={module}&pin-source={folder / 'pin'}"


@pytest.fixture(params=["file", "device"])
def wrapping(request: pytest.FixtureRequest, tmp_path: Path) -> WrappingKey:
    """Give a wrapping key of each sort."""
    address = "" if request.param == "file" else request.getfixturevalue("device")
    create_wrapping_key(address, tmp_path)
    return open_wrapping_key(address, tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.binary(min_size=32, max_size=32))
def test_what_is_wrapped_comes_back_and_shows_nothing(wrapping: WrappingKey, secret: bytes) -> None:
    """Any key, whatever it is wrapped with."""
    wrapped = wrapping.wrap(secret)
    assert secret not in wrapped
    assert wrapping.unwrap(wrapped) == secret


def test_what_was_changed_is_not_unwrapped(wrapping: WrappingKey) -> None:
    """Any byte changed, or some cut off, and it is nobody's key."""
    wrapped = wrapping.wrap(bytes(range(32)))
    for at in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[at] ^= 1
        with pytest.raises(WrongKey):
            wrapping.unwrap(bytes(changed))
    for cut in (b"", wrapped[:12], wrapped[:-1], wrapped[:-8]):
        with pytest.raises(WrongKey):
            wrapping.unwrap(cut)


def test_the_same_key_is_there_after_a_start(device: str, tmp_path: Path) -> None:
    """Made once, found again; another name in the device is another key."""
    create_wrapping_key(device, tmp_path)
    wrapped = DeviceWrappingKey(device).wrap(bytes(32))
    create_wrapping_key(device, tmp_path)
    assert DeviceWrappingKey(device).unwrap(wrapped) == bytes(32)
    other = device.replace("object=consent", "object=of%20another")
    create_wrapping_key(other, tmp_path)
    with pytest.raises(WrongKey):
        DeviceWrappingKey(other).unwrap(wrapped)


def test_persons_keys_under_a_device(device: str, tmp_path: Path) -> None:
    """Nothing secret is in the folder; without the device nothing can be read."""
    create_subject_keys(tmp_path, device)
    with closing(open_subject_keys(tmp_path, device)) as keys:
        Personal("localhost/log", keys)
        made = keys.in_use("citizen:c1")
        assert found(tmp_path, made.secret) == set()
    assert not (tmp_path / "wrapping.key").exists()
    with closing(open_subject_keys(tmp_path, device)) as keys:
        assert keys.secret(made.id) == made.secret
    create_wrapping_key("", tmp_path)
    with closing(open_subject_keys(tmp_path)) as keys, pytest.raises(WrongKey):
        keys.secret(made.id)


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ("pkcs11:", "pkcs12:", "begins with|has no"),
        ("token=thuan;", "", "has no 'token'"),
        ("object=consent", "", "has no 'object'"),
        ("module-path", "module", "has no 'module-path'"),
        ("pin-source", "pin", "has no 'pin-source'"),
        ("token=thuan", "token=nobody", "nobody"),
        ("object=consent", "object=nothing", "has no key nothing: run init"),
        ("token=thuan", "token=other%20token", "has no key consent"),
        ("module-path=/", "module-path=/nowhere/", "thuan"),
    ],
)
def test_an_address_that_leads_nowhere_says_why(
    device: str, right: str, wrong: str, why: str
) -> None:
    """A part that is missing, a token or key that is not there."""
    assert right in device
    with pytest.raises(BadDevice, match=why):
        DeviceWrappingKey(device.replace(right, wrong, 1))


def test_a_wrong_pin_is_told(device: str, tmp_path: Path) -> None:
    """Without the PIN being shown."""
    (tmp_path / "pin").write_text("wrong")
    address = f"{device.partition('&')[0]}&pin-source={tmp_path / 'pin'}"
    with pytest.raises(BadDevice) as caught:
        DeviceWrappingKey(address)
    assert "wrong" not in str(caught.value)
