"""How many examples a property is tried with, and whether chance picks them.

Rule: an ordinary run tries the same examples every time, so that it fails only for what its own
commit changed. Chance has its place in `make fuzz`.
"""

from typing import Final

from hypothesis import HealthCheck, settings

FIXED: Final = "fixed"
FUZZ: Final = "fuzz"
_TIMES: Final = 40

# How long examples take to draw says how busy the machine is, a container's half core most of all.
_UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def register() -> None:
    """Make the two profiles; `fixed` is the one in force until pytest's option says otherwise."""
    settings.register_profile(FIXED, _UNHURRIED, derandomize=True, database=None)
    settings.register_profile(FUZZ, _UNHURRIED, max_examples=100 * _TIMES, print_blob=True)
    if settings.get_current_profile_name() == "default":
        settings.load_profile(FIXED)


def at_most(count: int) -> settings:
    """Settings of a slow property: this many examples, and in a fuzz run as many times more."""
    is_fuzz = settings.get_current_profile_name() == FUZZ
    return settings(max_examples=count * _TIMES if is_fuzz else count)
