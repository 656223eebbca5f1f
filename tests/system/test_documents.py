"""What is written down of the API is the API."""

from collections import Counter
from typing import Any

import pytest

from demo.documents import FOLDER, documents, text
from shared.oauth.scopes import Scope
from shared.web import Role

OPEN = {"health", "public log", "tokens", "keys", "notices", "problems", "sandbox"}
"""The nouns whose every operation is for everyone."""

FOR_EVERYONE = {"openings_halt", "receipts_read_list"}
"""What carries its own signature, and what is public."""


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, Any]]:
    """Give each service's document as its code has it."""
    return documents()


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every operation of a document."""
    return [one for path in document["paths"].values() for one in path.values()]


@pytest.mark.parametrize("name", ["consent", "accounts"])
def test_the_document_that_is_kept_is_the_one_of_the_code(
    made: dict[str, dict[str, Any]], name: str
) -> None:
    """Whoever reads the file reads what is served; `./run document` renews it."""
    kept = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert kept == text(made[name]), "run ./run document, and look what changed"


@pytest.mark.parametrize("name", ["consent", "accounts"])
def test_every_operation_says_what_a_client_has_to_know(
    made: dict[str, dict[str, Any]], name: str
) -> None:
    """A sentence, a name of its own, whose it is, and every no as a problem document."""
    found = operations(made[name])
    assert max(Counter(one["operationId"] for one in found).values()) == 1
    for one in found:
        assert one["description"]
        assert set(one.get("x-roles", [])) <= set(Role)
        assert ("security" in one) == ("401" in one["responses"])
        assert one.get("x-roles") or one["tags"][0] in OPEN or one["operationId"] in FOR_EVERYONE
        # What a bank may call can be left out of a client's scopes, but for what everybody reads.
        scopes = one["security"][0]["client"] if "security" in one else []
        assert set(scopes) <= set(Scope)
        whoever = set(one.get("x-roles", [])) == set(Role)
        assert len(scopes) == ("bank" in one.get("x-roles", []) and not whoever), one
        for status, answer in one["responses"].items():
            if status >= "400" and one["operationId"] != "tokens_give_token":
                assert [*answer["content"]] == ["application/problem+json"], (one, status)
