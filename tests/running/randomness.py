"""Settings for property tests: the number of examples, and whether they are random.

Rule: an ordinary run uses the same examples every time, so a new failure is always caused by a
change in the code. `make fuzz` uses random examples.
"""

from typing import Final

from hypothesis import HealthCheck, settings

FIXED: Final = "fixed"
FUZZ: Final = "fuzz"
_TIMES: Final = 40

# Time limits are disabled, because generating examples can be slow on a busy machine.
_UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def register() -> None:
    """Register the two profiles. `fixed` is the default; a pytest option can select `fuzz`."""
    settings.register_profile(FIXED, _UNHURRIED, derandomize=True, database=None)
    settings.register_profile(FUZZ, _UNHURRIED, max_examples=100 * _TIMES, print_blob=True)
    if settings.get_current_profile_name() == "default":
        settings.load_profile(FIXED)


def at_most(count: int) -> settings:
    """Return settings for a slow property: `count` examples, or 40 times as many in a fuzz run."""
    is_fuzz = settings.get_current_profile_name() == FUZZ
    return settings(max_examples=count * _TIMES if is_fuzz else count)
