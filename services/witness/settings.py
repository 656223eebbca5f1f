"""What a witness's operator sets, from the environment, each name with the prefix `WITNESS_`."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The witness's settings."""

    model_config = SettingsConfigDict(env_prefix="WITNESS_", extra="ignore", frozen=True)

    folder: Path = Path(".data/witness")
    """Where its keys lie, and what it saw last of each log."""

    name: str = "localhost/witness"
    """The name that its cosignatures bear for ever; taken by the first `init`."""

    logs: Path | None = None
    """A policy file whose `log` lines are the logs that it watches; none: it cosigns nothing."""
