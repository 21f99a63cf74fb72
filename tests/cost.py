"""What something costs, told so that a busy machine changes nothing: no test asserts a time."""

import time
from collections.abc import Callable
from typing import Any

TRIES = 3


def growth(act: Callable[[Any], object], small: Any, large: Any) -> float:
    """How many times as much work the larger is: of this thread alone, in the best of some tries.

    What takes the square of its input's length grows by 16 where the input grows by 4.
    """
    return seconds_of(lambda: act(large)) / seconds_of(lambda: act(small))


def seconds_of(act: Callable[[], object]) -> float:
    """Of this thread's own work, in the best of some tries."""
    return min(_once(act) for _ in range(TRIES))


def _once(act: Callable[[], object]) -> float:
    started = time.thread_time()
    act()
    return max(time.thread_time() - started, 1e-6)
