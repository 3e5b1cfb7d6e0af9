"""CounterfactualDesigner: two prompts, what rivals predict of an interchange, what happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..abstraction.drawing import (
    Counterfactual,
    Render,
    counterfactual,
    refuse_alike,
    separating,
)
from ..abstraction.hypotheses import Hypotheses, as_hypotheses
from ..errors import MediationError, require
from ..mediators import mediator_named
from ..sites import Site
from ..turns import running_loop
from ._designer_page import DesignerPage
from ._designing import SIDES, said_by, tokens_of
from ._page import front_end
from ._waiting import Waiting

if TYPE_CHECKING:
    import pandas as pd

    from ..lm import LM
    from ..study import Study


class CounterfactualDesigner(DesignerPage):
    """A base prompt and a source prompt, aligned; what each hypothesis says an interchange does.

    A click on a layer and a token runs the interchange there, on this pair: the base prompt with
    that site set to what it is on the source. A pair on which two hypotheses predict the same
    output is marked: whatever the network says, it cannot tell them apart.

    Args:
        lm: the network; of a study its model and readout.
        hypotheses: rivals, ``{name: (model, variable)}``; the page lists their inputs.
        render: inputs -> prompt.
        pairs: what is browsed; default ``n`` pairs that tell all hypotheses apart.
        n: how many are drawn.
        seed: of the draw.
        mediator: the kind of site, one that comes by layer and position.
        answer: output -> token.
        among: "vocabulary" or "outputs", as in ``mw.abstraction.iia``.

    Attributes:
        pairs: what is browsed.
        kept: pairs that were kept on the page, for ``iia(..., pairs=designer.kept)``.
        counterfactual: the pair that is shown; None where its inputs have no prompt.
        state: what the page draws; setting it raises.

    Raises:
        MediationError: hypotheses that no pair tells apart, a mediator that has heads.

    Example:
        >>> mw.CounterfactualDesigner(
        ...     mw.models.lookback(), mw.abstraction.lookback_hypotheses(),
        ...     mw.models.lookback_prompt)
    """

    _esm, _css = front_end("counterfactual_designer")

    def __init__(  # noqa: PLR0913 - all but the first three are named
        self,
        lm: LM | Study,
        hypotheses: Hypotheses,
        render: Render,
        *,
        pairs: Sequence[Counterfactual] | None = None,
        n: int = 12,
        seed: int = 0,
        mediator: str = "residual",
        answer: Callable[[Any], str] = str,
        among: str = "vocabulary",
    ) -> None:
        self.hypotheses = as_hypotheses(hypotheses)
        self.pairs = list(separating(self.hypotheses, n, seed=seed) if pairs is None else pairs)
        self.kept: list[Counterfactual] = []
        self._asked = lm
        self._lm: Any = getattr(lm, "lm", lm)
        self._model = next(iter(self.hypotheses.values())).model
        self._render, self._mediator, self._answer, self._among = render, mediator, answer, among
        _refuse_unfit(self.pairs, mediator, self._model.inputs)
        self._runs: dict[str, tuple[Counterfactual, dict[Any, int]]] = {}
        self._error = ""
        self._writing, self._seq = False, 0
        self._loop = running_loop()
        super().__init__()
        self.go(0)
        self.on_msg(self._receive)
        self._said = Waiting(self, self._lm, self._loop)

    # --- what may be done from Python too --------------------------------------------------------

    @property
    def counterfactual(self) -> Counterfactual | None:
        """The pair that is shown; None where there is no prompt of its inputs."""
        valid = all(map(self._model.is_valid, self._inputs.values()))
        if not valid or self._inputs["base"] == self._inputs["source"]:
            return None
        return counterfactual(self.hypotheses, self._inputs["base"], self._inputs["source"])

    def go(self, index: int) -> None:
        """Show another pair, counted from 0.

        Raises:
            MediationError: a number that no pair has.
        """
        require(
            0 <= index < len(self.pairs),
            "There is no such pair.",
            value=index,
            expected=f"0 to {len(self.pairs) - 1}",
            fix="designer.go(0)",
        )
        self._at: int | None = index
        self._inputs = {
            "base": dict(self.pairs[index].base),
            "source": dict(self.pairs[index].source),
        }
        self._draw()

    def set(self, side: str, name: str, value: Any) -> None:
        """Give an input of the ``base`` or of the ``source`` another value.

        Args:
            side: "base" or "source".
            name: of the input.
            value: one of the values that it can have.

        Raises:
            MediationError: no such side, input or value.
        """
        known = self._model.inputs.get(name, ())
        require(
            side in SIDES and value in known,
            "This is no input of the prompts.",
            value=(side, name, value),
            expected="'base' or 'source', an input, and one of its values",
            fix=f"designer.set('base', {next(iter(self._model.inputs))!r}, ...)",
        )
        self._inputs[side] = {**self._inputs[side], name: value}
        self._at = None
        self._draw()

    def run(self, layer: int | None = None, position: int | None = None) -> None:
        """Run the interchange at one layer and position, or at all of them.

        Args:
            layer: None: all of them.
            position: None: all of them.

        Raises:
            MediationError: no such layer or position, or no two different prompts that the causal
                model calls valid.
        """
        one = self._refuse_none()
        layers = self._layers
        positions = range(len(tokens_of(self._lm, one, self._render, self._answer)["base"]))
        sites = [
            Site(self._mediator, at, position=place)
            for at in layers
            for place in positions
            if layer in (None, at) and position in (None, place)
        ]
        require(
            bool(sites),
            "There is no such site.",
            value=(layer, position),
            expected=f"layers 0 to {len(layers) - 1}, positions 0 to {len(positions) - 1}",
            fix="designer.run() runs all",
        )
        key = self._key()
        from ..abstraction.interchange import interchange  # with torch
        from ..abstraction.measuring import outputs_of

        said = interchange(
            self._asked,
            [one],
            self._render,
            sites,
            outputs=outputs_of([*self.hypotheses.values()], [one], self._among),
            answer=self._answer,
            among=self._among,
        )
        _, known = self._runs.setdefault(key, (one, {}))
        known |= {"base": int(said.base[0]), "source": int(said.source[0, 0])}
        for site, after in zip(sites, said.after[:, 0], strict=True):
            known[site.layer, site.position] = int(after)
        self._draw()

    def keep(self) -> None:
        """Put the pair among those that are kept.

        Raises:
            MediationError: it cannot tell the hypotheses apart.
        """
        one = self._refuse_none()
        refuse_alike([one])
        if one not in self.kept:
            self.kept.append(one)
        self._draw()

    def to_dataframe(self) -> pd.DataFrame:
        """A row per interchange that was run.

        Returns:
            Both prompts, the site, what was ``said``, and what each hypothesis predicts.
        """
        import pandas as pd

        rows = [
            {
                "original": self._render(one.base),
                "counterfactual": self._render(one.source),
                "site": Site(self._mediator, place[0], position=place[1]).label(
                    None, self._lm.n_layers
                ),
                "said": said_by(self._lm, token),
                **{f"{name} predicts": self._answer(out) for name, out in one.predicted.items()},
            }
            for one, known in self._runs.values()
            for place, token in known.items()
            if place not in SIDES
        ]
        return pd.DataFrame(rows)

    # --- the page --------------------------------------------------------------------------------

    def close(self) -> None:
        """Draw no more; what was run stays readable."""
        # It is closed also where it could not be made.
        if hasattr(self, "_said"):
            self._said.close()
        super().close()

    def _refuse_none(self) -> Counterfactual:
        one = self.counterfactual
        if one is None:
            raise MediationError(
                "There is no such pair of prompts.",
                value=self._inputs,
                expected="two different prompts that the causal model calls valid",
                fix="designer.go(0)",
            )
        return one

    def __repr__(self) -> str:
        return (
            f"CounterfactualDesigner({', '.join(self.hypotheses)}; {len(self.pairs)} pairs, "
            f"{len(self.kept)} kept)"
        )


def _refuse_unfit(
    pairs: Sequence[Counterfactual], mediator: str, inputs: Mapping[str, Any]
) -> None:
    kind = mediator_named(mediator)
    require(
        not kind.index and not kind.keyed,
        "The designer has a cell per layer and token.",
        value=mediator,
        expected="'residual', 'attn_out' or 'mlp_out'",
        fix="CounterfactualDesigner(lm, hypotheses, render, mediator='residual')",
    )
    require(
        bool(pairs) and all(set(one.base) == set(inputs) for one in pairs),
        "The designer shows pairs of the hypotheses' inputs.",
        value=list(pairs)[:1],
        expected="at least one pair, of these inputs: " + ", ".join(inputs),
        fix="pairs=mw.abstraction.separating(hypotheses, 12)",
    )
