"""Opens the store that an address names: `sqlite:///folder/file.db` or `postgresql://…?schema=name`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

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
        postgres.create_schema(*_postgres_parts(address))


def open_recorder(address: str, now: Callable[[], datetime]) -> Recorder:
    """Return the recorder for the address; raises `UnknownStore`, `SchemaMissing`."""
    if path := _sqlite_path(address):
        return sqlite.SQLiteRecorder(path, now)
    return postgres.PostgresRecorder(*_postgres_parts(address), now)


def _sqlite_path(address: str) -> Path | None:
    prefix = "sqlite:///"
    return Path(address.removeprefix(prefix)) if address.startswith(prefix) else None


def _postgres_parts(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise UnknownStore(f"{parts.scheme}: is not sqlite:/// or postgresql://")
    options = parse_qs(parts.query)
    schema = options.pop("schema", ["public"])[0]
    query = urlencode(options, doseq=True)
    return urlunsplit(parts._replace(query=query)), schema
