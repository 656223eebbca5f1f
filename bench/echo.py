"""The other side of the comparison: a bare FastAPI route that gives the same body back."""

import sys

import uvicorn
from fastapi import FastAPI

from services.accounts.api.commands import OpenAccount

app = FastAPI()


@app.put("/openings/{opening_id}", status_code=201)
async def echo(opening_id: str, body: OpenAccount) -> OpenAccount:
    """Give the body back: validated, not judged, not stored."""
    return body


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
