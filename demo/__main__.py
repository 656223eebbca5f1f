"""`./run demo`: plays the morning, then shows what the logs say of it, and stays up to be tried."""

import argparse
import asyncio
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import httpx

from demo import story
from demo.cast import SAVINGS, citizens, make_tokens, seed
from demo.integrity import LAWS, of_kind, violations
from demo.services import NotStarted, Services
from demo.show import Show
from demo.stage import Stage
from shared.clock import SandboxClock

TIMEOUT_S = 20.0
"""Seconds for one request of the demo; the services themselves wait far shorter."""


def main() -> int:
    """Play; returns 0 if everything came out as it must, 1 if not, 2 if it could not start."""
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the story")
    parser.add_argument("--folder", type=Path, help="keep all files there (default: a temporary)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    show = Show()
    with ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(_temporary()))
        try:
            return asyncio.run(_run(show, folder.absolute(), once=arguments.once))
        except FileExistsError:
            print(f"{folder} has been played in; name another folder.", file=sys.stderr)
            return 2
        except NotStarted as error:
            print(f"A service did not start.\n{error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            show.line("\nStopped.")
            return 0 if not show.wrong else 1


async def _run(show: Show, folder: Path, *, once: bool) -> int:
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - before anything runs
    tokens = make_tokens(folder)
    clock_file = folder / "clock"
    clock = SandboxClock(clock_file)
    async with AsyncExitStack() as stack:
        services = Services(folder, tokens, clock_file=clock_file)
        consent, accounts = (
            httpx.AsyncClient(base_url=one.url, timeout=TIMEOUT_S)
            for one in (services.consent, services.accounts)
        )
        await stack.enter_async_context(consent)
        await stack.enter_async_context(accounts)
        stage = Stage(services, tokens, clock, citizens(), show, consent, accounts, folder)
        stage.at(7, 0)
        stack.enter_context(services)
        await seed(stage.consent, tokens, stage.people)
        await story.play(stage)
        sound = await _report(stage)
        _verdict(show, sound=sound)
        if not once:
            await _addresses(stage)
            await asyncio.Event().wait()
    return 0 if sound and not show.wrong else 1


async def _report(stage: Stage) -> bool:
    """Show who tried what, and whether the logs are sound; returns whether they are."""
    consent, accounts = await stage.log(stage.consent), await stage.log(stage.accounts)
    rows = [[one.time, one.who, one.tried, one.outcome] for one in stage.show.steps]
    stage.show.table("Who tried what", ["time", "who", "what", "outcome"], rows)
    counts = Counter[tuple[str, str]]()
    for fact in of_kind(accounts, "account.opened.1"):
        counts[fact["data"]["commanded_by"], "opened"] += 1
    for fact in of_kind(accounts, "opening.rejected.1"):
        counts[fact["data"]["commanded_by"], ", ".join(fact["data"]["reasons"])] += 1
    per_clerk = [[who, what, str(count)] for (who, what), count in sorted(counts.items())]
    stage.show.table(
        "The same, counted from the log", ["who", "what came of it", "times"], per_clerk
    )
    keys = (await stage.consent.get("/.well-known/jwks.json")).json()
    broken = violations(consent, accounts, keys)
    laws = [[str(number), law, _broken(broken, number)] for number, law in LAWS.items()]
    stage.show.table(
        f"The logs: {len(consent)} facts of consent, {len(accounts)} of accounts",
        ["law", "what must hold", "holds"],
        laws,
    )
    for client, head in ((stage.consent, len(consent)), (stage.accounts, len(accounts))):
        await _say_witnessed(stage, client, head)
    return not broken


async def _say_witnessed(stage: Stage, client: httpx.AsyncClient, head: int) -> None:
    """Show the end of the newest proof: the checkpoint, and who signed it."""
    answer = await client.get(f"/log/{head}/proof", params={"wait": "witnessed"})
    if answer.is_error:
        stage.show.line(f"  {client.base_url}: not witnessed yet")
        return
    _, _, checkpoint = answer.text.partition("\n\n")
    names = [line.split()[1] for line in checkpoint.splitlines() if line.startswith("\N{EM DASH}")]
    origin, size, *_ = checkpoint.splitlines()
    signers = ", ".join(dict.fromkeys(names))
    stage.show.line(f"  {origin}: all {size} facts under one root, signed by {signers}")


def _broken(sentences: list[str], law: int) -> str:
    own = [one for one in sentences if one.startswith(f"law {law}:")]
    return "\n".join(own) or "yes"


def _verdict(show: Show, *, sound: bool) -> None:
    right = len(show.steps) - len(show.wrong)
    show.say(f"{right} of {len(show.steps)} steps came out as they must.")
    for step in show.wrong:
        show.line(f"  {step.time} {step.who} {step.tried}: {step.outcome}, not {step.must}")
    if not sound:
        show.line("The logs do not tell one true story; see the laws above.")


async def _addresses(stage: Stage) -> None:
    """Ask one more question, for the visitor to answer, and say where everything is."""
    tam = stage.people[2]
    stage.at(11, 40, day=10)
    visitor = await stage.ask(tam, SAVINGS)
    token = stage.tokens.by_holder["regulator"]
    consent, accounts = stage.services.consent.url, stage.services.accounts.url
    outbox = f"{consent}/sandbox/outbox?phone={tam.phone.replace('+', '%2B')}"
    stage.show.say("It stays up. Try it, and press Ctrl-C to end:")
    for text in (
        f"answer a question yourself   {stage.links[visitor]}",
        f"the code for it              {outbox}",
        f"the API                      {consent}/openapi.json  {accounts}/openapi.json",
        f"the regulator's log          curl -H 'Authorization: Bearer {token}' '{accounts}/log'",
        f"all files                    {stage.folder}",
    ):
        stage.show.line(f"  {text}")


def _temporary() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="thuan-demo-", ignore_cleanup_errors=True)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
