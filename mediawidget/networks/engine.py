"""Evaluates runs of a network on pairs of inputs: flat batches within a memory budget."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from ..chunks import half_of, in_halves
from ..edits import Edit, Values
from ..edits.base import BASES, Donor, MeanOf, NoiseOf
from ..engine import Axes, Engine
from ..engine_inputs import refuse_other_than_runs
from ..errors import MediationError, require
from ..filing import weights_changed
from ..groups import spans
from ..inputs import InputPair
from ..jobs import Job
from ..mediators import OF_NETWORKS
from ..memory import budget_bytes
from ..outcomes import Outcomes
from ..plan.frame import Ints
from ..reading import Reading
from ..readouts import BASE_COLUMNS, joined, token_of
from ..runs import Run
from ..sites import Site
from .anatomy import not_here
from .batch import Batch, Drawn
from .cutting import BASE_MARGIN, MOST_ROWS, Chunk, cut
from .filing import Filing
from .network import LanguageModelsOnlyError, Network
from .recording import Recorded, checked_spot, positions_at, recorded
from .tracing import Seen, run_batch


class NetworkEngine(Engine):
    """The engine of networks that are no language models.

    Every run is a row of its own for each pair, beside both inputs: nothing is shared between
    runs, nothing is left out, and nothing is taken for zero, for nobody has said that a network
    is causal in its positions.

    Args:
        network: the network.
        pairs: of one shape.
        budget: bytes a batch may take; None asks the machine each time.
        roles: per pair the names of its positions, the same ones wherever a name occurs.
        columns: what is kept of every run (``readouts.joined``).

    Attributes:
        common_roles: the names of positions that all pairs have alike.
    """

    def __init__(
        self,
        network: Network,
        pairs: Sequence[InputPair],
        budget: int | None = None,
        *,
        roles: Sequence[Mapping[str, Any]] = (),
        columns: tuple[str, ...] = BASE_COLUMNS,
    ) -> None:
        self.lm = network  # type: ignore[assignment]
        self.network = network
        self.pairs = tuple(network.encode(pairs))  # type: ignore[arg-type]
        self.budget = budget
        self.columns = joined(columns)
        self.roles = [spans(named) for named in roles] or [{} for _ in self.pairs]
        self.common_roles = _in_common(self.roles)
        both = [np.stack([getattr(pair, base) for pair in pairs]) for base in BASES]
        self.inputs = network.tensor(np.stack(both))
        self.anatomy = network.anatomy(self.inputs[0])
        self.reading = self._reading()

    # --- evaluating ---------------------------------------------------------------------------

    def job(self, runs: Sequence[Run], *, once: Sequence[Run] = (), top: int = 0) -> Job[Outcomes]:
        """Evaluate runs in parts. ``once``: further runs, on the first pair only (checks)."""
        refuse_other_than_runs([*runs, *once] if isinstance(runs, list | tuple) else runs, top)
        everything = [*runs, *once]
        plan = self._plan(everything)
        n_pairs = len(self.pairs)
        outcomes = Outcomes.empty(len(everything), n_pairs, self.columns)
        outcomes.left[:], outcomes.implied[:] = 1, False
        return Job(
            self._steps(plan, outcomes, len(once), top),
            len(runs) * n_pairs,
            lambda: outcomes,
        )

    def recall(self, runs: Sequence[Run], *, top: int = 0) -> Outcomes:
        """The same as ``evaluate``: nothing of earlier passes is kept."""
        return self.evaluate(runs, top=top)

    def values(self, site: Site, run: Run) -> Values:
        """What a site is in a run, on every pair: (pair, position, width).

        Raises:
            MediationError: no site or no run, or a site that the network does not have.
        """
        given: tuple[object, object] = (site, run)
        require(
            isinstance(given[0], Site) and isinstance(given[1], Run),
            "Activations are those of a site in a run.",
            value=(site, run),
            expected="a Site, and a Run or one of the two inputs",
            fix="study.activations(Site('unit', layer=0, unit=3), 'clean')",
        )
        spot = checked_spot(site, self.anatomy, self.common_roles)
        plan = self._plan([run])
        known, drawn = self._known(plan), self._drawn(plan)

        def see(pairs: Ints) -> Tensor:
            batch = self._batch(plan, [0], pairs, known, drawn)
            own = torch.arange(len(pairs)) + batch.block[0] * len(pairs)
            rows = dict.fromkeys(spot.taps, own.to(self.network.device))
            return torch.cat(list(self._run(batch, rows).captured.values()), dim=1)

        parts = np.array_split(np.arange(len(self.pairs)), self._n_parts(len(self.pairs) * 3))
        found = in_halves(parts, see, half_of, spot.n_positions)
        value = torch.cat([part for _, part in found])
        value = value[:, list(positions_at(site, spot, self.common_roles))]
        value = value if site.unit is None else value[..., site.unit, None]
        return Values(site, value.cpu().numpy(), run.base if not run.edits else repr(run))

    def values_of(self, sites: Sequence[Site], run: Run) -> list[Values]:
        """The same of several sites, one after another."""
        return [self.values(site, run) for site in sites]

    def cost(self, runs: Sequence[Run], once: Sequence[Run] = ()) -> tuple[int, int]:
        """How many runs on how many passes a job would be, as it would be cut."""
        plan = self._plan([*runs, *once])
        return len(runs) * len(self.pairs), len(list(self._parts(plan, len(once))))

    # --- what there is ------------------------------------------------------------------------

    @property
    def equal(self) -> bool:
        return True

    def groups_of(self, roles: frozenset[str]) -> NoReturn:  # noqa: ARG002
        """Refused: inputs come in one shape, and are in no groups.

        Raises:
            LanguageModelsOnlyError: always.
        """
        raise LanguageModelsOnlyError("This method", self.network)

    def swept(self, mediator: str, *, positional: bool) -> int:
        """How many positions a sweep has an axis for: those of the point that has most."""
        if mediator not in OF_NETWORKS:
            raise not_here(mediator, self.anatomy)
        OF_NETWORKS[mediator].n_layers(self.anatomy.shape)
        most = max(spot.n_positions for spot in self.anatomy.of_kind(mediator))
        return most if positional else 1

    def refuse_unknown(self, *kinds: object) -> None:
        for kind in kinds:
            if not isinstance(kind, str) or kind not in OF_NETWORKS:
                raise not_here(kind, self.anatomy)

    def absent(self, cell: Mapping[Site, Edit]) -> bool:
        """Whether a cell names a position or a unit that its point does not have."""
        for site in cell:
            spot = self.anatomy.spot(site)
            named = positions_at(site, spot, self.common_roles)
            beyond = max(named) >= spot.n_positions
            if beyond or (site.unit is not None and site.unit >= spot.width):
                return True
        return False

    def named(self, mediator: str, axes: Axes) -> Axes:
        """A sweep's axes with the names of points instead of their numbers."""
        names = [spot.name for spot in self.anatomy.of_kind(mediator)]
        return {**axes, "layer": tuple(names[int(layer)] for layer in axes["layer"])}

    def facts(self, mediator: str) -> dict[str, Any]:
        """The axes that each point's positions are folded from: (height, width) of an image."""
        spots = self.anatomy.of_kind(mediator)
        return {"locations": {s.name: list(s.location or (s.n_positions,)) for s in spots}}

    def refuse_edit(self, edit: Edit) -> None:
        """Raise where these pairs cannot give the edit its value.

        Raises:
            MediationError: a mean or a resampled value over a single pair.
        """
        if edit.pairwise and len(self.pairs) < 2:
            raise MediationError(
                f"A {edit.kind} over inputs needs several of them.",
                value="1 pair",
                expected="at least two pairs in the contrast",
                fix="use Contrast([...]) with more pairs, or another edit",
            )

    # --- inside -------------------------------------------------------------------------------

    def _plan(self, runs: Sequence[Run]) -> Recorded:
        require(
            self.network.anatomy(self.inputs[0]) == self.anatomy,
            "The points of the network are not what they were when the study was made.",
            value=self.network.describe(),
            expected="modules and weights of the same sizes",
            fix="study = mw.Study(network, study.contrast)",
        )
        plan = recorded(runs, self.anatomy, self.common_roles)
        for edit in {edit for run in plan.runs for _, edit in run.edits}:
            self.refuse_edit(edit)
        return plan

    def _steps(self, plan: Recorded, outcomes: Outcomes, n_once: int, top: int) -> Iterator[int]:
        """Do one part a step; yield how many (run, pair) it finished."""
        version, began = self.network.version(), time.perf_counter()
        known, drawn = self._known(plan), self._drawn(plan)
        outcomes.passes += len(known) > 0
        outcomes.seconds += time.perf_counter() - began
        asked = plan.n_asked - n_once
        filing = Filing(self.network, self.reading, outcomes, top)

        def do(part: Chunk) -> tuple[Batch, Seen]:
            needed = plan.with_lenders(part.runs.tolist())
            batch = self._batch(plan, needed, part.pairs, known, drawn)
            return batch, self._run(batch)

        for part in self._parts(plan, n_once):
            began = time.perf_counter()
            for small, (batch, seen) in in_halves([part], do, Chunk.halves, 1):
                filing.add(batch, small.runs, small.pairs, seen)
            outcomes.seconds += time.perf_counter() - began
            # Checks are of the first pairs alone.
            yield int((part.runs < asked).sum()) * len(part.pairs)
            if self.network.version() != version:
                raise weights_changed(self.lm)

    def _parts(self, plan: Recorded, n_once: int) -> Iterator[Chunk]:
        return cut(plan, len(self.pairs), self._room(), n_once)

    def _room(self) -> int:
        """How many rows fit the budget."""
        free = budget_bytes(self.network.device) if self.budget is None else self.budget
        each = self.anatomy.row_bytes + self.inputs[0, 0].numel() * self.inputs.element_size()
        return max(3, min(MOST_ROWS, free // (BASE_MARGIN * each)))

    def _n_parts(self, n_rows: int) -> int:
        return min(len(self.pairs), -(-n_rows // self._room()))

    def _batch(
        self, plan: Recorded, runs: Sequence[int], pairs: Ints, known: Any, drawn: Sequence[Drawn]
    ) -> Batch:
        return Batch(
            self.network,
            plan,
            plan.with_lenders(runs),
            pairs,
            self.inputs,
            drawn,
            known,
            self.common_roles,
        )

    def _run(self, batch: Batch, rows: Mapping[int, Tensor] | None = None) -> Seen:
        writes = {tap: [w for w, _ in some] for tap, some in batch.writes.items()}
        return run_batch(self.network, self.anatomy.taps, batch.rows(), writes, rows)

    def _known(self, plan: Recorded) -> dict[tuple[int, str], Tensor]:
        """What means and the scales of noise are made of: every pair's inputs at some taps."""
        wanted: dict[str, set[int]] = {}
        for record in (record for some in plan.of_run for record in some):
            constant = record.recipe.constant
            if isinstance(constant, MeanOf):
                wanted.setdefault(constant.base, set()).add(record.tap)
            if isinstance(constant, NoiseOf):
                wanted.setdefault(constant.base, set()).update(
                    self.anatomy.spot(constant.site).taps
                )
        found: dict[tuple[int, str], Tensor] = {}
        for base, taps in wanted.items():
            inputs = self.inputs[BASES.index(base)]
            rows = np.array_split(np.arange(len(inputs)), self._n_parts(len(inputs)))
            parts = [self._looked(inputs[torch.from_numpy(some)], taps) for some in rows]
            for tap in taps:
                found[tap, base] = torch.cat([part[tap] for part in parts])
        return found

    def _looked(self, inputs: Tensor, taps: set[int]) -> Mapping[int, Tensor]:
        rows = dict.fromkeys(taps, torch.arange(len(inputs), device=self.network.device))
        return run_batch(self.network, self.anatomy.taps, inputs, {}, rows).captured

    def _drawn(self, plan: Recorded) -> list[Drawn]:
        """For every donor which other pair lends each pair its input."""
        return [Drawn(donor, drawn_pairs(donor, len(self.pairs))) for donor in plan.donors]

    def _reading(self) -> Reading:
        """What is asked of the outputs: two classes, and those whose logits a metric wants."""
        ids = torch.tensor([[[pair.answer], [pair.wrong]] for pair in self.pairs])
        ids = ids.to(self.network.device)
        tokens = [token_of(name) for name in self.columns if token_of(name) is not None]
        asked = [self._class(str(name)) for name in tokens]
        some = torch.tensor(asked, dtype=torch.int64, device=self.network.device)
        member = torch.ones_like(ids, dtype=torch.bool)
        return Reading(ids, member, mean=False, tokens=some, columns=self.columns)

    def _class(self, name: str) -> int:
        known = [self.network.encoder.token(i) for i in range(self.anatomy.n_classes)]
        require(
            name in known,
            "The network has no such class.",
            value=name,
            expected="one of " + ", ".join(known[:20]),
            fix="Function(fn, tokens=['3']) asks for the third class's number",
        )
        return known.index(name)


def _in_common(roles: Sequence[Mapping[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """The roles that all pairs have.

    Raises:
        MediationError: a name that is of different positions in two pairs.
    """
    for name, at in roles[0].items():
        elsewhere = [named[name] for named in roles if named.get(name, at) != at]
        require(
            not elsewhere,
            "A role of inputs is at the same positions in every pair.",
            value=f"{name!r}: {at}, {elsewhere[:1]}",
            expected="one batch, whose rows are read alike",
            fix="a study of its own for pairs whose roles are elsewhere",
        )
    return {name: at for name, at in roles[0].items() if all(name in named for named in roles)}


def drawn_pairs(donor: Donor, n_pairs: int) -> Ints:
    """For every pair another one, drawn uniformly; the draw is the pair's own."""
    drawn = np.empty(n_pairs, dtype=np.int64)
    for pair in range(n_pairs):
        at = int(np.random.default_rng([donor.seed, pair]).integers(n_pairs - 1))
        drawn[pair] = at + (at >= pair)
    return drawn
