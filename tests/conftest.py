"""How thorough the property tests are, and the one server that several of them share."""

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import a_postgres

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "dev", max_examples=50, deadline=timedelta(seconds=2), suppress_health_check=SLOW_IS_FINE
)
settings.register_profile(
    "ci",
    max_examples=100,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=SLOW_IS_FINE,
)
settings.register_profile(
    "nightly", max_examples=5_000, deadline=None, suppress_health_check=SLOW_IS_FINE
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a PostgreSQL: `DATABASE_URL`, or one from its wheel."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
    else:
        with a_postgres(tmp_path_factory.mktemp("postgres")) as url:
            yield url


WALKS = frozenset(
    {
        *("test_api", "test_passkeys", "test_story", "test_two_witnesses"),
        *("test_bank_tokens", "test_certificates", "test_comparing", "test_problems"),
        *("test_reconciling", "test_repeated", "test_service_tokens", "test_signed_answers"),
    }
)
"""The tests of whole services that are traced: they walk through all of it but what fails."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Trace no test whose lines others reach as well: tracing doubles what a test takes."""
    for item in items:
        folder, name = item.path.parent.name, item.path.stem
        if folder == "browser" or (folder == "system" and name not in WALKS):
            item.add_marker(pytest.mark.no_cover)
