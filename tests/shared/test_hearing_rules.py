"""Where webhooks may be, how they are signed, what is sent next: rules, by example and at large."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from shared.hearing import signatures
from shared.hearing.addresses import is_allowed, is_public, parse
from shared.hearing.facts import WebhookKeyRenewed, WebhookRegistered, WebhookRemoved
from shared.hearing.schedule import (
    DELAYS_S,
    DOWN_AFTER,
    GIVEN_UP_AFTER_S,
    REST_S_MAX,
    RETRY_AFTER_S_MAX,
    Waiting,
    due_again,
    ready,
    rest_s,
)
from shared.hearing.webhooks import (
    RENEWALS_MAX,
    SIGNS_ON,
    WEBHOOK,
    WEBHOOKS_MAX,
    Register,
    Remove,
    Renew,
)
from tests.support.given import AT, given

# -- where --------------------------------------------------------------------------------------

ALLOWED = [
    "https://bank.example",
    "https://bank.example/hooks/thuan?of=consent",
    "https://bank.example:8443/a/b",
    "https://xn--ngn-hng-iwa.example/",
    "https://[2606:4700::1111]/x",
    "https://1.1.1.1/x",
]

NOT_ALLOWED = [
    "http://bank.example/",
    "https://bank.example:22/",
    "https://bank.example:99999/",
    "https://user@bank.example/",
    "https://user:secret@bank.example/",
    "https://bank.example/#part",
    "https://bank.example\\@127.0.0.1/",
    "https://bank.example /",
    "https://bank.example/\r\nHost: other",
    "https://ngân-hàng.example/",
    "https://BANK.example/",
    "https://127.0.0.1/",
    "https://10.0.0.7/",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/",
    "https://[::ffff:10.0.0.7]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "ftp://bank.example/",
    "//bank.example/",
    "https:///x",
    "https://-bank.example/",
    "https://bank.example/" + "x" * 500,
    "",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_an_address_on_the_open_internet_is_allowed(url: str) -> None:
    """With TLS, at the usual ports, and taken apart as it was written."""
    assert is_allowed(url, private=False)
    address = parse(url)
    assert address
    assert url.rstrip("/").startswith(f"https://{address.authority}".rstrip("/"))
    assert url.endswith(address.target) or address.target == "/"


@pytest.mark.parametrize("url", NOT_ALLOWED)
def test_no_other_address_is(url: str) -> None:
    """Nothing of ours by number, nothing with a user, nothing that two readers read differently."""
    assert not is_allowed(url, private=False)


def test_a_sandbox_may_call_its_own_machine() -> None:
    """Where private addresses are allowed, so is http at any port; the form stays."""
    assert is_allowed("http://127.0.0.1:8123/hook", private=True)
    assert not is_allowed("http://user@127.0.0.1:8123/hook", private=True)
    assert not is_allowed("http://127.0.0.1:99999/hook", private=True)


PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "255.255.255.255", "224.0.1.1", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "ff02::1", "fec0::1", "2001:db8::1", "100::1"),
    *("::ffff:127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:1::"),
]


@pytest.mark.parametrize("machine", PRIVATE)
def test_a_machine_that_is_not_public(machine: str) -> None:
    """Loopback, private, link-local, shared, reserved, multicast, and what stands for one."""
    assert not is_public(ip_address(machine))


@hypothesis_given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_what_it_is_however_it_is_written(machine: IPv4Address) -> None:
    """Mapped into IPv6, or behind NAT64, it is as public as by itself."""
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + machine.packed)
    nat64 = IPv6Address(bytes.fromhex("0064ff9b") + b"\0" * 8 + machine.packed)
    assert is_public(mapped) == is_public(nat64) == is_public(machine)
    assert not is_public(machine) or machine.is_global


# -- the signature ------------------------------------------------------------------------------


def test_the_published_example_of_standard_webhooks() -> None:
    """libraries/go/webhook_asymmetric_test.go, TestAsymmetricWebhookSign (Apache-2.0)."""
    seed = base64.b64decode("VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=")
    at = datetime.fromtimestamp(1614265330, UTC)
    sent = signatures.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        at,
        [Ed25519PrivateKey.from_private_bytes(seed)],
    )
    assert sent == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqt"
        "aiHeYGb7KaaBRdM5WqyeFiL8Ag==",
    }


def test_what_the_specification_says_of_the_header() -> None:
    """spec/standard-webhooks.md: `whpk_` and base64; signatures parted by spaces, `v1a,` before."""
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    body = b'{"type":"contact.created"}'
    sent = signatures.headers("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", body, AT, keys)
    both = sent["webhook-signature"].split(" ")
    signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
    for key, signature in zip(keys, both, strict=True):
        told = signatures.public(key)
        assert told.startswith("whpk_")
        known = Ed25519PublicKey.from_public_bytes(base64.b64decode(told.removeprefix("whpk_")))
        known.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)
        with pytest.raises(InvalidSignature):
            known.verify(base64.b64decode(signature.removeprefix("v1a,")), signed + b" ")


def test_no_two_webhooks_share_a_key(tmp_path: Any) -> None:
    """Another bank, another webhook, another renewal or another service: another key."""
    signatures.create_webhook_keys(tmp_path / "a", b"a" * 32)
    signatures.create_webhook_keys(tmp_path / "b", b"b" * 32)
    signatures.create_webhook_keys(tmp_path / "a", b"c" * 32)  # what is there stays
    one, other = (signatures.WebhookKeys(tmp_path / name) for name in "ab")
    assert (tmp_path / "a" / signatures.FILE).stat().st_mode & 0o777 == 0o600
    names = [("b1", "h", "1"), ("b1", "h", "2"), ("b1", "h2", "1"), ("b2", "h", "1")]
    made = [signatures.public(keys.key(*name)) for keys in (one, other) for name in names]
    assert len(set(made)) == len(made)
    assert made[0] == signatures.public(signatures.WebhookKeys(tmp_path / "a").key(*names[0]))


# -- registering --------------------------------------------------------------------------------

URL = "https://bank.example/hook"

REGISTER = Register(
    webhook_id="h",
    bank_id="b",
    url=URL,
    kinds=None,
    key_id="1",
    key="whpk_1",
    asked_by="bank:b",
    private=False,
    known=frozenset({"consent.given.1"}),
)

RENEW = Renew(webhook_id="h", bank_id="b", key_id="2", key="whpk_2", asked_by="bank:b", at=AT)

REMOVE = Remove(webhook_id="h", bank_id="b", asked_by="bank:b")


def registered(**changes: Any) -> WebhookRegistered:
    """Return that a webhook was registered."""
    whole = WebhookRegistered(
        webhook_id="h",
        bank_id="b",
        url=URL,
        kinds=None,
        key_id="1",
        key="whpk_1",
        registered_by="bank:b",
    )
    return replace(whole, **changes)


def renewed(number: int) -> WebhookKeyRenewed:
    """Return that a key was renewed."""
    return WebhookKeyRenewed(
        webhook_id="h",
        bank_id="b",
        key_id=str(number),
        key=f"whpk_{number}",
        renewed_by="bank:b",
    )


REMOVED = WebhookRemoved(webhook_id="h", bank_id="b", removed_by="bank:b")


def test_a_webhook_is_registered_once_and_changed() -> None:
    """The same again adds nothing; another address keeps key and place in the log."""
    assert given(WEBHOOK).when(REGISTER) == [registered()]
    assert given(WEBHOOK, registered()).when(REGISTER) == []
    moved = replace(REGISTER, url=f"{URL}/2", key_id="9", key="whpk_9")
    (fact,) = given(WEBHOOK, registered()).when(moved)
    assert (fact.url, fact.key_id, fact.key) == (f"{URL}/2", "1", "whpk_1")
    state = given(WEBHOOK, registered(), fact).state().by_id["h"]
    assert (state.url, state.since, len(state.keys)) == (f"{URL}/2", 1, 1)


def test_a_webhook_that_no_rule_allows() -> None:
    """An address of ours, a kind that there is not, and one too many: all of it is named."""
    bad = replace(REGISTER, url="https://10.0.0.1/", kinds=("consent.given.9",))
    some = [registered(webhook_id=f"h{number}") for number in range(WEBHOOKS_MAX)]
    wrong = ["address_not_allowed", "event_kind_unknown", "webhooks_too_many"]
    assert given(WEBHOOK, *some).rejected(bad) == wrong
    assert given(WEBHOOK, *some).rejected(REGISTER) == wrong[2:]
    assert given(WEBHOOK, *some[1:]).when(REGISTER)
    assert given(WEBHOOK, *some).when(replace(REGISTER, webhook_id="h0", url=f"{URL}/2"))


def test_a_webhook_is_removed_once() -> None:
    """Then it is none; registered again it begins anew, behind where it is, with a new key."""
    assert given(WEBHOOK).rejected(REMOVE) == ["webhook_unknown"]
    assert given(WEBHOOK, registered()).when(REMOVE) == [REMOVED]
    gone = given(WEBHOOK, registered(), REMOVED)
    assert gone.when(REMOVE) == []
    assert gone.rejected(RENEW) == ["webhook_unknown"]
    again = given(WEBHOOK, registered(), REMOVED, registered(key_id="3")).state()
    assert again.by_id["h"].since == 3
    assert [key.key_id for key in again.by_id["h"].keys] == ["3"]


def test_two_keys_sign_for_a_day() -> None:
    """The newest first; each older one until a day after the one that followed it."""
    state = given(WEBHOOK, registered(), renewed(2), renewed(3)).state().by_id["h"]
    signs = [(key.key_id, end) for key, end in state.signing(AT)]
    assert signs == [("3", None), ("2", AT + SIGNS_ON), ("1", AT + SIGNS_ON)]
    assert [key.key_id for key, _ in state.signing(AT + SIGNS_ON)] == ["3"]


def test_a_key_is_renewed_so_often_in_a_day() -> None:
    """A header must not grow without end; a day later there is room again."""
    facts = [registered(), *(renewed(number) for number in range(RENEWALS_MAX))]
    assert given(WEBHOOK, *facts).when(RENEW) == [], "the same renewal again is no other"
    another = replace(RENEW, key_id="9", key="whpk_9")
    assert given(WEBHOOK, *facts).rejected(another) == ["key_renewed_lately"]
    assert given(WEBHOOK, *facts).when(replace(another, at=AT + SIGNS_ON)) == [renewed(9)]
    many = given(WEBHOOK, *facts, *facts[1:]).state().by_id["h"]
    assert len(many.keys) == RENEWALS_MAX + 1


def test_a_renewal_that_comes_again_is_none_however_late_it_is() -> None:
    """Its key signs no more; nor does it sign for a webhook that was registered anew."""
    later = [renewed(number) for number in range(3, 4 + RENEWALS_MAX)]
    late = replace(RENEW, at=AT + 9 * SIGNS_ON)
    assert given(WEBHOOK, registered(), renewed(2), *later).when(late) == []
    anew = [registered(), renewed(2), REMOVED, registered()]
    assert given(WEBHOOK, *anew).when(late) == []


# -- what is sent next --------------------------------------------------------------------------

CHAINS = ((), ("citizen:a",), ("citizen:b",), ("citizen:a", "consent:1"), ("consent:1",))


def waiting(chains: Sequence[tuple[str, ...]]) -> dict[int, Waiting]:
    """Return events that wait, by position."""
    return {at: Waiting(at, one, "k", b"") for at, one in enumerate(chains, start=1)}


def share(one: Waiting, other: Waiting) -> bool:
    """Tell whether two events are in order with each other."""
    if not one.chains or not other.chains:
        return not one.chains and not other.chains
    return bool({*one.chains} & {*other.chains})


def test_what_failed_holds_up_its_own_citizen_alone() -> None:
    """By example: a's second waits for a's first; b's goes; what is nobody's is in order too."""
    events = waiting([("citizen:a",), ("citizen:a",), ("citizen:b",), (), ()])
    events[1].due_at = 10.0
    assert [one.position for one in ready(events.values(), (), 9.0)] == [3, 4]
    assert [one.position for one in ready(events.values(), (), 10.0)] == [1, 3, 4]
    assert [one.position for one in ready(events.values(), {1}, 10.0)] == [3, 4]


@hypothesis_given(
    st.lists(st.sampled_from(CHAINS), max_size=12), st.lists(st.booleans()), st.randoms()
)
def test_no_event_overtakes_another_of_its_citizen(
    chains: list[tuple[str, ...]], fates: list[bool], chance: Any
) -> None:
    """Whatever fails and however many are under way: in each chain they end in the log's order.

    And all of them end: nothing that waits is forgotten.
    """
    left, flying, ended, now = waiting(chains), set[int](), list[Waiting](), 0.0
    while left:
        for one in ready(left.values(), flying, now):
            held_up_by = [x for x in left.values() if x.position < one.position and share(x, one)]
            assert held_up_by == []
            if chance.random() < 0.7:
                flying.add(one.position)
        if not flying:
            now += 1
            continue
        position = chance.choice(sorted(flying))
        flying.discard(position)
        if fates and not fates.pop():
            left[position].due_at = now + chance.randrange(5)
        else:
            ended.append(left.pop(position))
    assert sorted(one.position for one in ended) == list(range(1, len(chains) + 1))
    for number, one in enumerate(ended):
        assert not any(x.position > one.position and share(x, one) for x in ended[:number])


def test_the_waits_are_those_of_standard_webhooks() -> None:
    """The specification's own example schedule; given up after 72 hours, not before."""
    one, now, times = Waiting(1, (), "k", b"", first_at=0.0), 0.0, [0.0]
    while True:
        one.attempts += 1
        due = due_again(one, now, 0.0, 0.0)
        if due is None:
            break
        now = due
        times.append(now)
    first = ["0:00:00", "0:00:05", "0:05:05", "0:35:05", "2:35:05", "7:35:05", "17:35:05"]
    assert [str(timedelta(seconds=at)) for at in times[:7]] == first
    assert times[7:] == [31 * 3600 + 2105, 51 * 3600 + 2105, GIVEN_UP_AFTER_S]


