"""How often what is left to chance is tried: the profile that property tests run under decides."""

from hypothesis import settings


def rounds(*, usual: int, nightly: int) -> int:
    """Return how many rounds to go: `nightly` under `HYPOTHESIS_PROFILE=nightly`, else `usual`."""
    return nightly if settings.get_current_profile_name() == "nightly" else usual
