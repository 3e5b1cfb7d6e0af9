"""An estimate held against runs: the sites that it ranks first, and a random sample of the rest.

Source: the check that Kramar et al. 2024 ask for, of a sample of what an estimate leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..asking import Asked
from ..effects import Effect, Status
from ..errors import MediationError, require
from ..questions import Question

if TYPE_CHECKING:
    import pandas as pd

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Chosen:
    """The cells that are run.

    Attributes:
        quantity: by which they were chosen.
        top: flat indices of the largest estimates, in order of size.
        sample: those drawn from the rest, in order of size.
        n_rest: how many there were to draw from.
    """

    quantity: str
    top: Ints
    sample: Ints
    n_rest: int

    @property
    def cells(self) -> Ints:
        """All of them, the largest first."""
        return np.concatenate([self.top, self.sample])


@dataclass(frozen=True, eq=False)
class Judged:
    """How far off an estimate is where it was checked.

    Attributes:
        table: a row per site: ``site``, ``estimate``, ``exact``, ``error`` (estimate minus exact),
            means over pairs in the metric's unit, and whether it was in the "top" or the
            "sample" (``chosen``).
        quantity: PIE, TIE...
        unit: of the numbers.
        method: of the estimate.
        n_rest: how many sites the sample stands for.
        exact: the runs, an effect on the axis "site", in the order of the table.
    """

    table: pd.DataFrame
    quantity: str
    unit: str
    method: str
    n_rest: int
    exact: Effect

    def rank_correlation(self, chosen: str | None = None) -> float:
        """Spearman's, of estimate and exact; NaN for fewer than 3 sites or where all are equal.

        Args:
            chosen: "top", "sample", or all sites. The top are chosen by the estimate, so that
                of all sites together says little of the sites that were not run.
        """
        from scipy.stats import rankdata  # takes a second, and 20 MB, to import

        some = self._some(chosen)
        if len(some) < 3:
            return float("nan")
        ranks = [rankdata(some[name]) for name in ("estimate", "exact")]
        if any(np.ptp(one) == 0 for one in ranks):
            return float("nan")
        return float(np.corrcoef(*ranks)[0, 1])

    def same_sign(self, chosen: str | None = None) -> float:
        """The share of sites whose estimate has the sign of the exact effect; 0 has one of its own.

        NaN where there are no sites.
        """
        some = self._some(chosen)
        agree = np.sign(some["estimate"]) == np.sign(some["exact"])
        return float(agree.mean()) if len(some) else float("nan")

    def mean_error(self, chosen: str | None = None) -> float:
        """Mean size of the error, in the metric's unit; NaN where there are no sites."""
        return float(self._some(chosen)["error"].abs().mean())

    @property
    def missed(self) -> pd.DataFrame:
        """Sites of the sample whose exact effect is larger than that of some of the top."""
        least = self._some("top")["exact"].abs().min()
        sample = self._some("sample")
        larger: pd.DataFrame = sample[sample["exact"].abs() > least]
        return larger

    def _some(self, chosen: str | None) -> pd.DataFrame:
        require(
            chosen in (None, "top", "sample"),
            "Sites were chosen in two ways.",
            value=chosen,
            expected="None for all, 'top' or 'sample'",
            fix="judged.rank_correlation('sample')",
        )
        return self.table if chosen is None else self.table[self.table["chosen"] == chosen]

    def __repr__(self) -> str:
        lines = [f"{self.method}, {self.quantity} in {self.unit}"]
        for name, what in (("top", "largest estimates"), ("sample", f"of {self.n_rest} others")):
            n = len(self._some(name))
            if n:
                lines.append(
                    f"{n} {what}: rank correlation {self.rank_correlation(name):.2f}, "
                    f"same sign {self.same_sign(name):.0%}, "
                    f"mean error {self.mean_error(name):.3g}"
                )
        lines.append(f"rank correlation of all {len(self.table)}: {self.rank_correlation():.2f}")
        if len(self.missed):
            lines.append(f"larger than one of the top: {', '.join(self.missed['site'])}")
        return "\n".join(lines)


def refuse_no_check(k: object, sample: object, seed: object) -> None:
    """Raise unless the sites to run are counted.

    Raises:
        MediationError: names what is not.
    """
    for name, value, least in (("k", k, 1), ("sample", sample, 0), ("seed", seed, 0)):
        require(
            isinstance(value, int) and not isinstance(value, bool) and value >= least,
            "Sites to check are counted.",
            value=f"{name}={value!r}",
            expected=f"{name} an int, at least {least}",
            fix="study.check_estimate('head', k=10, sample=10, seed=0)",
        )


def chosen(estimate: Effect, k: int, sample: int, seed: int, quantity: str | None) -> Chosen:
    """Which cells to run: the k largest estimates and a random sample of the other estimates.

    Raises:
        MediationError: nothing was estimated, or there is no such quantity.
    """
    key = quantity or ("PIE" if estimate.edit.corners else "clean")
    size = np.abs(np.broadcast_to(estimate[key], estimate.shape).reshape(-1))
    guessed = np.flatnonzero(estimate.status.reshape(-1) == Status.ESTIMATE)
    if not len(guessed):
        raise MediationError(
            "There is no estimate to check.",
            value="every cell is zero by construction or cannot be run",
            expected="sites at or after the first token in which the prompts differ",
            fix="check estimate.status",
        )
    order = guessed[np.argsort(-size[guessed], kind="stable")]
    rest = order[k:]
    draw = np.random.default_rng(seed)
    drawn = np.sort(draw.choice(len(rest), size=min(sample, len(rest)), replace=False))
    return Chosen(key, order[:k], rest[drawn], len(rest))


def asked_of(question: Question, estimate: Effect, kept: Chosen) -> Asked:
    """The cells as something to run, in one call."""
    sites, edit = question.sites, question.sweep.edit
    labels = tuple(estimate.labels[cell] for cell in kept.cells)
    cells = [{sites[cell]: edit} for cell in kept.cells]
    return Asked({"site": labels}, labels, cells, [()] * len(cells), edit)


def judged(estimate: Effect, exact: Effect, kept: Chosen) -> Judged:
    """The estimate beside what was run."""
    import pandas as pd

    guessed = np.broadcast_to(estimate[kept.quantity], estimate.shape).reshape(-1)[kept.cells]
    ran = np.asarray(exact[kept.quantity], dtype=np.float64)
    table = pd.DataFrame(
        {
            "site": list(exact.labels),
            "estimate": guessed,
            "exact": ran,
            "error": guessed - ran,
            "chosen": ["top"] * len(kept.top) + ["sample"] * len(kept.sample),
        }
    )
    method = str(estimate.facts["method"])
    return Judged(table, kept.quantity, estimate.metric.unit, method, kept.n_rest, exact)