@hypothesis_given(st.integers(1, 50), st.floats(0, 1e6), st.floats(0, 1), st.floats(0, 1e6))
def test_an_event_is_tried_for_three_days(
    attempts: int, now: float, chance: float, asked: float
) -> None:
    """Never before its wait, never behind its end, and the consumer may ask for an hour."""
    one = Waiting(1, (), "k", b"", first_at=0.0, attempts=attempts)
    due = due_again(one, now, chance, asked)
    if now >= GIVEN_UP_AFTER_S:
        assert due is None
        return
    assert due is not None
    wait = DELAYS_S[min(attempts, len(DELAYS_S)) - 1]
    assert due <= GIVEN_UP_AFTER_S
    assert due >= min(GIVEN_UP_AFTER_S, now + max(wait, min(asked, RETRY_AFTER_S_MAX)))
    assert due <= now + max(wait * 1.2, RETRY_AFTER_S_MAX) + 1e-3


def test_a_consumer_that_is_down_is_left_alone_for_minutes_at_most() -> None:
    """A few failures are nobody's fault; then the rest grows, and ends at five minutes."""
    rests = [rest_s(failures) for failures in range(20)]
    assert rests[:DOWN_AFTER] == [0.0] * DOWN_AFTER
    assert rests[DOWN_AFTER] == 5.0
    assert rests == sorted(rests)
    assert rests[-1] == REST_S_MAX == rest_s(10_000)
