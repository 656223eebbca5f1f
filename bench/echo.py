"""The other side of the comparison: a bare FastAPI route that gives the same body back.

With a folder, an issuer and a file of clients it checks token and proof first, as the services do.
"""

import argparse
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request

from services.accounts.api.commands import OpenAccount
from shared import token_routes
from shared.authority import Authority, create_authority
from shared.clock import system_clock


def bare() -> FastAPI:
    """Return an app whose route validates a body, and neither judges nor stores it."""
    app = FastAPI()

    @app.put("/openings/{opening_id}", status_code=201)
    async def echo(opening_id: str, body: OpenAccount) -> OpenAccount:
        """Give the body back."""
        return body

    return app


def checked(authority: Authority) -> FastAPI:
    """Return an app whose route also checks whom a request is from."""
    app = FastAPI()

    @app.put("/openings/{opening_id}", status_code=201)
    async def echo(opening_id: str, body: OpenAccount, request: Request) -> OpenAccount:
        """Give the body back to whoever proved who they are."""
        await authority.caller(request)
        return body

    app.router.routes.extend(token_routes.routes(authority).routes)
    return app


def an_authority(folder: Path, issuer: str, clients: Path) -> Authority:
    """Return an authority of a side's own."""
    folder.mkdir(exist_ok=True, parents=True)
    create_authority(folder, system_clock)
    return Authority(issuer, folder, clients, system_clock)


def main() -> None:
    """Serve on a port of loopback."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--checked", nargs=3, metavar=("FOLDER", "ISSUER", "CLIENTS"))
    arguments = parser.parse_args()
    app = bare()
    if arguments.checked:
        folder, issuer, clients = arguments.checked
        app = checked(an_authority(Path(folder), issuer, Path(clients)))
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
