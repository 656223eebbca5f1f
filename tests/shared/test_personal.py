"""What facts say of persons: encrypted apart, bound to its place, erased with proofs unharmed."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import psycopg
import pytest
from eventsourcing.dcb.api import DCBEvent
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from shared.clock import system_clock
from shared.errors import Unavailable
from shared.ledger import __main__ as command
from shared.ledger import stores
from shared.ledger.entries import decode
from shared.ledger.erasure import Erasure
from shared.ledger.facts import ERASED, Erased, Fact, Vocabulary, fact
from shared.ledger.integrator import Tampered
from shared.ledger.log import Log, Verb, about
from shared.ledger.personal import KeyMissing, Personal, Spoiled, SubjectKeys
from shared.ledger.recorder import Part, PersonalEvent, Recorder, StoredFact
from shared.ledger.subject_keys import create_subject_keys, open_subject_keys
from shared.ledger.tiles import unpack_entries
from shared.ledger.wrapping import WrongKey
from tests.support.postgres import in_a_schema
from tests.support.sealed import KEY, Sealed, a_log, found, unguarded

PHONE, OTHER_PHONE, NAME = "+84900012345", "+84900054321", "Nguyễn Thị Thử"


@fact(
    "note.taken.1",
    tags=("citizen",),
    personal={"citizen": ("phone",), "friend": ("friend_name", "friend_age")},
)
class NoteTaken:
    """Two persons in one fact, each under the own key."""

    citizen_id: str
    friend_id: str
    text: str
    phone: str | Erased | None = ERASED
    friend_name: str | Erased = ERASED
    friend_age: int | Erased = ERASED


@fact("person.erased.1", tags=("citizen", "key"))
class PersonErased:
    """A key must not exist any more."""

    citizen_id: str
    key_id: str


VOCABULARY = Vocabulary([NoteTaken, PersonErased])
RECORD: Verb[None, Any] = Verb(
    boundary=lambda happened: [about("citizen:nobody")],
    initial=None,
    evolve=lambda state, recorded: state,
    decide=lambda state, happened: [happened],
)


def note(citizen: str = "c1", phone: str | None = PHONE, **more: Any) -> NoteTaken:
    """Return a note about a citizen and their friend."""
    said: dict[str, Any] = {"text": "t", "friend_name": NAME, "friend_age": 7, **more}
    return NoteTaken(citizen_id=citizen, friend_id="f", phone=phone, **said)


@dataclass
class Kept:
    """A log with personal parts, its keys, and all that seals it."""

    sealed: Sealed
    keys: SubjectKeys
    log: Log
    erasure: Erasure

    @property
    def recorder(self) -> Recorder:
        """Return the store."""
        return self.sealed.recorder

    def record(self, *facts: Any) -> None:
        """Append each fact."""
        for one in facts:
            asyncio.run(self.log.perform(RECORD, one))

    def read(self) -> list[Any]:
        """Return all notes as they read now."""
        facts = asyncio.run(self.log.read(about(kinds=[NoteTaken])))
        return [recorded.fact for recorded in facts]

    def say_erased(self, citizen: str = "c1") -> list[str]:
        """Let the log say that a citizen's keys must not exist; returns them."""
        key_ids = self.keys.retire(f"citizen:{citizen}")
        self.record(*[PersonErased(citizen_id=citizen, key_id=one) for one in key_ids])
        return key_ids

    def erase(self, citizen: str = "c1") -> None:
        """Erase a citizen: fact, key, bytes."""
        self.erasure.carry_out(self.say_erased(citizen))

    def seal(self) -> None:
        """Seal what is there, with the keys beside it for whoever verifies."""
        self.sealed.integrator().step()
        self.sealed.folder.publish("vkeys", f"{KEY.verifier}\n".encode())

    def reopened(self) -> "Kept":
        """Return the same with everything opened anew, as after a start."""
        self.keys.close()
        return kept(self.sealed)


def kept(sealed: Sealed) -> Kept:
    """Return a log with the keys of its folder."""
    create_subject_keys(sealed.root)
    keys = open_subject_keys(sealed.root)
    log = Log(sealed.recorder, VOCABULARY, Personal(KEY.name, keys))
    return Kept(sealed, keys, log, Erasure(keys, sealed.recorder))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Kept]:
    """Give an empty log in a file."""
    with a_log(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path) as sealed:
        made = kept(sealed)
        yield made
        made.keys.close()


