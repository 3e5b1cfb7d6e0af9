"""Edges between features: what one feature's change does to a later one's code.

Estimated by the gradient of the later code along the earlier feature's decoder row, and tested: the
earlier feature is set to its value on the other prompt, and the later code is read in that run.

Source: Marks et al. 2024, whose edges are estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..edits.base import Base, other
from ..edits.sparse import SAE, encoded
from ..errors import MediationError, is_one_of, require
from ..gradients import Where, differentiated, refuse_no_gradients
from ..groups import Group
from ..mediators import POINTS, mediator_named
from ..mediators.base import positions_of
from ..pieces import wide
from ..runs import Run, roles_named
from ..study import Study, refuse_no_study
from ..token_pairs import refuse_several_tokens
from .cells import Cells, refuse_other_width
from .nodes import Node, refuse_no_nodes

Array = NDArray[np.float64]
Direction = Literal["restore", "break"]

AT_ONCE = 16
"""Prompts in one pass."""


@dataclass(frozen=True, eq=False)
class FeatureEdges:
    """By how much each earlier node moves each later feature's code.

    Attributes:
        upstream: the earlier nodes, which are set.
        downstream: the later ones, whose codes are read.
        estimate: (upstream, downstream, pair), first order.
        exact: (upstream, downstream, pair), by runs.
        direction: "restore": the corrupt run gets the clean value. "break": the other way round.
    """

    upstream: tuple[Node, ...]
    downstream: tuple[Node, ...]
    estimate: Array
    exact: Array
    direction: Direction

    @property
    def n_pairs(self) -> int:
        """How many pairs every mean is over."""
        return int(self.exact.shape[-1])

    def to_dataframe(self) -> pd.DataFrame:
        """A row an edge, the largest exact change first: means over pairs, in the code's unit."""
        rows = [
            (up.label(), down.label(), self.estimate[i, j].mean(), self.exact[i, j].mean())
            for i, up in enumerate(self.upstream)
            for j, down in enumerate(self.downstream)
        ]
        table = pd.DataFrame(rows, columns=["upstream", "downstream", "estimate", "exact"])
        return table.sort_values("exact", key=np.abs, ascending=False, ignore_index=True)

    def __repr__(self) -> str:
        gap = np.abs(self.estimate - self.exact).mean()
        return (
            f"FeatureEdges({len(self.upstream)} x {len(self.downstream)} features, "
            f"{self.direction}; mean change of a code {np.abs(self.exact).mean():.3g}, estimates "
            f"off by {gap:.3g}; n={self.n_pairs})"
        )


def edges(
    study: Study,
    upstream: Sequence[Node],
    downstream: Sequence[Node],
    direction: Direction = "restore",
) -> FeatureEdges:
    """Estimate what earlier nodes do to later features, and run it.

    Args:
        study: the pairs. Nodes at positions need pairs of one length.
        upstream: features or errors, set one at a time to their value on the other prompt.
        downstream: features of later sites, whose code is read; over several positions its sum.
        direction: "restore": in the corrupt run; "break": in the clean run.

    Returns:
        Both numbers of every edge and pair. The runs are the truth, the estimates a first order.

    Raises:
        MediationError: nodes that are not earlier than the others, an error downstream, answers
            of several tokens.

    Source: Marks et al. 2024, whose edges are estimates.

    Example:
        >>> low, high = mw.features.teaching(3), mw.features.teaching(4)
        >>> Node = mw.features.Node
        >>> mw.features.edges(study, [Node(low, 343, "END")], [Node(high, 88, "END")])
    """
    refuse_no_study(study)
    refuse_no_nodes(upstream)
    refuse_no_nodes(downstream)
    _refuse_backward(study, upstream, downstream)
    require(
        is_one_of(direction, ("restore", "break")),
        "Features are restored or broken.",
        value=direction,
        expected="'restore' or 'break'",
        fix="mw.features.edges(study, upstream, downstream, 'break')",
    )
    refuse_no_gradients(study.lm, "mw.features.circuit(study, nodes)")
    refuse_several_tokens(
        study.token_pairs,
        "Codes are read in a prompt, and a fed answer has more positions.",
        "mw.features.circuit(study, nodes), or a contrast of single words",
    )
    base: Base = "corrupt" if direction == "restore" else "clean"
    pairs = {(up.sae, down.sae) for up in upstream for down in downstream}
    shape = (len(upstream), len(downstream), len(study.contrast))
    estimate = np.zeros(shape)
    for low, high in pairs:
        ups = [i for i, node in enumerate(upstream) if node.sae == low]
        downs = [i for i, node in enumerate(downstream) if node.sae == high]
        some = _Slopes(study, base, [upstream[i] for i in ups], [downstream[i] for i in downs])
        estimate[np.ix_(ups, downs)] = some.estimates()
    exact = _exact(study, base, upstream, downstream)
    return FeatureEdges(tuple(upstream), tuple(downstream), estimate, exact, direction)


