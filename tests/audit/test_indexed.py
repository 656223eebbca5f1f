"""A log's own index of tags, held to the facts whenever an export is verified."""

from pathlib import Path

import pytest

from shared.ledger.indexes import KIND
from tests.audit.conftest import Told
from tests.support.exports import Facts, History, positions, with_data
from tests.support.matters import Morning


def lying(morning: Morning, position: int, **changes: object) -> History:
    """Return the morning with an index that says something else, and all else made to fit."""
    logs = {log: list(facts) for log, facts in morning.history.logs.items()}
    consent: Facts = logs["consent"]
    consent[position - 1] = with_data(consent[position - 1], **changes)
    return History(logs, morning.history.jwks, morning.history.texts)


def test_a_true_index_is_told(morning: Morning, told: Told, tmp_path: Path) -> None:
    """Up to where it goes."""
    last = positions(morning.history.logs["consent"], KIND)[-1]
    code, document = told("verify", morning.history.write(tmp_path / "export"))
    assert code == 0
    assert 0 < document["logs"]["consent"]["indexed"] < last


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        ({"root": "0" * 64}, "its leaves are not what the facts"),
        ({"count": 1}, "its leaves are not what the facts"),
        ({"first": 2}, "begins at position 2"),
        ({"index": "tags.9"}, "its leaves are of this form"),
    ],
)
def test_an_index_that_is_untrue_is_found(
    morning: Morning, told: Told, tmp_path: Path, changes: dict[str, object], how: str
) -> None:
    """Though the log's own keys and its witness signed it."""
    last = positions(morning.history.logs["consent"], KIND)[-1]
    export = lying(morning, last, **changes).write(tmp_path / "export")
    code, document = told("verify", export)
    (finding,) = document["findings"]
    assert (code, finding["position"], finding["log"]) == (1, last, "consent")
    assert how in finding["how"]
