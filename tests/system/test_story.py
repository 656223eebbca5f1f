"""The README's story of one account, run as it stands there: four curl calls and a phone."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.cast import ACCOUNT, citizens, make_tokens, seed
from demo.phone import Phone
from demo.services import Services
from tests.support.world import new_id

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def calls() -> list[str]:
    """Return the story's shell blocks."""
    story = README.partition("## The story of one account")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", story, re.DOTALL)


def run(call: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """Run a block in a shell and return the JSON that it prints."""
    done = subprocess.run(
        ["sh", "-euc", call],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_story_of_one_account(tmp_path: Path) -> None:
    """Ask, fetch, open, confirm: each block works as printed, with the phone in between."""
    ask, fetch, open_account, confirm = calls()
    tokens, people = make_tokens(tmp_path), citizens()
    with Services(tmp_path, tokens, ports=(0, 0)) as services:

        async def seeded() -> None:
            async with httpx.AsyncClient(base_url=services.consent.url) as client:
                await seed(client, tokens, people)

        async def agree(link: str) -> None:
            async with httpx.AsyncClient(base_url=services.consent.url) as client:
                answer = await Phone(client, people[0].phone).decide(link, "given")
                assert answer.status_code == 200

        asyncio.run(seeded())
        variables = {
            "CONSENT": services.consent.url,
            "ACCOUNTS": services.accounts.url,
            "BANK_TOKEN": tokens.by_holder["so-viet"],
            "CITIZEN": people[0].id,
            "TERMS_HASH": ACCOUNT.terms_hash,
            "CONSENT_ID": new_id(),
            "OPENING_ID": new_id(),
        }
        asyncio.run(agree(run(ask, variables)["link"]))
        consent = run(fetch, variables)
        assert consent["standing"] == "given"
        variables["EVENT"] = consent["event"]
        assert run(open_account, variables)["standing"] == "opened"
        assert run(confirm, variables)["standing"] == "confirmed"
        assert run(open_account, variables)["standing"] == "confirmed"
