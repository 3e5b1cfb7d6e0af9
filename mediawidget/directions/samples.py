"""What a site is on the prompts of a study, and what the prompts are called."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..edits import Subspace
from ..edits.base import BASES
from ..engine import Engine
from ..erasure.labelled import joined, mark, refuse_unequal
from ..erasure.naming import one_each, refuse_no_labels
from ..errors import require
from ..mediators import mediator_named
from ..networks import as_network
from ..prompts import PromptPair
from ..runs import Run
from ..sites import Site
from ..statistics import cluster_codes, clusters_of
from ..study import Study, refuse_no_study
from .found import NOTHING, Array, Direction

Labels = Sequence[Any] | Literal["answers"] | None

MOST_NUMBERS = 1 << 24
"""How many numbers of several sites are asked for at once, about."""

_Both = tuple[Array, Array]
_LAST: WeakKeyDictionary[Engine, tuple[Any, dict[Site, _Both]]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Samples:
    """The values of a site, a row per pair and position.

    Attributes:
        clean, corrupt: (pair * position, width) each, float64.
        n_pairs: how many.
    """

    study: Study
    site: Site
    clean: Array
    corrupt: Array

    @property
    def n_pairs(self) -> int:
        return len(self.study.contrast)

    @property
    def label(self) -> str:
        """The site's name on these prompts."""
        return self.study.labels([self.site])[0]

    @property
    def differences(self) -> Array:
        """(pair * position, width) clean - corrupt."""
        return self.clean - self.corrupt

    @property
    def flat(self) -> bool:
        """Whether the site is the same on both prompts of every pair, but for rounding."""
        return bool(np.abs(self.differences).max() <= NOTHING * np.abs(self.clean).max())

    def direction(self, subspace: Subspace, made: str, n_pairs: int, **more: Any) -> Direction:
        """The subspace with what is to be said of it on these pairs.

        Raises:
            MediationError: it is of another width than the site.
        """
        require(
            subspace.width == self.clean.shape[1],
            "A subspace is one of the site's space.",
            value=subspace,
            expected=f"vectors of {self.clean.shape[1]} numbers, as {self.label} has",
            fix="make it at this site: mw.directions.difference_of_means(study, site)",
        )
        basis = subspace.basis
        shift = self.differences.mean(0) @ basis.T @ basis
        norm = float(np.linalg.norm(self.clean, axis=1).mean())
        return Direction(self.site, self.label, subspace, made, n_pairs, shift, norm, **more)

    def refuse_flat(self) -> None:
        """Raise where the two prompts give the same value."""
        require(
            not self.flat,
            "The site is the same on both prompts, so nothing tells them apart there.",
            value=self.label,
            expected="a site after the first difference of the prompts, and not before it",
            fix="study.sweep('residual', by='position') shows where there is an effect",
        )

    def _refuse_same(self, values: Array) -> None:
        """Raise where all prompts give the same value, whatever they are called."""
        spread = np.abs(values - values[0]).max()
        require(
            spread > NOTHING * np.abs(values).max(),
            "The site is the same on all of these prompts, so nothing tells labels apart there.",
            value=self.label,
            expected="a site after the first difference of the prompts",
            fix="mw.Site('residual', 3, position='END')",
        )

    def labelled(self, labels: Labels) -> tuple[Array, NDArray[Any], NDArray[np.intp]]:
        """Values, their labels, and what each must stay together with where a probe is tested.

        That is a pair, the pairs of its template and those that share a prompt with it; where that
        chains most of them together, what is read on one prompt alone.

        Args:
            labels: None tells clean from corrupt; "answers" names every prompt by its answer, of
                the corrupt ones the wrong answer; else a label per pair, of the clean prompts.

        Raises:
            MediationError: not as many labels as pairs, missing ones, or all the same; values
                that are all the same.
        """
        n = self.n_pairs
        positions = len(self.clean) // n
        pairs = list(self.study.contrast)
        codes, prompts = cluster_codes(clusters_of(pairs), n), [pair.clean for pair in pairs]
        if labels is None or isinstance(labels, str):
            first, second = _names(pairs, labels)
            names = one_each([*first, *second])
            values, codes = np.concatenate([self.clean, self.corrupt]), np.tile(codes, 2)
            prompts += [pair.corrupt for pair in pairs]
        else:
            listed: Any = labels
            ordered = isinstance(listed, Iterable) and not isinstance(listed, Mapping | AbstractSet)
            given = list(listed) if ordered and getattr(listed, "ndim", 1) > 0 else []
            require(
                len(given) == n and all(isinstance(one, Hashable) for one in given),
                "Labels are those of the clean prompts, one a pair.",
                value=labels,
                expected=f"{n} labels, 'answers', or None for clean against corrupt",
                fix="labels=[pair.answer_text for pair in study.contrast]",
            )
            names, values = one_each(given), self.clean
        refuse_no_labels(names)
        self._refuse_same(values)
        return (
            values,
            np.repeat(names, positions),
            np.repeat(joined(codes, _numbered(prompts)), positions),
        )


