"""What erasers and probes are fitted on: values, what each is called, and which belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edits import Values
from ..edits.base import BASES
from ..errors import MediationError, require
from ..mediators import mediator_named
from ..prompts import PromptPair
from ..runs import Run
from ..sites import Site
from ..statistics import cluster_codes, clusters_of
from ..study import Study
from .naming import kinds, numbered, one_each, refuse_no_labels

Array = NDArray[np.float64]

CHAINED = 0.25
"""The largest share of values that those which pairs share may chain into one group."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Values with labels.

    Attributes:
        array: (n, width) the values, float64.
        names: (n,) their labels.
        groups: (n,) numbers: what a probe must have all on one side of a split: the prompts of
            one pair, pairs of one template, and equal values wherever they come from. Where values
            that pairs share chain too many of these together, equal values alone.
        site: where they were read; None for arrays.
        prompts: the prompts they were read on, texts or arrays; () for arrays.
    """

    array: Array
    names: NDArray[Any]
    groups: NDArray[np.intp]
    site: Site | None = None
    prompts: tuple[Any, ...] = ()

    @property
    def classes(self) -> list[Any]:
        """The labels, each once, sorted."""
        return kinds(self.names)

    @property
    def codes(self) -> NDArray[np.intp]:
        """(n,) which of the classes each is: what probes are fitted on, whatever labels are."""
        return numbered(self.names)

    @property
    def chance(self) -> float:
        """The share of the commonest label."""
        return float(np.bincount(self.codes).max() / len(self.names))

    def some(self, index: NDArray[Any]) -> Labelled:
        """Some of them."""
        parts = (self.array[index], self.names[index], self.groups[index])
        return Labelled(*parts, self.site, self.prompts)


def labelled(values: Any, site: Any = None, labels: Any = None) -> Labelled:
    """Values and labels from arrays, from captured values or from a study.

    Args:
        values: (n, width) numbers and ``labels`` one a row; or ``mw.Values`` and one a pair; or a
            study and a ``site``.
        site: where, in a study; with arrays the labels may stand here.
        labels: of a study, by default clean against corrupt; "answers", each prompt by its own
            answer; or per pair two of them, the clean prompt's and the corrupt one's: a list, or a
            function of the pair.

    Raises:
        MediationError: labels that are not as many as the values, missing, or all the same.
    """
    if isinstance(values, Study):
        return _of_study(values, site, labels)
    names = site if labels is None else labels
    if isinstance(values, Values):
        array = np.asarray(values.array, dtype=np.float64)
        n, positions, width = array.shape
        rows, where = array.reshape(-1, width), values.site
        names = np.repeat(_flat(names, n), positions)
        groups = np.repeat(np.arange(n), positions)
    else:
        rows, where = _matrix(values), None
        names, groups = _flat(names, len(rows)), np.arange(len(rows))
    return _checked(Labelled(rows, names, groups, where))


def of_run(study: Study, site: Site, labels: Any, edits: Any) -> Labelled:
    """The values of a site in runs with these edits, on both prompts of every pair."""
    pairs = list(study.contrast)
    parts = [study.activations(site, Run(base, edits)).array for base in BASES]
    refuse_unequal(site, *parts)
    positions, width = parts[0].shape[1:]
    named = [np.repeat(names, positions) for names in of_pairs(pairs, labels)]
    codes = np.repeat(cluster_codes(clusters_of(pairs), len(pairs)), positions)
    prompts = tuple(getattr(pair, base) for base in BASES for pair in pairs)
    values = np.concatenate(parts).reshape(-1, width).astype(np.float64)
    return Labelled(values, np.concatenate(named), np.tile(codes, 2), site, prompts)


def _of_study(study: Study, site: object, labels: Any) -> Labelled:
    require(
        isinstance(site, Site) and mediator_named(site.mediator).point != "pattern",
        "A property is erased at a site whose value is a vector.",
        value=site,
        expected="Site('residual', 3, position='END'), or of head, mlp_out, attn_out",
        fix="mw.erasure.leace(study, mw.Site('residual', 3, position='END'))",
    )
    return _checked(of_run(study, site, labels, {}))  # type: ignore[arg-type]


def refuse_unequal(site: Site, clean: Array, corrupt: Array) -> None:
    """Raise unless the site has as many positions, (pair, position, width), on both prompts."""
    require(
        clean.shape == corrupt.shape,
        "The prompts of a pair have different numbers of positions there.",
        value=f"{site.label()}: {clean.shape[1]} on the clean and {corrupt.shape[1]} on the "
        "corrupt prompts",
        expected="a site at positions that both prompts have",
        fix="a position or a role that both have: mw.Site('residual', 3, position=2)",
    )


def of_pairs(pairs: Sequence[PromptPair], labels: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """What the clean and what the corrupt prompt of every pair is called.

    Raises:
        MediationError: not two labels a pair.
    """
    if labels is None:
        return np.full(len(pairs), "clean"), np.full(len(pairs), "corrupt")
    if isinstance(labels, str) and labels == "answers":
        both: Any = [(pair.answer_text, pair.wrong_text) for pair in pairs]
    elif callable(labels) and not isinstance(labels, type):
        both = [labels(pair) for pair in pairs]
    else:
        both = None if isinstance(labels, str) else labels
    halves = _halves(both)
    if any(names.shape != (len(pairs),) for names in halves):
        raise MediationError(
            "Both prompts of a pair have a label.",
            value=repr(labels)[:200],
            expected=f"None for clean against corrupt, 'answers', or {len(pairs)} pairs of labels, "
            "a list of them or a function of the pair",
            fix="labels=lambda pair: (pair.answer_text, pair.wrong_text)",
        )
    return halves


def _halves(both: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """The first and the second of every pair of labels; of no entries if they are none."""
    if isinstance(both, list | tuple) and all(map(_two, both)):
        flat = one_each([one[i] for i in range(2) for one in both])
        return flat[: len(both)], flat[len(both) :]
    array = one_each(both)
    if array.ndim == 2 and array.shape[1] == 2:
        return array[:, 0], array[:, 1]
    return np.empty((0, 0)), np.empty((0, 0))


def _two(labels: object) -> bool:
    return isinstance(labels, list | tuple) and len(labels) == 2


def _checked(found: Labelled) -> Labelled:
    refuse_no_labels(found.names)
    rounded = np.round(found.array / max(float(np.abs(found.array).max()), 1e-300), 6)
    _, same = np.unique(rounded, axis=0, return_inverse=True)
    groups = joined(found.groups, same.reshape(-1))
    return Labelled(found.array, found.names, groups, found.site, found.prompts)


def joined(groups: NDArray[np.intp], same: NDArray[np.intp]) -> NDArray[np.intp]:
    """Groups of which those that share something are one: a prompt may be in several pairs.

    Where that chains more than a quarter of the values together, and more than the largest group
    has by itself, what is the same alone is of one group. A few large templates stay whole.

    Args:
        groups: (n,) numbers.
        same: (n,) numbers, equal where values are one and the same.
    """
    found = _components(groups, same)
    most = max(CHAINED * len(found), np.bincount(groups).max())
    return found if np.bincount(found).max() <= most else same


def _components(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """Numbers of the groups in which all are together that share either of two marks."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = int(one.max()) + 1
    size = n + int(other.max()) + 1
    links = coo_array((np.ones(len(one)), (one, n + other)), shape=(size, size))
    _, parts = connected_components(links, directed=False)
    return np.unique(parts[one], return_inverse=True)[1]


