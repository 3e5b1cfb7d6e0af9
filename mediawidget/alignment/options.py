"""How a search is trained: options, their defaults, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, get_args

from ..errors import require
from ..search.pair_splits import Split
from .names import Over
from .training import Schedule


class Options(TypedDict, total=False):
    """What every search takes by name.

    Attributes:
        over: what the label is chosen among, all classes ("vocabulary") or the answer and the
            wrong answer ("alternatives").
        epochs: at most.
        batch: pairs a step.
        rate: of Adam.
        patience: epochs without a gain on the pairs held aside, after which training stops; None
            for never. A map that is still soft is always trained to the end.
        starts: how many random ones at most, for a rotation has local minima. Another one is made
            only while less than nine of ten pairs that were held aside are right; the one of
            least loss is taken.
        penalty: what a map of full size costs in the loss, nats; of soft maps only.
        seed: of the starts, the batches and the split.
        train_on: numbers of the pairs that train, "half" of them (templates whole), or None: half
            where there are two independent ones, else all.
        report_on: numbers of the pairs that are reported on; default the others.
    """

    over: Over
    epochs: int
    batch: int
    rate: float
    patience: int | None
    starts: int
    penalty: float
    seed: int
    train_on: Split
    report_on: Sequence[int] | None


@dataclass(frozen=True)
class Asked:
    """Options, checked."""

    over: Over
    schedule: Schedule
    starts: int
    train_on: Split
    report_on: Sequence[int] | None


DEFAULTS: Options = {
    "over": "vocabulary",
    "epochs": 100,
    "batch": 16,
    "rate": 0.2,
    "patience": None,
    "starts": 1,
    "penalty": 0.0,
    "seed": 0,
    "train_on": None,
    "report_on": None,
}

MOST = 10**6


def asked(options: Options, **own: Any) -> Asked:
    """Options over a search's own defaults over those of all.

    Raises:
        MediationError: an unknown name, or a value that is none.
    """
    unknown = sorted(set(options) - set(DEFAULTS))
    require(
        not unknown,
        "There is no such option.",
        value=", ".join(unknown),
        expected="one of " + ", ".join(DEFAULTS),
        fix="mw.alignment.das(study, site, k=1, epochs=100)",
    )
    given: dict[str, Any] = {**DEFAULTS, **own, **options}
    _refuse_no_numbers(given)
    require(
        isinstance(given["over"], str) and given["over"] in get_args(Over),
        "A label is chosen among all classes, or between the two alternatives.",
        value=given["over"],
        expected=" or ".join(map(repr, get_args(Over))),
        fix="mw.alignment.das(study, site, over='vocabulary')",
    )
    trained = {name: given[name] for name in Schedule.__dataclass_fields__ if name in given}
    return Asked(
        given["over"], Schedule(**trained), given["starts"], given["train_on"], given["report_on"]
    )


def _refuse_no_numbers(given: Mapping[str, Any]) -> None:
    wholes = {"epochs": 1, "batch": 1, "starts": 1, "seed": 0, "patience": 1}
    for name, least in {**wholes, "rate": 1e-9, "penalty": 0.0}.items():
        value = given[name]
        if name == "patience" and value is None:
            continue
        kind = int if name in wholes else (int, float)
        require(
            isinstance(value, kind) and not isinstance(value, bool) and least <= value <= MOST,
            "Training has numbers.",
            value=f"{name}={value!r}",
            expected=f"{'an int' if name in wholes else 'a number'} from {least:g}",
            fix="mw.alignment.das(study, site, epochs=100, batch=16, rate=0.2)",
        )