def samples(study: Study, site: Site) -> Samples:
    """What a site is on the clean and on the corrupt prompts.

    Raises:
        MediationError: attention patterns, which are no vector space; what
            ``study.activations`` raises.
    """
    refuse_no_study(study)
    refuse_no_vector(site)
    return Samples(study, site, *_values(study, site))


def refuse_no_vector(site: object) -> None:
    """Raise unless ``site`` is one whose value is a vector."""
    require(
        isinstance(site, Site) and mediator_named(site.mediator).point != "pattern",
        "Directions are those of a site whose value is a vector.",
        value=site,
        expected="Site('residual', 3, position='END'), or of head, neurons, mlp_out, attn_out",
        fix="mw.Site('residual', 3, position='END')",
    )


def refuse_no_subspace(given: object) -> None:
    """Raise where something else stands for a subspace."""
    require(
        isinstance(given, Subspace),
        "This is asked of a subspace.",
        value=given,
        expected="an mw.Subspace, or a Direction",
        fix="mw.directions.placebo(study, site, mw.Subspace.spanned(vectors))",
    )


def in_batches(study: Study, sites: Iterable[Site]) -> Iterator[Site]:
    """Sites of one mediator, the values of as many as are not too much read in one pass.

    ``samples`` of a site finds them until the next site is asked for: on a server that is two
    requests for all of them, not for each. They come in order of what can be read together.
    """
    mark = _mark(study)
    if mark is None:
        yield from sites
        return
    alike: dict[Any, list[Site]] = {}
    for site in sites:
        alike.setdefault(_extent(site), []).append(site)
    size = len(study.contrast) * max(map(len, study.engine.pairs)) * study.lm.d_model
    step = max(1, MOST_NUMBERS // size)
    for some in alike.values():
        for at in range(0, len(some), step):
            batch = some[at : at + step]
            _read(study, batch, mark)
            yield from batch


def _extent(site: Site) -> Any:
    """The same for sites of as many positions: a role has as many as the pairs give it."""
    at = site.position
    return len(at) if isinstance(at, tuple) else type(at) if isinstance(at, int) else at


def _mark(study: Study) -> Any:
    """Changes with the weights; None where nobody can tell, so that nothing is kept."""
    lm = study.lm
    if as_network(lm):
        return None
    return lm.fingerprint() if lm.remote is None else (lm.version(), lm.identity())


def _read(study: Study, sites: Sequence[Site], mark: Any) -> dict[Site, _Both]:
    """Read sites of one width on both prompts, and keep them in place of those before."""
    several = [study.engine.values_of(sites, Run(base)) for base in BASES]
    found: dict[Site, _Both] = {}
    for site, *both in zip(sites, *several, strict=True):
        refuse_unequal(site, *(one.array for one in both))
        clean, corrupt = (one.array.reshape(-1, one.array.shape[-1]) for one in both)
        found[site] = clean.astype(np.float64), corrupt.astype(np.float64)
    _LAST[study.engine] = mark, found
    return found


def _values(study: Study, site: Site) -> _Both:
    """(pair * position, width) on the clean and on the corrupt prompts.

    Of the sites that were asked for last they are kept, as long as the weights are the same, for
    directions of one site are made one after another.
    """
    mark = _mark(study)
    kept, found = _LAST.get(study.engine, (None, {}))
    if mark is None or kept != mark or site not in found:
        found = _read(study, [site], mark)
    return found[site]


def _names(pairs: Sequence[PromptPair], labels: str | None) -> tuple[list[str], list[str]]:
    """What the clean and what the corrupt prompts are called."""
    require(
        labels in (None, "answers"),
        "Labels are a list, or a name for one.",
        value=labels,
        expected="'answers', None for clean against corrupt, or a label per pair",
        fix="labels='answers'",
    )
    if labels is None:
        return ["clean"] * len(pairs), ["corrupt"] * len(pairs)
    return [pair.answer_text for pair in pairs], [pair.wrong_text for pair in pairs]


def _numbered(prompts: Sequence[Any]) -> NDArray[np.intp]:
    """(prompt,) a number each, the same for what is the same: texts, or arrays."""
    known: dict[str | bytes, int] = {}
    return np.array([known.setdefault(mark(one), len(known)) for one in prompts], dtype=np.intp)
