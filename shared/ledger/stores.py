"""Opens the store that an address names: `sqlite:///folder/file.db` or `postgresql://…?schema=name`.

An address for `init` may add `&grant=role`, the role that the service will then serve as, and
`&erasing=role`, the one that may remove personal parts.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from shared.ledger import postgres, sqlite
from shared.ledger.recorder import Recorder


class UnknownStore(ValueError):
    """The address names no store that we have."""


def create_schema(address: str) -> None:
    """Make an empty ledger at the address unless there is one; raises `UnknownStore`."""
    if path := _sqlite_path(address):
        path.parent.mkdir(parents=True, exist_ok=True)
        sqlite.create_schema(path)
    else:
        url, schema, grant, erasing = _postgres_parts(address)
        postgres.create_schema(url, schema, grant, erasing)


def open_recorder(address: str, now: Callable[[], datetime]) -> Recorder:
    """Return the recorder for the address; raises `UnknownStore`, `SchemaMissing`."""
    if path := _sqlite_path(address):
        return sqlite.SQLiteRecorder(path, now)
    url, schema, *_ = _postgres_parts(address)
    return postgres.PostgresRecorder(url, schema, now)


def _sqlite_path(address: str) -> Path | None:
    prefix = "sqlite:///"
    return Path(address.removeprefix(prefix)) if address.startswith(prefix) else None


def _postgres_parts(address: str) -> tuple[str, str, str | None, str | None]:
    place, _, given = address.partition("?")
    scheme = place.partition(":")[0]
    if scheme not in {"postgresql", "postgres"}:
        raise UnknownStore(f"{scheme}: is not sqlite:/// or postgresql://")
    options = parse_qs(given)
    schema = options.pop("schema", ["public"])[0]
    grant, erasing = (options.pop(name, [None])[0] for name in ("grant", "erasing"))
    query = urlencode(options, doseq=True)
    return f"{place}?{query}" if query else place, schema, grant, erasing
