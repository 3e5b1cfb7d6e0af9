"""An estimate held against runs: the sites that it ranks first, and a random sample of the rest.

Source: the check that Kramar et al. 2024 ask for, of a sample of what an estimate leaves out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..asking import Asked
from ..edits import Edit
from ..effects import Effect, Status
from ..errors import MediationError, require
from ..estimated import ESTIMATE_COLUMNS, Estimated
from ..metrics import Metric
from ..own_metric import SavedFunction
from ..precision import tolerance
from ..questions import Question
from ..readouts import ANSWER, WRONG

if TYPE_CHECKING:
    import pandas as pd

    from ..study import Study

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


def refuse_another_study(study: Study, estimate: Effect, edit: Edit, fix: str) -> None:
    """Raise unless an estimate that was kept is of a study as it is now.

    Its metric, pairs and edit are compared. Other weights show in what the prompts come to, which
    are run.

    Args:
        study: that is to run what was estimated.
        estimate: of ``Estimated``.
        edit: what the runs set sites to.
        fix: a call that estimates anew.

    Raises:
        MediationError: names what is another.
    """
    metric = estimate.metric
    of = metric.of if isinstance(metric, Estimated) else metric
    for what, same, was, now in (
        ("metric", _same_metric(of, study.metric), of, study.metric),
        ("edit", _json(estimate.edit) == _json(edit), estimate.edit, edit),
    ):
        if not same:
            told = f"an estimate of {was!r}, to be held against runs of {now!r}"
            raise _of_another(f"another {what}", told, fix)
    pair = _other_pair(study, estimate)
    if pair is not None:
        told = f"an estimate of {estimate.n_pairs} pairs, to be held against {pair}"
        raise _of_another("other pairs", told, fix)
    apart, allowed = _apart(study, estimate)
    if not apart <= allowed:
        told = (
            f"an estimate of {estimate.facts.get('model')}, whose prompts now come to numbers that "
            f"are up to {apart:.3g} from its own (at most {allowed:.3g} is rounding)"
        )
        raise _of_another("another model, or of other weights", told, fix)


def _of_another(what: str, told: str, fix: str) -> MediationError:
    return MediationError(
        f"This estimate is of {what}.",
        value=told if len(told) <= 300 else told[:300] + "...",
        expected="an estimate of the study as it is now: runs of another are no check of it",
        fix=fix,
    )


def _other_pair(study: Study, estimate: Effect) -> str | None:
    """The first pair of a study that is not an estimate's, in words; None where there is none."""
    kept = estimate.facts.get("contrast")
    was = kept.get("pairs", []) if isinstance(kept, dict) else []
    now = study.contrast.to_json()["pairs"]
    for one, other in zip_longest(was, now):
        if _plain(one) != _plain(other):
            return f"{len(now)}, of which one is {other}" if other else f"{len(now)}"
    return None


def _same_metric(one: Metric, other: Metric) -> bool:
    # Of a function a file keeps the name alone.
    return one == other or (isinstance(one, SavedFunction) and _json(one) == _json(other))


def _json(what: Metric | Edit) -> Any:
    return _plain(what.to_json())


def _plain(data: Any) -> str:
    """Data as a file has it, in which a tuple is a list."""
    return json.dumps(data, sort_keys=True, default=str)


def _apart(study: Study, estimate: Effect) -> tuple[float, float]:
    """How far the prompts' numbers are from those of an estimate, and how far they may be."""
    outcomes = study.engine.evaluate([])
    y = study.metric.read(outcomes.bases, outcomes.columns)
    now = np.stack([outcomes.bases[..., ANSWER], outcomes.bases[..., WRONG], y], axis=-1)
    allowed = tolerance(study.lm, now)
    if estimate.columns != ESTIMATE_COLUMNS or estimate.bases.shape != now.shape:
        return float("inf"), allowed
    return float(np.abs(estimate.bases - now).max()), allowed


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
