"""A study: one model, one contrast, one metric, and everything that was run on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .base_runs import BaseRuns
from .edits import Edit, Patch, as_edit
from .effects import Effect
from .engine import Engine
from .errors import require
from .estimates import Estimates
from .experiments import Experiments
from .grids import Grids
from .inputs import InputPair
from .lm import LM
from .logbook import Logbook
from .metrics import LogitDiff, Metric, as_metric
from .naming import common_roles, position_names
from .networks import Network, NetworkEngine, as_network
from .pictures import study_picture
from .prompts import Contrast, PromptPair, as_contrast, settled
from .readouts import Readout, joined
from .sites import Site
from .token_pairs import TokenPair
from .validity import Check
from .watchers import Watchers


class Study(BaseRuns, Experiments, Logbook, Estimates):
    """The state behind every view: what is asked, what was run, what is selected.

    Args:
        lm: the model, or another network with its points.
        pairs: a prompt pair, several, or a contrast; of inputs for another network.
        metric: one number per pair; a change of it runs nothing.
        edit: what sweeps and clicks set sites to.
        readout: at which position the answers are read, and what one of several tokens is worth.

    Attributes:
        contrast: the pairs.
        token_pairs: the same as the model reads them.
        engine: evaluates runs on these pairs.
        history: the interventions on the present prompts, whatever the edit; ``undo``, ``redo``,
            and ``walk`` walk it.
        revision: goes up whenever earlier grids stop being answers to the present question.

    Raises:
        MediationError: prompts of different token length, unknown answers, and so on; each names
            the value, what was expected and the fix.

    Example:
        >>> study = mw.Study(lm, pair)
        >>> study.sweep("head")["PIE"].shape
        (6, 4)
    """

    def __init__(
        self,
        lm: LM | Network,
        pairs: PromptPair | Sequence[PromptPair] | InputPair | Sequence[InputPair],
        metric: Metric | None = None,
        edit: Edit | None = None,
        readout: Readout | None = None,
    ) -> None:
        _refuse_no_model(lm)
        _refuse_no_readout(readout)
        self.lm: LM = lm  # type: ignore[assignment] # a network answers to what is asked of it here
        self.readout = Readout() if readout is None else readout
        self.revision = 0
        self._metric = as_metric(LogitDiff() if metric is None else metric)
        self._edit = as_edit(Patch() if edit is None else edit)
        self._watchers = Watchers()
        self._grids = Grids()
        self._estimates = Grids()
        self._proven: dict[Any, list[Check]] = {}
        self._total: Effect | None = None
        self._last: Effect | None = None
        self._names: tuple[str, ...] | None = None
        self._set_contrast(as_contrast(pairs))

    # --- the question -----------------------------------------------------------------------

    @property
    def contrast(self) -> Contrast:
        """The pairs. Of others the same is asked: metric, edit and readout stay, results go."""
        return self._contrast

    @contrast.setter
    def contrast(self, pairs: PromptPair | Sequence[PromptPair]) -> None:
        self._set_contrast(as_contrast(pairs))
        self._watchers.tell("prompts")

    @property
    def metric(self) -> Metric:
        """One number per pair. Setting it reads every result anew and runs nothing.

        But for metrics that read what was not kept (KL, rank, further tokens): results that lack
        it are dropped, and what is asked next keeps it.
        """
        return self._metric

    @metric.setter
    def metric(self, metric: Metric) -> None:
        before, self._metric = self._metric, as_metric(metric)
        try:
            if set(metric.columns) <= set(self.engine.columns):
                self._rescore(metric)
            else:
                self._set_contrast(self.contrast)
        except BaseException:
            self._metric = before
            raise
        if metric != before:
            self._estimates.clear()
        self._watchers.tell("prompts")

    def _rescore(self, metric: Metric) -> None:
        """Read every result anew: all of them, or where one cannot be read none."""
        grids = self._grids.rescored(metric)
        total = self._total.rescore(metric) if self._total else None
        last = self._last.rescore(metric) if self._last else None
        entries = [e and replace(e, effect=e.effect.rescore(metric)) for e in self.history]
        self._grids, self._total, self._last = grids, total, last
        self.history.change(entries)

    @property
    def edit(self) -> Edit:
        """What sweeps and clicks set sites to. Results under other edits are kept."""
        return self._edit

    @edit.setter
    def edit(self, edit: Edit) -> None:
        self.engine.refuse_edit(as_edit(edit))
        self._edit = edit
        self.revision += 1
        # What was run stays to be walked back to, under the edits that it was run with.
        self.history.add(None)
        self._last = None
        self._watchers.tell("prompts")

    def swap(self) -> None:
        """Exchange the prompts and the answers: what was corrupt becomes clean.

        Partners stay partners. Roles and the readout move with them; a role with a position that
        has no partner is dropped.

        Raises:
            MediationError: the readout is at a number, which is another one in each pair's other
                prompt.
        """
        if as_network(self.lm):
            self.contrast = self.contrast.swapped()
            return
        swapped = self.contrast.swapped([read.alignment for read in self.token_pairs])
        before, self.readout = self.readout, _moved(self.readout, self.token_pairs)
        try:
            self._set_contrast(swapped)
        except BaseException:
            self.readout = before
            raise
        self._watchers.tell("prompts")

    # --- results ------------------------------------------------------------------------------

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of positions that every pair has."""
        return common_roles(self.contrast)

    @property
    def position_names(self) -> tuple[str, ...]:
        """A name per position: the token, the role where pairs differ, or the bare number."""
        if self._names is None:
            self._names = position_names(self.contrast, self.token_pairs)
        return self._names

    @property
    def grids(self) -> Mapping[str, Effect]:
        """What was swept or clicked under the present edit: ``head``, ``residual@position``..."""
        return self._grids.under(self._edit)

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Be told of changes: "prompts", "grid:<key>", "result". Returns how to stop it."""
        return self._watchers.add(callback)

    def __repr__(self) -> str:
        name = f" {self.contrast.name}" if self.contrast.name else ""
        pairs = "1 pair" if len(self.contrast) == 1 else f"{len(self.contrast)} pairs"
        run = ", ".join(self.grids) or "nothing"
        return f"Study({self.lm.name},{name} {pairs}, {self._metric.name}; run: {run})"

    def _repr_html_(self) -> str:
        return study_picture(repr(self), self.known_total, self.grids)

    # --- inside -------------------------------------------------------------------------------

    def _set_contrast(self, contrast: Contrast, columns: Sequence[str] = ()) -> None:
        token_pairs = self.lm.encode(contrast, self.readout)
        make: Any = NetworkEngine if as_network(self.lm) else Engine
        engine: Engine = make(
            self.lm,
            token_pairs,
            roles=[pair.roles for pair in contrast],
            columns=joined(columns, self._metric.columns),
        )
        engine.refuse_edit(self._edit)
        self._contrast, self.token_pairs, self.engine = settled(contrast), token_pairs, engine
        self._names = None  # found when they are asked for
        self._forget()

    def labels(self, sites: Sequence[Site]) -> tuple[str, ...]:
        """The sites' names on these prompts.

        Raises:
            MediationError: what is no list of sites.
        """
        given: object = sites
        require(
            isinstance(given, list | tuple) and all(isinstance(one, Site) for one in given),
            "Labels are those of sites.",
            value=sites,
            expected="a list of Site",
            fix="study.labels([Site('head', layer=3, head=1)])",
        )
        network = as_network(self.lm)
        if network is not None:
            return tuple(map(network.label, sites))
        names = self.position_names
        return tuple(site.label(names, self.lm.n_layers) for site in sites)


def _refuse_no_model(lm: object) -> None:
    require(
        isinstance(lm, LM | Network),
        "A study is of a model.",
        value=lm,
        expected="an LM, or a Network",
        fix="lm = mw.load(); mw.Study(lm, pair)",
    )


def _refuse_no_readout(readout: object) -> None:
    require(
        readout is None or isinstance(readout, Readout),
        "A readout says where the answers are read.",
        value=readout,
        expected="None for after the last token, or Readout(...)",
        fix="Study(lm, pair, readout=Readout(9))",
    )


def _moved(readout: Readout, pairs: Sequence[TokenPair]) -> Readout:
    """The readout of the same tokens where the prompts are exchanged; a role moves by itself."""
    at = readout.position
    if not isinstance(at, int):
        return readout
    there = [(read.partner(readout.at(len(read)), "clean"), len(read.corrupt)) for read in pairs]
    if all(place == at % length for place, length in there):
        return readout
    places = {place for place, _ in there}
    require(
        len(places) == 1,
        "The readout is at a number, and its partners in the corrupt prompts have several.",
        value=f"Readout({at}); partners at {', '.join(map(str, sorted(places)))}",
        expected="a readout that is at one position of all corrupt prompts too",
        fix="roles={'read': 9} on every pair, and Study(lm, pairs, readout=Readout('read'))",
    )
    return replace(readout, position=places.pop())


def refuse_no_study(study: object) -> None:
    """Raise where something else stands for a study."""
    require(
        isinstance(study, Study),
        "This is asked of a study.",
        value=study,
        expected="a Study: a model and pairs of prompts",
        fix="study = mw.Study(mw.load(), pair)",
    )
