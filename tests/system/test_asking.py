"""Nobody gets an answer that is not documented, nor a failure of ours, whatever they ask."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.cast import ACCOUNT, CLERKS, OFFICE, SITE
from demo.documents import FOLDER
from tests.support.asking import ask
from tests.support.processes import Running, running

logger = logging.getLogger(__name__)

EXAMPLES = int(os.environ.get("ASKED_EXAMPLES", "3"))
"""Three make some 2,500 requests; bench/README.md says how many make more than 10,000."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give both services as processes, everyone registered."""
    with running(tmp_path_factory.mktemp("asking"), by_proxy=False) as both:
        yield both


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("name", ["consent", "accounts"])
def test_every_answer_is_a_documented_one(both: Running, tmp_path: Path, name: str) -> None:
    """Schema-valid and broken requests to every operation, alone and in turns."""
    document = tmp_path / f"{name}.json"
    document.write_bytes((FOLDER / document.name).read_bytes())
    known = {
        "citizen_id": both.people[0].id,
        "bank_id": ACCOUNT.bank_id,
        "product_id": ACCOUNT.id,
        "terms_hash": ACCOUNT.terms_hash,
        "purpose": ACCOUNT.purpose,
        "office_id": OFFICE[0],
        "site_id": SITE[0],
        "clerk_id": min(CLERKS),
    }
    port = {"consent": both.services.consent, "accounts": both.services.accounts}[name].port
    asked = ask(document, f"http://127.0.0.1:{port}", both.tokens.by_holder, known, EXAMPLES)
    logger.info("%s: %d requests", name, asked.requests)
    assert not asked.wrong, asked.wrong
    assert asked.requests > 500