def _exact(study: Study, base: Base, upstream: Sequence[Node], downstream: Sequence[Node]) -> Array:
    """(upstream, downstream, pair): the change of each code in a run with one node set."""
    read: list[tuple[SAE, Any]] = list(dict.fromkeys((n.sae, n.position) for n in downstream))

    def seen(run: Run) -> Array:
        """(downstream, pair): codes, summed over positions."""
        found = {
            (sae, at): sae.encode(study.activations(sae.at(at), run).array).sum(1)
            for sae, at in read
        }
        return np.array([found[n.sae, n.position][:, int(n.unit or 0)] for n in downstream])

    own = seen(Run(base))
    return np.array([seen(Run(base, {up.site: up.edit})) - own for up in upstream])


class _Slopes:
    """Gradients of the features of one later site along the nodes of one earlier site."""

    def __init__(
        self, study: Study, base: Base, ups: Sequence[Node], downs: Sequence[Node]
    ) -> None:
        self.study, self.base, self.ups, self.downs = study, base, ups, downs
        self.low, self.high = ups[0].sae, downs[0].sae
        self.cells = Cells(study, self.low, None)

    def estimates(self) -> Array:
        """(upstream, downstream, pair)."""
        found = np.zeros((len(self.ups), len(self.downs), len(self.study.contrast)))
        touching = [Run(self.base, {node.site: node.edit}) for node in [*self.ups, *self.downs]]
        for group in self.study.engine.groups_of(roles_named(touching)):
            if group.gives == "wrong":
                continue
            for start in range(0, len(group.members), AT_ONCE):
                rows = np.arange(len(group.members))[start : start + AT_ONCE]
                found[:, :, group.members[rows]] = self._of(group, rows)
        return found

    def _of(self, group: Group, rows: NDArray[np.int64]) -> Array:
        """(upstream, downstream, row) of some prompts of a group."""
        lm, places = self.study.lm, [self._where(self.low), self._where(self.high)]
        ids = group.ids[group.frame.bases.index(self.base)][torch.from_numpy(rows)]
        changes = torch.stack([self._change(node, group, rows) for node in self.ups])
        found = []
        with differentiated(lm, ids, group.frame.read_at, places, torch.sum) as passed:
            low, high = (passed.seen[where] for where in places)
            value = self._columns(high.reshape(*ids.shape, -1), self.high)
            arrays = {n: value.new_tensor(a) for n, a in self.high.shared.items()}
            each = encoded(value, arrays)
            for node in self.downs:
                at = positions_of(node.position, group.frame.n_positions, group.frame.roles)
                number = each[:, list(at), int(node.unit or 0)].sum()
                (slope,) = torch.autograd.grad(number, low, retain_graph=True)
                slope = self._columns(wide(slope.reshape(*ids.shape, -1)), self.low)
                found.append((slope * changes.to(slope)).sum((-1, -2)))
        return torch.stack(found, 1).double().cpu().numpy()

    def _change(self, node: Node, group: Group, rows: NDArray[np.int64]) -> Tensor:
        """What setting a node changes at its site: (row, position, width)."""
        at = list(positions_of(node.position, group.frame.n_positions, group.frame.roles))
        pairs = group.members[rows]
        own = np.stack([self.cells.seen[self.base][pair] for pair in pairs])
        lent = np.stack([self.cells.seen[other(self.base)][pair] for pair in pairs])
        more = self.low.encode(lent) - self.low.encode(own)
        if node.unit is None:
            moved = self.low.error(lent) - self.low.error(own)
        else:
            moved = more[..., node.unit, None] * self.low.w_dec[node.unit]
        change = np.zeros(own.shape)
        change[:, at] = moved[:, at]
        return torch.from_numpy(change)

    def _columns(self, value: Tensor, sae: SAE) -> Tensor:
        place = mediator_named(sae.site.mediator).place(sae.site, self.study.lm.shape)
        return value[..., place.unit * sae.width : (place.unit + 1) * sae.width]

    def _where(self, sae: SAE) -> Where:
        place = mediator_named(sae.site.mediator).place(sae.site, self.study.lm.shape)
        return place.stage, place.point


def _refuse_backward(study: Study, upstream: Sequence[Node], downstream: Sequence[Node]) -> None:
    def order(node: Node) -> tuple[int, int]:
        place = mediator_named(node.sae.site.mediator).place(node.sae.site, study.lm.shape)
        return place.stage, POINTS.index(place.point)

    last = max((order(node) for node in upstream), default=(0, 0))
    if (
        not upstream
        or not downstream
        or any(order(node) <= last or node.unit is None for node in downstream)
    ):
        raise MediationError(
            "An edge leads from an earlier node to a later feature.",
            value=f"{[n.label() for n in upstream][:5]} to {[n.label() for n in downstream][:5]}",
            expected="features or errors of an earlier site, then features of a later one",
            fix="mw.features.edges(study, [Node(low, 3, 'END')], [Node(high, 8, 'END')])",
        )
    for node in (*upstream, *downstream):
        refuse_other_width(study, node.sae)