@pytest.fixture(params=["sqlite", "postgres"])
def each(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """Give an empty log, on each store in turn."""
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgres":
        address = in_a_schema(request.getfixturevalue("postgres_url"))
    with a_log(address, tmp_path) as sealed:
        made = kept(sealed)
        yield made
        made.keys.close()


def verified(made: Kept, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return what the command says of the log and its facts."""
    place = [str(made.sealed.root), "--ledger", made.sealed.address, "--json"]
    command.main(place)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


# -- kept apart ---------------------------------------------------------------------------------


def test_a_fact_comes_back_whole_and_its_bytes_say_nothing(each: Kept) -> None:
    """Read through the log nothing is missing; the fact's own bytes say nothing of anyone."""
    each.record(note(), note("c2", None, text="u"))
    assert each.read() == [note(), note("c2", None, text="u")]
    for stored in each.recorder.with_parts(each.recorder.page().facts):
        everything = stored.data + b"".join(part.data for part in stored.parts if part)
        assert len(stored.parts) == 2
        for said in (PHONE, NAME, "Thử", "friend_name"):
            assert said.encode() not in everything
        assert json.loads(stored.data)["text"] in {"t", "u"}


@given(phone=st.none() | st.text(), name=st.text(), age=st.integers(-(2**53) + 1, 2**53 - 1))
def test_whatever_is_said_comes_back(
    tmp_path_factory: pytest.TempPathFactory, phone: str | None, name: str, age: int
) -> None:
    """Any text and number, brought to NFC like all text, and no two ciphertexts are alike."""
    folder = tmp_path_factory.mktemp("keys")
    create_subject_keys(folder)
    with closing(open_subject_keys(folder)) as keys:
        personal = Personal(KEY.name, keys)
        said = note(phone=phone, friend_name=name, friend_age=age)
        first, second = personal.event(as_fact(said)), personal.event(as_fact(said))
        assert first.parts[0].data != second.parts[0].data
        back = VOCABULARY.decode(first.type, first.data, personal.opened(stored(first)))
        again = personal.event(back)
        assert personal.opened(stored(again)) == personal.opened(stored(first))
        assert back.friend_age == age


def as_fact(said: NoteTaken) -> Fact:
    """Return a note as what the decorator made it."""
    return cast("Fact", said)


def stored(event: PersonalEvent) -> StoredFact:
    """Return an event as it lies at position 1."""
    return StoredFact.new(1, system_clock(), event)


def test_each_person_has_one_key_and_each_part_its_digest_in_the_entry(each: Kept) -> None:
    """Two notes share two keys; the public entry has the digests of parts and no key's id."""
    each.record(note(), note(text="u"))
    facts = each.recorder.with_parts(each.recorder.page().facts)
    assert len({part.key_id for one in facts for part in one.parts if part}) == 2
    each.seal()
    entries = unpack_entries(each.sealed.folder.fetch("tile/entries/000.p/2"), "")
    for entry, fact_ in zip(entries, facts, strict=True):
        parts = [part for part in fact_.parts if part]
        assert decode(entry).part_digests == tuple(part.digest() for part in parts)
        assert not any(part.key_id.encode() in entry for part in parts)
        assert not any(bytes.fromhex(part.key_id) in entry for part in parts)


def test_without_keys_nothing_personal_is_read_or_written(one: Kept) -> None:
    """Without keys one replays the rest; nothing personal ever enters a fact's own bytes."""
    one.record(note())
    keyless = Log(one.recorder, VOCABULARY)
    (read,) = asyncio.run(keyless.read(about(kinds=[NoteTaken])))
    assert (read.fact.text, read.fact.phone, read.fact.friend_name) == ("t", ERASED, ERASED)
    with pytest.raises(ValueError, match="of a person"):
        asyncio.run(keyless.perform(RECORD, note()))
    assert one.recorder.head() == 1


# -- bound to its place -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        # the same person's part of the other fact: bytes, or the whole row
        """UPDATE parts SET data = (SELECT data FROM parts WHERE position = 2 AND number = 0)
        WHERE position = 1 AND number = 0""",
        # the other person's part of the same fact
        """UPDATE parts SET (key_id, data) = (SELECT key_id, data FROM parts
        WHERE position = 1 AND number = 1) WHERE position = 1 AND number = 0""",
        """UPDATE parts SET data = CAST(substr(data, 1, 20) || x'00' || substr(data, 22) AS BLOB)
        WHERE position = 1 AND number = 0""",
        "UPDATE parts SET data = x'' WHERE position = 1 AND number = 0",
    ],
)
def test_a_part_that_was_moved_or_changed_is_found(
    one: Kept, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not open, nobody signs for it, and `verify` names the position."""
    one.record(note(), note(phone=OTHER_PHONE))
    unguarded(one.sealed, damage)
    moved = one.recorder.with_parts(one.recorder.page(limit=1).facts)[0]
    with pytest.raises(Spoiled):
        Personal(KEY.name, one.keys).opened(moved)
    with pytest.raises(Unavailable):
        one.read()
    with pytest.raises(Tampered, match="position 1: a personal part"):
        one.seal()


def test_a_part_changed_after_it_was_sealed_is_found(
    one: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """`verify` looks at the parts too."""
    one.record(note(), note())
    one.seal()
    unguarded(one.sealed, "UPDATE parts SET data = CAST(data || x'00' AS BLOB) WHERE position = 2")
    document = verified(one, capsys)
    assert (document["position"], document["how"]) == (
        2,
        "a personal part differs from what was sealed",
    )


def test_a_part_opens_under_no_other_name(one: Kept) -> None:
    """Another log, another kind, another fact: the same bytes and key open nothing."""
    event = Personal(KEY.name, one.keys).event(as_fact(note()))
    with pytest.raises(Spoiled):
        Personal("localhost/other", one.keys).opened(stored(event))
    other_kind = PersonalEvent("note.taken.2", event.data, event.tags, event.parts)
    other_fact = Personal(KEY.name, one.keys).event(as_fact(note()))
    swapped = PersonalEvent(event.type, event.data, event.tags, other_fact.parts)
    for wrong in (other_kind, swapped):
        with pytest.raises(Spoiled):
            Personal(KEY.name, one.keys).opened(stored(wrong))


def test_parts_are_never_changed_nor_removed_without_a_fact(each: Kept, postgres_url: str) -> None:
    """Both stores refuse themselves, whoever asks; what is erased may go, and only that."""
    each.record(note(), note("c2"))
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException)):
        each.recorder.forget(each.keys.retire("citizen:c1"))
    for statement in ("UPDATE {}parts SET number = 5", "DELETE FROM {}parts"):
        with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException)):
            raw_statement(each, postgres_url, statement)
    each.erase()
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException)):
        raw_statement(each, postgres_url, "DELETE FROM {}parts")
    assert [note_.phone for note_ in each.read()] == [ERASED, PHONE]


def raw_statement(made: Kept, postgres_url: str, statement: str) -> None:
    """Run a statement as whoever owns the store."""
    if made.sealed.address.startswith("sqlite"):
        with closing(sqlite3.connect(made.sealed.root / "ledger.db")) as raw:
            raw.execute(statement.format(""))
        return
    schema = made.sealed.address.rpartition("schema=")[2]
    with psycopg.connect(postgres_url) as connection:
        connection.execute(statement.format(f"{schema}.").encode())


# -- erased -------------------------------------------------------------------------------------


def test_erased_is_erased_and_everything_is_still_proved(
    each: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """The person's part reads as erased, the other's stays; leaves, root and `verify` as before."""
    each.record(note(), note("c2"))
    each.seal()
    before = [one.leaf for one in each.recorder.page().facts]
    each.erase()
    first, second = each.read()
    assert (first.phone, first.friend_name, first.friend_age) == (ERASED, NAME, 7)
    assert first.text == "t"
    assert second == note("c2")
    each.seal()
    facts = each.recorder.page().facts
    assert [one.leaf for one in facts[:2]] == before
    assert all(one.leaf == one.leaf_now() for one in facts)
    document = verified(each, capsys)
    assert document["right"] is True
    assert document["parts"] == {"kept": 3, "erased": 1}
    command.main([str(each.sealed.root), "--ledger", each.sealed.address])
    assert "personal parts: 3 kept, 1 erased" in capsys.readouterr().out


def test_nothing_of_it_is_in_any_byte_of_the_files(one: Kept) -> None:
    """Neither the wrapped key nor the ciphertext is left, in databases or their journals."""
    one.record(note(), note("c2"))
    part, _ = one.recorder.with_parts(one.recorder.page(limit=1).facts)[0].parts
    assert part
    with closing(sqlite3.connect(one.sealed.root / "subject-keys.db")) as raw:
        ((wrapped,),) = raw.execute("SELECT wrapped FROM keys WHERE id = ?", [part.key_id])
    assert found(one.sealed.root, wrapped) == {"subject-keys.db-wal"}
    assert found(one.sealed.root, part.data[-16:])
    one.erase()
    assert found(one.sealed.root, wrapped) == set()
    assert found(one.sealed.root, part.data[-16:]) == set()
    assert found(one.sealed.root, part.key_id.encode())  # it is known to be destroyed


def test_a_part_that_is_missing_without_a_fact_is_found(
    one: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who removes a part behind the store's back is found, even if another key was erased."""
    one.record(note(), note("c2"), note("c3"))
    one.erase("c3")
    one.seal()
    assert verified(one, capsys)["right"] is True
    unguarded(one.sealed, "DELETE FROM parts WHERE position = 2 AND number = 0")
    document = verified(one, capsys)
    assert (document["position"], document["how"]) == (
        2,
        "a personal part is missing, and no fact erases it",
    )


@pytest.mark.parametrize("data", [b'{"n":1}', b'{"personal":{"id":"x","keys":{}}}', b"[]"])
def test_a_fact_that_does_not_name_its_keys_is_found(
    one: Kept, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever wrote such a fact could never be held to erasing its part."""
    one.recorder.append([PersonalEvent("k.1", data, ["a:1"], (Part("x", b"y"),))])
    one.seal()
    document = verified(one, capsys)
    assert (document["position"], document["how"]) == (
        1,
        "the fact does not name the keys of its personal parts",
    )


def test_an_erasure_behind_the_checkpoint_counts(
    one: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that went within the second before the next checkpoint are no false alarm."""
    one.record(note())
    one.seal()
    one.erase()
    assert verified(one, capsys)["parts"] == {"kept": 1, "erased": 1}


def test_lost_between_fact_and_key(each: Kept) -> None:
    """The fact is there, the key still is: the next start destroys it."""
    each.record(note())
    each.say_erased()
    assert each.read()[0].phone == PHONE
    each.reopened().erasure.again(VOCABULARY)
    assert each.reopened().read()[0].phone is ERASED


def test_lost_between_key_and_bytes(each: Kept) -> None:
    """The key is gone, the bytes are there: they say nothing, and the next start removes them."""
    each.record(note())
    each.keys.destroy(each.say_erased())
    assert each.read()[0].phone is ERASED
    assert each.recorder.parts([1]).keys() == {(1, 0), (1, 1)}
    each.reopened().erasure.again(VOCABULARY)
    assert each.recorder.parts([1]).keys() == {(1, 1)}


def test_bytes_that_cannot_be_removed_are_told_and_wait(
    one: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The key goes all the same, which is what counts; somebody is told."""
    one.record(note())
    with monkeypatch.context() as broken:
        broken.setattr(one.recorder, "forget", lambda key_ids: 1 / 0)
        one.erase()
    assert "still to be removed" in caplog.text
    assert one.read()[0].phone is ERASED
    one.erasure.again(VOCABULARY)
    assert one.recorder.parts([1]).keys() == {(1, 1)}


def test_keys_that_came_back_are_destroyed_again(each: Kept) -> None:
    """An old backup of the keys, restored: after the start nothing that was erased can be read."""
    each.record(note(), note("c2"))
    root = each.sealed.root
    each.keys.close()
    shutil.copy(root / "subject-keys.db", root / "old-backup")
    opened = kept(each.sealed)
    key_ids = opened.say_erased()
    opened.keys.destroy(key_ids)  # the bytes stay: only the key keeps them shut
    opened.keys.close()
    shutil.copy(root / "old-backup", root / "subject-keys.db")
    restored = kept(each.sealed)
    assert restored.read()[0].phone == PHONE
    restored.erasure.again(VOCABULARY)
    assert [one.phone for one in restored.read()] == [ERASED, PHONE]
    assert restored.keys.secret(key_ids[0]) is None
    restored.keys.close()


def test_keys_older_than_the_log_are_an_outage_and_not_an_erasure(each: Kept) -> None:
    """What cannot be read for want of a key that nobody erased is said loudly."""
    each.record(note())
    each.keys.close()
    (each.sealed.root / "subject-keys.db").unlink()
    for journal in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            (each.sealed.root / f"subject-keys.db{journal}").unlink()
    empty = kept(each.sealed)
    (stored_note,) = each.recorder.with_parts(each.recorder.page().facts)
    with pytest.raises(KeyMissing):
        Personal(KEY.name, empty.keys).opened(stored_note)
    with pytest.raises(Unavailable):
        empty.read()
    empty.keys.close()


def test_what_is_said_meanwhile_is_not_lost(one: Kept) -> None:
    """From the moment that erasing begins, new words go under a new key, and stay."""
    one.record(note())
    key_ids = one.keys.retire("citizen:c1")
    one.record(note(phone=OTHER_PHONE))
    one.record(*[PersonErased(citizen_id="c1", key_id=key_id) for key_id in key_ids])
    one.erasure.carry_out(key_ids)
    assert [said.phone for said in one.read()] == [ERASED, OTHER_PHONE]
    assert one.keys.retire("citizen:c1") != key_ids


def test_twice_is_once(each: Kept) -> None:
    """Erasing again, retiring again, starting again: nothing more happens."""
    each.record(note(), note("c2"))
    each.erase()
    head = each.recorder.head()
    each.erase()
    for _ in range(2):
        each.erasure.again(VOCABULARY)
    assert each.recorder.head() == head
    assert [said.phone for said in each.read()] == [ERASED, PHONE]
    assert each.keys.retire("citizen:c1") == []


def test_what_was_erased_is_not_recorded_anew(one: Kept) -> None:
    """A fact read with a hole in it cannot be appended as if it had none."""
    one.record(note())
    one.erase()
    with pytest.raises(ValueError, match="erased"):
        Personal(KEY.name, one.keys).event(one.read()[0])


# -- keys ---------------------------------------------------------------------------------------


def test_keys_are_wrapped_private_and_not_made_in_passing(tmp_path: Path) -> None:
    """No secret is in the database; another wrapping key opens nothing; files are the owner's."""
    create_subject_keys(tmp_path)
    with closing(open_subject_keys(tmp_path)) as keys:
        made = keys.in_use("citizen:c1")
        assert keys.in_use("citizen:c1") == made
        assert keys.secret(made.id) == made.secret
        assert found(tmp_path, made.secret) == set()
    for name in ("wrapping.key", "subject-keys.db"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    create_subject_keys(tmp_path)
    with closing(open_subject_keys(tmp_path)) as keys:
        assert keys.secret(made.id) == made.secret
    (tmp_path / "wrapping.key").write_bytes(bytes(32))
    with closing(open_subject_keys(tmp_path)) as keys, pytest.raises(WrongKey):
        keys.secret(made.id)
    (tmp_path / "subject-keys.db").unlink()
    with pytest.raises(FileNotFoundError, match="init"):
        open_subject_keys(tmp_path)


def test_two_processes_make_one_key(tmp_path: Path) -> None:
    """Of two that need a person's first key at once, both get the same."""
    create_subject_keys(tmp_path)
    with closing(open_subject_keys(tmp_path)) as one, closing(open_subject_keys(tmp_path)) as other:
        assert one.in_use("citizen:c1") == other.in_use("citizen:c1")
        one.destroy(one.retire("citizen:c1"))
        assert other.in_use("citizen:c1") == one.in_use("citizen:c1")


# -- roles --------------------------------------------------------------------------------------


def test_only_the_eraser_removes_and_it_does_nothing_else(
    postgres_url: str, tmp_path: Path
) -> None:
    """Who serves cannot remove a part; who erases cannot add a fact, nor remove a living part."""
    address = in_a_schema(postgres_url)
    schema = address.rpartition("schema=")[2]
    serving, eraser = f"{schema}_serving", f"{schema}_eraser"
    with psycopg.connect(postgres_url) as owner:
        owner.execute(f"CREATE ROLE {serving} LOGIN; CREATE ROLE {eraser} LOGIN".encode())
    with a_log(f"{address}&grant={serving}&erasing={eraser}", tmp_path) as sealed:
        sealed.recorder.close()
        sealed.recorder = stores.open_recorder(as_role(postgres_url, schema, serving), system_clock)
        made = kept(sealed)
        made.record(note(), note("c2"))
        key_ids = made.say_erased()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            made.recorder.forget(key_ids)
        with closing(
            stores.open_recorder(as_role(postgres_url, schema, eraser), system_clock)
        ) as erasing:
            Erasure(made.keys, erasing).again(VOCABULARY)
            assert made.read()[0].phone is ERASED
            assert made.recorder.parts([1]).keys() == {(1, 1)}
            with pytest.raises(psycopg.errors.RaiseException):
                erasing.forget(made.keys.retire("citizen:c2"))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                erasing.append([DCBEvent(type="k.1", data=b"{}", tags=["a:1"])])
        made.keys.close()


def as_role(postgres_url: str, schema: str, role: str) -> str:
    """Return the address of a schema as a role."""
    given_ = conninfo_to_dict(postgres_url)
    parts = {"user": role, "host": given_.get("host", ""), "port": given_.get("port", "")}
    return f"postgresql:///{given_['dbname']}?{urlencode(parts)}&schema={schema}"
