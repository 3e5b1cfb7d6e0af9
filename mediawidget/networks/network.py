"""A network that is no language model, made ready for interventions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from nnsight import NNsight
from torch import Tensor, nn

from ..errors import MediationError, require
from ..identity import Contents
from ..inputs import InputPair
from ..mediators import PointShape
from ..own_traces import refuser
from ..readouts import Readout
from ..sites import Position, Site
from ..turns import Lock
from ..weights import traced
from .anatomy import Anatomy, Spot
from .classes import Classes
from .failing import reading_inputs, refuse_lazy
from .points import RECURRENT, as_points
from .probing import anatomy_of
from .unrolled import unrolled


class LanguageModelsOnlyError(MediationError, AttributeError):
    """Something that only language models have, asked of another network."""

    def __init__(self, what: str, network: object, fix: str = "") -> None:
        super().__init__(
            f"{what} is for language models alone.",
            value=repr(network),
            expected="a study of a language model: mw.Study(mw.load(), pair)",
            fix=fix
            or "study.sweep('layer') or study.sweep('channel', by='position') draws itself in a "
            "cell, and mw.charts.maps(effect) draws locations; study.intervene({site: edit})",
        )


def refuse_network(model: object, what: str, fix: str = "") -> None:
    """Raise where ``what`` is asked of a network that is no language model.

    Args:
        model: a language model, or a network.
        what: what was asked, for the message: "A tuned lens".
        fix: what to do instead; default: how results of a network are drawn.

    Raises:
        LanguageModelsOnlyError: it is a ``Network``.
    """
    if isinstance(model, Network):
        raise LanguageModelsOnlyError(what, model, fix)


class Network:
    """Any module of torch whose rows are inputs and whose output is (row, class).

    Made by ``load``. Recurrent layers that are points are unrolled in a copy of the module which
    computes with the same weights; everything else is the module itself, in evaluation mode.

    Attributes:
        hf: the module that is run; the name is that of ``LM``.
        name: for people.
        points: where it can be edited, by name.
        device, dtype: of its weights.

    Raises:
        MediationError: points that the module does not have or that cannot be points, or weights
            that are not in single or double precision, or that have no numbers yet.
    """

    def __init__(
        self, module: nn.Module, points: Any, *, name: str, classes: Sequence[str] = ()
    ) -> None:
        refuse_lazy(module)
        self.points = as_points(points, module)
        recurrent = [
            point.path
            for point in self.points.values()
            if point.side == "output" and isinstance(module.get_submodule(point.path), RECURRENT)
        ]
        module.eval()
        self.hf = unrolled(module, recurrent) if recurrent else module
        self.name = name
        self.encoder = Classes(classes)
        self.lock = Lock(refuser(self))
        self.origin = self.backend = self.worker = self.remote = None
        tensors = [*module.parameters(), *module.buffers()]
        weight = next((t for t in tensors if t.is_floating_point()), torch.empty(0))
        self.device, self.dtype = weight.device, weight.dtype
        require(
            self.dtype in (torch.float32, torch.float64),
            "A network is run in single or double precision.",
            value=self.dtype,
            expected="torch.float32 or torch.float64",
            fix="mw.load(module, points={...}, dtype=torch.float32)",
        )
        self._contents = Contents(self.hf)
        self._traced = traced(self.hf)
        self._known: dict[tuple[Any, ...], Anatomy] = {}
        self._last: Anatomy | None = None

    # --- what it is -------------------------------------------------------------------------

    def tensor(self, inputs: Any) -> Tensor:
        """Inputs (row, ...) as the network reads them: floats in its precision, on its device.

        Raises:
            MediationError: no numbers.
        """
        with reading_inputs(inputs):
            given = inputs if isinstance(inputs, Tensor) else torch.from_numpy(np.array(inputs))
            dtype = self.dtype if given.is_floating_point() else given.dtype
            return given.to(self.device, dtype)

    def output_of(self, rows: Tensor) -> Tensor:
        """What the module itself makes of inputs; it may write over them, for they are a copy.

        Args:
            rows: (row, ...) inputs.

        Raises:
            MediationError: whatever its forward raises, but for want of memory.
        """
        with reading_inputs(rows):
            output: Tensor = self.hf(rows.clone())
            return output

    def anatomy(self, inputs: Tensor) -> Anatomy:
        """The points on inputs (row, ...) of this shape, found once.

        Raises:
            MediationError: what ``anatomy_of`` raises, a network in training mode, and inputs
                that its forward does not take.
        """
        self.refuse_training_mode()
        self.version()  # which forgets what the points were of modules that are no more
        # A weight may be replaced by one of another size.
        sizes = tuple(parameter.shape for parameter in self.hf.parameters())
        key = (tuple(inputs.shape[1:]), inputs.dtype, sizes)
        if key not in self._known:
            with reading_inputs(inputs), self.lock:
                rows = inputs[:1].expand(3, *inputs.shape[1:])
                self._known[key] = self._probed(rows)
        self._last = self._known[key]
        return self._last

    @property
    def known(self) -> Anatomy:
        """The points as they were on the inputs that came last.

        Raises:
            MediationError: there were no inputs yet.
        """
        if self._last is None:
            raise MediationError(
                "What the points are is known once the network has seen an input.",
                value=self.name,
                expected="a study of it",
                fix="study = mw.Study(network, pairs)",
            )
        return self._last

    @property
    def shape(self) -> PointShape:
        """The sizes that sites are checked against."""
        return self.known.shape

    @property
    def full_cut(self) -> Site | None:
        """A site through which all goes that the input does to the output; None if none does."""
        name = self.known.cut
        return None if name is None else self.site("layer", name)

    def site(
        self, kind: str, point: str, unit: int | None = None, position: Position = None
    ) -> Site:
        """The site of a kind at a point that is named.

        Args:
            kind: "layer", "channel", "unit", "hidden", "cell".
            point: its name, as ``describe`` says them.
            unit: as in ``Site``.
            position: as in ``Site``.

        Raises:
            MediationError: a network that has seen no input yet, no such point, or a point
                without such a kind.

        Example:
            >>> study = mw.Study(network, [mw.InputPair(clean=x0, corrupt=x1, answer=3, wrong=5)])
            >>> network.site("channel", "conv1", unit=3) == mw.Site("channel", 0, unit=3)
            True
        """
        spot = self.known.named(point)
        if kind not in spot.kinds:
            raise MediationError(
                "The point has no such kind of component.",
                value=f"{kind!r} of {point!r}",
                expected="one of " + ", ".join(map(repr, spot.kinds)),
                fix=f"network.site({spot.kinds[0]!r}, {point!r})",
            )
        return Site(kind, self.known.of_kind(kind).index(spot), unit=unit, position=position)

    def label(self, site: Site) -> str:
        """A site's name with its point's: ``conv1[3] @ 12``, ``memory.h @ 4``."""
        label = f"{self.known.spot(site).name}"
        label += "" if site.unit is None else f"[{site.unit}]"
        at = site.position
        several = at if isinstance(at, tuple) else (at,)
        return label if at is None else f"{label} @ {', '.join(map(str, several))}"

    def describe(self) -> str:
        """What is loaded, and its points in forward order."""
        count = sum(p.numel() for p in self.hf.parameters())
        lines = [f"{self.name}: {type(self.hf).__name__}, {count:,} parameters"]
        if self._last is None:
            return "\n".join([*lines, *(f"{n}: {p.path}" for n, p in self.points.items())])
        return "\n".join([*lines, *(_described(self._last, spot) for spot in self._last.spots)])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise LanguageModelsOnlyError(f"The attribute {name!r}", self)

    def __repr__(self) -> str:
        return f"Network({self.name!r}, points {', '.join(self.points)})"

    # --- pairs ------------------------------------------------------------------------------

    def encode(self, pairs: Sequence[Any], readout: Readout | None = None) -> list[InputPair]:
        """The pairs, refused where this network cannot be asked about them.

        Args:
            pairs: ``InputPair`` each.
            readout: None: such a network is read at its output.

        Returns:
            The pairs, as they are.

        Raises:
            MediationError: pairs of prompts, of several shapes, classes that there are not.
        """
        for pair in pairs:
            require(
                isinstance(pair, InputPair),
                "A network that is no language model is asked about inputs.",
                value=pair,
                expected="mw.InputPair(clean=tensor, corrupt=tensor, answer=3, wrong=5)",
                fix="a prompt is for a language model: mw.load()",
            )
        require(
            readout is None or readout == Readout(),
            "A network that is no language model is read at its output.",
            value=readout,
            expected="None",
            fix="Study(network, pairs)",
        )
        shapes = {(pair.shape, str(pair.clean.dtype)) for pair in pairs}
        require(
            len(shapes) == 1,
            "The pairs of a study are of one shape and one kind of number.",
            value=sorted(shapes),
            expected="inputs of one shape",
            fix="a study of its own for each shape",
        )
        n = self._n_classes(pairs)
        for pair in pairs:
            if max(pair.answer, pair.wrong) >= n:
                raise MediationError(
                    "A pair's answer is no class of the network.",
                    value=repr(pair),
                    expected=f"classes from 0 to {n - 1}",
                    fix="InputPair(..., answer=0, wrong=1)",
                )
        return list(pairs)

    # --- state ------------------------------------------------------------------------------

    @property
    def traced(self) -> NNsight:
        """The module as nnsight wraps it."""
        self.version()
        return self._traced

    def refuse_training_mode(self) -> None:
        """Raise where two equal rows might differ, or rows read each other.

        Dropout is random in training mode, and a batch norm takes mean and spread from the batch,
        so that every run would change with the runs beside it.

        Raises:
            MediationError: a module of it is in training mode; it names which.
        """
        training = [name for name, part in self.hf.named_modules() if part.training]
        if training:
            raise MediationError(
                "The network is in training mode: dropout is random there, and a batch norm makes "
                "every row depend on the others.",
                value=", ".join(name or type(self.hf).__name__ for name in training[:5]),
                expected="a network all of whose modules are in evaluation mode",
                fix="network.hf.eval()",
            )

    def version(self) -> tuple[int, ...]:
        """Changes when a module, parameter or buffer is replaced, moved or written in place."""
        if self._contents.moved():
            self._contents = Contents(self.hf)
            self._traced = traced(self.hf)
            self._known.clear()
        return self._contents.version()

    def _n_classes(self, pairs: Sequence[InputPair]) -> int:
        """Numbers in a row of the output, after every input that may be refused was read."""
        first = pairs[0].clean
        n = self.anatomy(self.tensor(first[None])).n_classes
        # Whole numbers are looked up in a table, which may not have all of them.
        for pair in pairs if first.dtype.kind in "iu" else ():
            with reading_inputs(pair), self.lock, torch.no_grad():
                self.hf(self.tensor(np.stack([pair.clean, pair.corrupt])))
        return n

    def _probed(self, rows: Tensor) -> Anatomy:
        return anatomy_of(self.hf, self.points, rows)


def as_network(model: object) -> Network | None:
    """The model, if it is a network; None of a language model."""
    return model if isinstance(model, Network) else None


def _described(anatomy: Anatomy, spot: Spot) -> str:
    places = " x ".join(map(str, spot.location)) or str(spot.n_positions)
    counted = ", ".join(f"{kind} {anatomy.of_kind(kind).index(spot)}" for kind in spot.kinds)
    plural = "" if spot.n_positions == 1 else "s"
    return f"{spot.name}: {counted}; {places} position{plural} of {spot.width}"
