"""CircuitBoard: a circuit as a graph, changed by clicks and tested at each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..circuit import NODES, Circuit
from ..errors import MediationError, require
from ..evaluation import known
from ..evaluation.values import Ablation
from ..jobs import Job
from ..sites import Site
from ..turns import anywhere
from ..wiring import Edge
from ._page import front_end
from ._parts import Written
from .boards.desk import BoardDesk
from .boards.drawing import Drawing
from .boards.following import Following
from .boards.graph import Mode, in_mode, refuse_strange, toggled
from .boards.sizes import Sizes, refuse_no_scores
from .boards.spare import Spare
from .boards.stepping import Stepping
from .boards.steps import Steps
from .boards.table import board_html
from .boards.worth import BoardResult, Worth

if TYPE_CHECKING:
    from ..study import Study


class CircuitBoard(Stepping):
    """A circuit by layer: click a node or an edge to add or remove it, and read what that does.

    After every change the circuit is run with all else ablated, and the board shows how faithful
    it is, how large, and what leaving out each node or edge would change. Views of the study are
    linked: what is selected in one can be added, and a node can be shown in the others.

    Args:
        study: its pairs and metric; what is selected in its other views can be added.
        circuit: what to begin with; default nothing.
        scores: of edges or nodes, from any search: ``EdgeScores``, ``{Site: number}``,
            ``{Edge: number}``, the effect of a sweep. They give edges width and colour, and a
            slider that chooses the n strongest.
        ablation: what is set outside the circuit, as in ``mw.evaluation.EdgeValues``.
        over: the kinds of component that a circuit may leave out, as in ``mw.evaluation``; with
            ("head",) MLPs are always recomputed, and only node mode is left.
        mode: "edge" (single connections are kept or ablated) or "node" (whole heads and MLPs).
            Default: node mode for a circuit of nodes without edges, else edge mode. A model whose
            edges cannot be told apart is shown in node mode, and the board says so.

    Attributes:
        sizes: the scores in order of strength; None without.
        parts: none; a view has its parts there.
        note: why it is not in the mode that was asked for; empty where it is.

    Raises:
        MediationError: a circuit or scores of another network, an ablation or kinds that there
            are not, nodes of a kind that is not in ``over``.

    Example:
        >>> scores = mw.search.eap(study)
        >>> board = mw.CircuitBoard(study, scores=scores)
        >>> board.circuit = scores.circuit(40)
        >>> board.result.normalized
    """

    _esm, _css = front_end("circuit_board")

    network = Written().tag(sync=True)
    graph = Written().tag(sync=True)
    late = Written().tag(sync=True)
    curve = Written().tag(sync=True)
    selected = Written().tag(sync=True)

    def __init__(
        self,
        study: Study,
        circuit: Circuit | None = None,
        *,
        scores: Any = None,
        ablation: Ablation = "resample",
        over: Sequence[str] = NODES,
        mode: Mode | None = None,
    ) -> None:
        self.study = _as_study(study)
        self._writing = False
        self.parts: dict[str, Any] = {}
        self._worth = Worth(study, ablation, over)
        self._overlay: Circuit | None = None
        self.sizes = None if scores is None else Sizes(scores, study.lm.wiring)
        first = refuse_strange(Circuit() if circuit is None else circuit, study.lm.wiring)
        asked = self._worth.fitting(first) if mode is None else mode
        mode, self.note = self._worth.possible(asked)
        self._steps = Steps(in_mode(first, mode), mode)
        self._drawing = Drawing(self, self._worth, self._steps)
        self._spare = Spare(self._run_later, self._drawing.late)
        self._following: Following | None = None
        self._evaluate(*self._steps.now)
        super().__init__()
        self._write_all()
        self._desk = BoardDesk(self)
        self._stop = study.subscribe(self._changed)

    # --- what may be set ------------------------------------------------------------------------

    @property
    def over(self) -> tuple[str, ...]:
        """The kinds of component that a circuit may leave out."""
        return self._worth.over

    @property
    def scores(self) -> Any:
        """What gives edges their width and the slider its order; None without."""
        return None if self.sizes is None else self.sizes.scores

    @scores.setter
    def scores(self, scores: Any) -> None:
        self.sizes = None if scores is None else Sizes(scores, self.study.lm.wiring)
        self._drawing.chosen = None
        self._drawing.graph()
        self._drawing.curve()

    @property
    def overlay(self) -> Circuit | None:
        """A known circuit: its nodes are outlined, and those that are found are counted."""
        return self._overlay

    @overlay.setter
    def overlay(self, overlay: Circuit | str | None) -> None:
        found = known(overlay) if isinstance(overlay, str) else overlay
        if found is not None:
            refuse_strange(found, self.study.lm.wiring)
        self._overlay = found
        self._drawing.network()
        self._drawing.graph()

    # --- what can be done -----------------------------------------------------------------------

    @property
    def result(self) -> BoardResult:
        """What the page shows, and the values per pair behind it."""
        return self._worth.result(*self._steps.now, self._overlay)

    def toggle(self, *elements: Site | Edge) -> BoardResult:
        """Add nodes and edges, or remove those that are there; one step, evaluated once.

        Raises:
            MediationError: what ``change`` raises, and a node or an edge that the network does not
                have.
        """
        self.change(toggled(self.circuit, elements, self.mode, self.study.lm.wiring))
        return self.result

    def add_selection(self) -> BoardResult:
        """Add what is selected in the study's views.

        Raises:
            MediationError: nothing is selected, or something that is no head and no MLP.
        """
        sites = self.study.selection
        new = [site for site in sites if site not in self.circuit.nodes]
        require(
            bool(new),
            "There is nothing to add.",
            value=[site.label() for site in sites] or "nothing is selected",
            expected="heads or MLPs, selected in a linked view, that are not in the circuit",
            fix="click a head in mw.HeadGrid(study)",
        )
        return self.toggle(*new)

    def choose(self, n: int) -> BoardResult:
        """Put the n strongest by the scores on the board, as the slider does.

        Raises:
            MediationError: what ``of_size`` and ``change`` raise.
        """
        circuit, self._drawing.chosen = self.of_size(n), n
        self.change(circuit)
        return self.result

    def of_size(self, n: int) -> Circuit:
        """The circuit of the n strongest edges or nodes.

        Raises:
            MediationError: a board without scores, or no such number.
        """
        sizes = refuse_no_scores(
            self.sizes, "Without scores nothing is stronger than anything else.", n
        )
        return in_mode(sizes.strongest(n), self.mode)

    def follow(self, job: Job[Any]) -> None:
        """Show the circuit of a running search as it grows; what it ends with is one step.

        Args:
            job: with ``so_far()``, whose ``circuit`` is what was found up to now; one that
                waits is started.

        Raises:
            MediationError: a job that cannot say, or a search that is followed already.
        """
        self._refuse_following()
        self._following = Following(self, job)
        self._following.start()

    def cancel(self) -> None:
        """Stop the search that is followed; what it found stays on the board."""
        if self._following is not None:
            self._following.cancel()

    def to_json(self) -> dict[str, Any]:
        """The circuit, as ``mw.Circuit.from_json`` reads it."""
        return self.circuit.to_json()

    def to_code(self, model: str | None = None) -> str:
        """m(C) in node mode as a short script of nnsight that runs without this package.

        Args:
            model: the name or the folder to load from; default, where the model was loaded from.

        Raises:
            MediationError: edge mode, nodes at positions, an ablation or a metric without code.
        """
        from ..coding.circuits import circuit_script

        return circuit_script(
            self.study, self.circuit, self.mode, self._worth.edit, model, self.over
        )

    def close(self) -> None:
        """Let go of the study and of the page."""
        if hasattr(self, "_stop"):
            self._stop()
            self._spare.stop()
            self._desk.close()
        super().close()

    def curve_job(self) -> Job[int]:
        """``curve`` as a job: the circuits of all its sizes; nothing is committed.

        Raises:
            MediationError: the board has no scores.
        """
        sizes = refuse_no_scores(self.sizes, "There is no curve without scores.", "no scores")
        job = self._worth.job(self.mode, [self.of_size(n) for n in sizes.counts])
        job.watch(anywhere(lambda _: self._drawing.curve()))
        return job

    @anywhere
    def _changed(self, event: str) -> None:
        """The study has news: other prompts, or another selection."""
        if event == "result":
            self._drawing.selected()
        elif event == "prompts":
            self._evaluate(*self._steps.now)
            self._write_all()

    def _html(self) -> str:
        return board_html(self.result, self.note)

    def __repr__(self) -> str:
        return f"CircuitBoard({self.circuit!r}, {self.mode} mode)"


def _as_study(study: object) -> Study:
    from ..networks import refuse_network
    from ..study import Study

    if not isinstance(study, Study):
        raise MediationError(
            "CircuitBoard shows a study.",
            value=repr(study)[:200],
            expected="mw.Study(lm, pair_or_contrast)",
            fix="CircuitBoard(mw.Study(lm, pair))",
        )
    refuse_network(study.lm, "The view CircuitBoard")
    return study
