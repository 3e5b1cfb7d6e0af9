"""Effects of noise in which one cell is strong."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from mediawidget.effects import Effect, Status

Array = NDArray[np.float64]
STRONG = (1, 0)
seeds = st.integers(0, 2**32 - 1)


def grid(n: int = 24, seed: int = 0, **more: Any) -> Effect:
    """2 layers x 3 heads of noise, but for L1H0; L0H2 is 0 by construction, L1H2 not run."""
    rng = np.random.default_rng(seed)
    bases = rng.normal(size=(n, 2, 3)) * 0.3 + [[3, 0, 9], [0, 3, 9]]
    edited = rng.normal(size=(n, 2, 2, 3, 3)) * 0.3 + bases[:, :, None, None]
    edited[:, 0, *STRONG, 0] -= 1.5
    edited[:, 1, *STRONG, 0] += 2.0
    edited[:, :, 0, 2] = bases
    edited[:, :, 1, 2] = np.nan
    status = np.full((2, 3), Status.EXACT, dtype=np.uint8)
    status[0, 2], status[1, 2] = Status.IMPLIED_ZERO, Status.NOT_RUN
    return Effect(
        axes={"layer": (0, 1), "head": (0, 1, 2)},
        bases=bases,
        edited=edited,
        status=status,
        labels=tuple(f"L{layer}H{head}" for layer in range(2) for head in range(3)),
        **more,
    )


def templates(n: int, each: int = 3) -> tuple[str, ...]:
    return tuple(f"t{i // each}" for i in range(n))
