"""A desk for lists of banks."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from services.accounts.facts import VOCABULARY
from shared.clock import system_clock
from shared.ledger import stores
from shared.ledger.log import Log
from shared.marks import Marks
from tests.support.lists import Desk
from tests.support.postgres import in_a_schema


@pytest.fixture(scope="module")
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """Give a desk, on SQLite unless a test says otherwise."""
    folder = tmp_path_factory.mktemp("desk")
    address = f"sqlite:///{folder / 'ledger.db'}"
    if getattr(request, "param", "sqlite") == "postgres":
        address = in_a_schema(request.getfixturevalue("postgres_url"))
    stores.create_schema(address)
    with closing(Log(stores.open_recorder(address, system_clock), VOCABULARY)) as log:
        yield Desk(log, Marks(bytes(32)), folder)
