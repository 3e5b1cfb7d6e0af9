"""One run by the slow road, on a server: a row for every prompt that has a part in it, one pass.

Rows are a run's own prompt, and those that it takes values from. All are there from the first
block on; nothing grows, and nothing is planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .constants import noise_draw, tensors
from .edits import Edit, Knockout, Values
from .edits.base import BASES, Donor, MeanOf, NoiseOf, Recipe, Vector
from .edits.part import stacked
from .groups import drawn_prompts
from .mediators import POINTS, Place, mediator_named
from .reading import Reading, read
from .readouts import KL_CLEAN, KL_CORRUPT
from .remote_traces import Act, Setting, act_at, look_at_head, only_seen, passed
from .runs import Run
from .sites import Site

if TYPE_CHECKING:
    from .plain import PlainStrand

Where = tuple[int, str]


@dataclass(frozen=True)
class Told:
    """What one run came to.

    Attributes:
        kept: (K,).
        total: of the probabilities of the next token, which is known.
        eps: the machine epsilon of the numbers that the map to the logits makes; NaN where it is
            no module of its own.
        inner_eps: of those at the first place that is set; NaN where none is.
    """

    kept: NDArray[np.float64]
    total: float
    eps: float
    inner_eps: float


def run_there(strand: PlainStrand, run: Run) -> NDArray[np.float64]:
    """What a run keeps, (K,): one request, two where prompts are of different lengths."""
    return told(strand, run).kept


def told(strand: PlainStrand, run: Run) -> Told:
    """The same, and what shows whether the server computes as it should."""
    rows = Rows(strand)
    own = rows.of(run, strand.ids(run.base))
    asked, references, bases = strand.group.reading, None, dict.fromkeys(BASES, own)
    if {KL_CLEAN, KL_CORRUPT} & set(asked.columns):
        if set(strand.group.frame.bases) == set(BASES):
            bases = {base: rows.of(Run(base), strand.ids(base)) for base in BASES}
        else:
            references = tuple(strand.reference(base) for base in BASES)
    one = torch.tensor([strand.at], device=asked.ids.device)
    lm = strand.engine.lm
    for where in in_order(rows.settings)[:1]:
        rows.looks[where] = [own]
    of_head = look_at_head(lm, len(rows.ids))
    kept: Tensor = passed(
        lm,
        torch.stack(rows.ids),
        strand.group.frame.read_at,
        kept_and_told,
        (asked.of(one), own, tuple(bases.values()), references, len(of_head)),
        [*rows.acts(), *of_head],
        (len(asked.columns) + 3,),
    )
    *numbers, total, eps, inner_eps = kept.double().cpu().numpy()
    return Told(np.array(numbers), float(total), float(eps), float(inner_eps))


def kept_and_told(
    logits: Tensor,
    seen: list[Tensor],
    reading: Reading,
    own: int,
    bases: tuple[int, int],
    references: tuple[Tensor, Tensor] | None,
    n_heads: int,
) -> Tensor:
    """Inside a trace: what one row keeps, and the rest of ``Told``, (K + 3,).

    ``n_heads``: how many of the last that were seen are of the map to the logits.
    """
    rows = logits[[own, *bases]]
    rows = rows if rows.dtype == torch.float64 else rows.float()
    zero = torch.zeros(3, dtype=torch.int64, device=rows.device)
    where = (zero[:1], zero[:1]) if references is not None else (zero[:1] + 1, zero[:1] + 2)
    kept = read(rows, reading, zero, where, references)[0]
    following = rows[0, 0]
    # The logits themselves do not tell: some models make single precision of them at the end.
    known = [torch.nan, *(torch.finfo(one.dtype).eps for one in seen)]
    eps = kept.new_tensor([known.pop() if n_heads else torch.nan, known[-1]])
    return torch.cat([kept, following.softmax(-1).sum().to(kept)[None], eps])


@dataclass(frozen=True)
class Awaited:
    """What another pass will have looked at: which look at a place, and at which positions."""

    where: Where
    look: int
    positions: list[int]


def arrived(setting: Setting, seen: Mapping[Where, Sequence[Tensor]]) -> Setting:
    """The setting with what it awaited."""
    awaited: Any = setting.seen
    if awaited is None:
        return setting
    value = seen[awaited.where][awaited.look]
    return replace(setting, seen=value[awaited.positions][:, setting.columns])


def in_order(places: Iterable[Where]) -> list[Where]:
    """Places as a forward pass comes to them."""
    return sorted(places, key=lambda where: (where[0], POINTS.index(where[1])))


@dataclass
class Rows:
    """The rows of one pass, in an order in which each takes from earlier ones alone.

    Attributes:
        strand: whose prompts they are.
        ids: of each row, all of one length.
        settings: per place of rows what is set.
        looks: per place the rows that are looked at.
    """

    strand: PlainStrand
    ids: list[Tensor] = field(default_factory=list)
    settings: dict[Where, list[Setting]] = field(default_factory=dict)
    looks: dict[Where, list[int]] = field(default_factory=dict)
    _known: dict[Any, int] = field(default_factory=dict)
    _elsewhere: Rows | None = None

    def of(self, run: Run, ids: Tensor) -> int:
        """The row of a run on a prompt."""
        key = (run, tuple(ids.tolist()))
        if key not in self._known:
            found = [
                self._frozen(site, run) for site in held_sites(run, self.strand.group.frame.shape)
            ]
            found += [self._edited(site, edit, run) for site, edit in run.edits]
            # Behind all rows that it takes from.
            row = self._known[key] = len(self.ids)
            self.ids.append(ids)
            for where, setting in found:
                self.settings.setdefault(where, []).append(replace(setting, row=row))
        return self._known[key]

    def look(self, run: Run, ids: Tensor, where: Where) -> int:
        """Have a run looked at; which of all looks at that place it is."""
        looks = self.looks.setdefault(where, [])
        looks.append(self.of(run, ids))
        return len(looks) - 1

    def acts(self) -> list[Act]:
        """What happens at each place, in forward order."""
        lm, n_rows, found = self.strand.engine.lm, len(self.ids), []
        elsewhere = {} if self._elsewhere is None else self._elsewhere.seen()
        for stage, point in in_order({*self.settings, *self.looks}):
            where: Any = (stage, point)
            settings = sorted(self.settings.get(where, []), key=lambda one: one.row)
            known = tuple(arrived(one, elsewhere) for one in settings)
            look = tuple(self.looks.get(where, ()))
            found.append(act_at(lm, stage, where[1], n_rows, settings=known, look=look))
        return found

    def seen(self) -> dict[Where, list[Tensor]]:
        """What is looked at, (position, column) each: one request."""
        several = passed(
            self.strand.engine.lm, torch.stack(self.ids), [-1], only_seen, (), self.acts()
        )
        following = iter(several)
        return {
            where: [next(following)[0] for _ in self.looks[where]] for where in in_order(self.looks)
        }

    # --- what is set --------------------------------------------------------------------------

    def _frozen(self, site: Site, run: Run) -> tuple[Where, Setting]:
        place, columns = self._where(site)
        source = self.of(Run(run.base), self.strand.ids(run.base))
        positions = torch.tensor(self.strand.positions(site), dtype=torch.int64)
        return (place.stage, place.point), Setting(-1, positions, columns, take=1.0, source=source)

    def _edited(self, site: Site, edit: Edit, run: Run) -> tuple[Where, Setting]:
        place, columns = self._where(site)
        frame = self.strand.group.frame
        if isinstance(edit, Knockout):
            at = torch.tensor(self.strand.positions(site), dtype=torch.int64)
            nothing = torch.tensor(-torch.inf, dtype=torch.float64)
            return (place.stage, "mask"), Setting(-1, at, columns, add=1.0, added=nothing)
        recipe = edit.recipe(run.base, site)
        positions = self.strand.positions(site)
        if isinstance(recipe.constant, Values):
            positions = frame.captured(site.position)
        if isinstance(recipe.source, str) and recipe.source not in frame.bases:
            positions = tuple(p for p in positions if p in frame.partners)
        at = torch.tensor(positions, dtype=torch.int64)
        setting = Setting(-1, at, columns, recipe.keep, recipe.take, recipe.add)
        where = (place.stage, place.point)
        setting = self._with_source(setting, recipe, where)
        setting = self._with_constant(setting, recipe, positions)
        if recipe.within is not None:
            whose = np.zeros(len(positions), dtype=np.int64)
            lm, part = self.strand.engine.lm, recipe.within
            arrays = tensors(stacked([part], whose), lm.device, lm.dtype)
            setting = replace(setting, within=(part.moved, arrays))
        return where, setting

    def _with_source(self, setting: Setting, recipe: Recipe, where: Where) -> Setting:
        source, strand = recipe.source, self.strand
        if source is None:
            return setting
        if isinstance(source, Donor):
            drawn = int(drawn_prompts(strand.group, source.base, source.seed)[strand.at])
            ids = strand.group.pools[source.base].ids[drawn]
            return replace(setting, source=self.of(Run(source.base), ids))
        run: Any = Run(source) if isinstance(source, str) else source
        ids = strand.ids(run.base)
        if run.base in strand.group.frame.bases:
            return replace(setting, source=self.of(run, ids))
        # A prompt of another length is looked at in a pass of its own, before this one.
        self._elsewhere = self._elsewhere or Rows(strand)
        look = self._elsewhere.look(run, ids, where)
        partners = strand.group.frame.partners
        there = setting.positions.tolist()
        if isinstance(source, str):
            there = [partners[p] for p in there]
        return replace(setting, seen=Awaited(where, look, there))  # type: ignore[arg-type]

    def _with_constant(self, setting: Setting, recipe: Recipe, positions: Sequence[int]) -> Setting:
        constant, strand = recipe.constant, self.strand
        if constant is None:
            return setting
        if isinstance(constant, MeanOf):
            pool = strand.group.pools[constant.base].ids
            rows = [self.of(Run(constant.base), ids) for ids in pool]
            return replace(setting, mean_of=torch.tensor(rows))
        if isinstance(constant, NoiseOf):
            source = self.of(Run(constant.base), strand.ids(constant.base))
            drawn = noise_draw(constant, np.array(positions), len(setting.columns))
            return replace(setting, added=drawn, spread_of=source)
        if isinstance(constant, Vector):
            return replace(setting, added=torch.tensor(constant.numbers, dtype=torch.float64))
        return replace(setting, added=strand.given(constant, list(positions)))

    # --- where --------------------------------------------------------------------------------

    def _where(self, site: Site) -> tuple[Place, Tensor]:
        place, columns = self.strand.where(site, self.strand.group.frame.n_positions)
        return place, torch.from_numpy(columns)


def held_sites(run: Run, shape: Any) -> list[Site]:
    """Every frozen site, one by one."""
    found = []
    for held in run.freeze:
        if isinstance(held, Site):
            found.append(held)
            continue
        mediator = mediator_named(held)
        for layer in range(mediator.n_layers(shape)):
            for unit in range(mediator.units(shape)):
                where = {mediator.index: unit} if mediator.index else {}
                found.append(Site(held, layer, **where))
    return found