def mark(prompt: Any) -> str | bytes:
    """The same for what is the same prompt: its text, or of an array its numbers."""
    return prompt if isinstance(prompt, str) else np.asarray(prompt).tobytes()


def numbers(values: Any) -> Array:
    """Anything as an array of numbers; one without entries if it is none, or not all finite."""
    listed = values.detach().cpu() if hasattr(values, "detach") else values
    try:
        array = np.asarray(listed, dtype=np.float64)
    except (AttributeError, OverflowError, RuntimeError, TypeError, ValueError):
        return np.empty(0)
    return array if np.isfinite(array).all() else np.empty(0)


def _matrix(values: Any) -> Array:
    array = numbers(values)
    require(
        array.ndim == 2 and array.size > 0,
        "Values are a matrix of finite numbers, or a study's.",
        value=np.shape(array) if array.size else values,
        expected="(n, width), mw.Values, or a Study and a Site",
        fix="mw.erasure.leace(study, site), or mw.erasure.leace(array, labels)",
    )
    return array


def _flat(labels: Any, n: int) -> NDArray[Any]:
    listed = labels.detach().cpu() if hasattr(labels, "detach") else labels
    names = one_each(listed)
    require(
        names.shape == (n,),
        "Every value has a label.",
        value=labels,
        expected=f"{n} labels",
        fix="mw.erasure.leace(array, labels)",
    )
    return names
