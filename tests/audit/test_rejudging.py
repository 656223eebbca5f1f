"""What was decided is decided again, from the export alone, and comes to the same."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.history.generate import generate
from demo.cast import OFFICE, Citizen
from services.audit.history import open_history
from services.audit.questions import ASKERS
from services.audit.rejudging import Rejudged, rejudge
from services.consent import redemptions
from shared.errors import Reason
from tests.audit.conftest import Told
from tests.support.world import World, a_running_world, new_id
from tests.support.world_exports import export_of
from tests.system.test_disputes import not_me
from tests.system.test_gate import lift, suspend
from tests.system.test_known_defects import void
from tests.system.test_policies import set_policy

DAY_S = 86_400


async def lives(world: World) -> None:
    """What can become of a question at a counter, under two policies."""
    first, second, third, fourth, fifth, sixth = world.people[:6]
    opened = await _opened(world, first)
    await _answered(world, "confirmation", *opened, account_number="10203040")
    await _answered(world, "freezing", *opened, reason="under_review")
    await _answered(world, "closure", *opened, reason="at_request")
    await suspend(world, "manager", "s-1", office_id=OFFICE[0])
    await lift(world, "manager", "s-1")
    await lift(world, "so-viet", "s-1")
    await _told_with_a_new_key(world)
    _, answer = await world.ask(second)
    await world.phone(second).decide(answer.json()["link"], "refused")
    await set_policy(world, refusal_holds_for=200 * DAY_S)
    _, link, _ = await world.given(third)
    await world.phone(third).decide(link, "withdrawn")
    _, link, event = await world.given(fourth)
    await world.open(fourth, event)
    await not_me(world, link)
    consent_id, _ = await _opened(world, fifth)
    await void(world, consent_id, "so-viet")
    await void(world, consent_id, "regulator")
    await _answered(world, "declination", *await _opened(world, sixth), reason="no_match")


async def _opened(world: World, citizen: Citizen) -> tuple[str, str]:
    """Agree and open; returns the ids of both."""
    opening_id = new_id()
    consent_id, _, event = await world.given(citizen)
    answer = await world.open(citizen, event, opening_id=opening_id)
    answer.raise_for_status()
    return consent_id, opening_id


async def _told_with_a_new_key(world: World) -> None:
    headers = {**world.tokens.header("so-viet"), "Idempotency-Key": "k-1"}
    hook = "/webhooks/main"
    body = {"url": "https://bank.example/thuan"}
    (await world.accounts.put(hook, json=body, headers=headers)).raise_for_status()
    (await world.accounts.post(f"{hook}/key", headers=headers)).raise_for_status()


async def _answered(world: World, how: str, _: str, opening_id: str, **body: str) -> None:
    headers = world.tokens.header("so-viet")
    path = f"/openings/{opening_id}/{how}"
    (await world.accounts.put(path, json=body, headers=headers)).raise_for_status()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give an export of these lives; nobody changes it."""
    folder = tmp_path_factory.mktemp("lives")
    with a_running_world(folder) as running:
        running.play(lives)
        yield export_of(running.world, folder / "export")


@pytest.fixture
def copy(place: Path, tmp_path: Path) -> Path:
    """Give a copy, to be changed."""
    return Path(shutil.copytree(place, tmp_path / "copy"))


def judged(place: Path) -> dict[str, Rejudged]:
    """Return what comes of judging an export again."""
    with open_history(place) as history:
        return {
            name: rejudge(log, history, lambda done, size: None)
            for name, log in history.logs.items()
        }


def rewritten(place: Path, old: str, new: str, *, behind: str = "{") -> int:
    """Change the first text of its kind in a copy's log of consents; returns the position."""
    file = place / "consent" / "facts" / "000001.ndjson"
    head, mark, rest = file.read_text("utf-8").partition(behind)
    before, found, after = rest.partition(old)
    assert found, old
    file.write_text(head + mark + before + new + after, "utf-8")
    return (head + mark + before).count("\n") + 1


def test_every_decision_comes_out_as_it_lies_there(place: Path) -> None:
    """Under either policy, in both logs, and none is left out but for a reason that is said."""
    made = judged(place)
    assert {name: one.otherwise for name, one in made.items()} == {"consent": [], "accounts": []}
    assert not any(one.unasked for one in made.values())
    assert made["accounts"].judged.keys() == {kind.NAME for kind in ASKERS["accounts"]}
    not_here = {kind.NAME for kind in ASKERS["consent"]} - made["consent"].judged.keys()
    assert not_here == set()


def test_a_rule_that_was_changed_since_shows(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every use that the rule of today would not let happen, and nothing else."""
    monkeypatch.setattr(redemptions, "closed", lambda *_: iter([Reason("clerk_untrained")]))
    consent = judged(place)["consent"]
    assert {one.kind for one in consent.otherwise} == {"consent.redeemed.1"}
    assert len(consent.otherwise) == consent.judged["consent.redeemed.1"]
    assert {one.says for one in consent.otherwise} == {"no: clerk_untrained"}


def test_each_is_judged_by_the_policy_that_it_names(copy: Path) -> None:
    """The dates of a stop follow from its version: under another they come out otherwise."""
    kind = '"kind":"consent.disputed.1"'
    position = rewritten(copy, '"policy_version":1', '"policy_version":0', behind=kind)
    (found,) = judged(copy)["consent"].otherwise
    assert (found.position, found.says) == (position, "another consent.disputed.1")


def test_what_lay_before_decides(copy: Path) -> None:
    """Without what was handed in, what was confirmed and used could not have been."""
    rewritten(copy, '"kind":"opening.submitted.1"', '"kind":"submission.rejected.1"')
    found = judged(copy)["consent"].otherwise
    assert [one.kind for one in found] == ["consent.confirmed.1", "consent.redeemed.1"]
    assert {one.says for one in found} == {"no: not_submitted"}


def test_a_document_that_no_key_signed_proves_nothing(copy: Path) -> None:
    """An account stands on what is signed, and on nothing else that the log says."""
    (copy / "jwks.json").write_text('{"keys":[]}', "utf-8")
    found = judged(copy)["accounts"].otherwise
    assert {one.kind for one in found} == {"account.opened.1", "stop.received.1"}


def test_the_command_tells_it(place: Path, copy: Path, told: Told) -> None:
    """Right, wrong, and what is not an export."""
    code, document = told("rejudge", place)
    assert (code, document["consent"]["otherwise"]) == (0, [])
    rewritten(copy, '"kind":"opening.submitted.1"', '"kind":"submission.rejected.1"')
    code, document = told("rejudge", copy, "--log", "consent")
    assert (code, len(document["consent"]["otherwise"])) == (1, 2)
    assert told("rejudge", copy / "nowhere")[0] == 2


def test_a_long_history_is_decided_again_alike(tmp_path: Path) -> None:
    """Of all that happens in half a year but for representatives and witnesses."""
    made = judged(generate(tmp_path / "history", 1_700, planted_every=0).export)
    assert {name: one.otherwise for name, one in made.items()} == {"consent": [], "accounts": []}
    assert made["consent"].judged.total() > 900
    assert {why for _, why in made["consent"].unasked} <= {
        "a representative's times are personal",
        "two witnesses signed",
    }
