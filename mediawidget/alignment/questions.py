"""What is asked of a network while a map is learned: its label when a site's value is moved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import networks
from ..edits import Zero
from ..edits.base import BASES
from ..errors import MediationError
from ..filing import weights_changed
from ..gradients import differentiated, only_activations, refuse_no_gradients
from ..groups import Group
from ..lm import LM
from ..mediators import mediator_named
from ..networks.anatomy import Spot
from ..networks.network import Network
from ..networks.recording import positions_at
from ..plan.frame import Ints
from ..runs import Run, roles_named
from ..sites import Site
from ..study import Study
from .measuring import classes_of
from .names import Over

Moved = Callable[[Tensor], Tensor]
"""What of a change of a site's value is written, (..., width) each: a linear map of it."""


@dataclass(frozen=True, eq=False)
class Question(ABC):
    """Pairs of inputs at one site, and the label that each is to get.

    Attributes:
        change: (pair, entry, width): the site's value on the source less that on the base.
        labels: (pair, 2, member): the class that the interchange is to give, and the other
            alternative; of a set its members, and any class where there are fewer.
        member: (pair, 2, member) which of them are.
        over: whether the label is chosen among all classes or between the two.
    """

    change: Tensor
    labels: Tensor
    member: Tensor
    over: Over

    @property
    def width(self) -> int:
        return int(self.change.shape[-1])

    @abstractmethod
    def together(self) -> Sequence[Ints]:
        """The pairs in sets that can share a pass."""

    @abstractmethod
    def logits(self, pairs: Ints, moved: Moved) -> Tensor:
        """(pair, class) on the bases of some pairs of one set, the site moved to the sources.

        The site is h + moved(h_source - h), h what it is in that very run; differentiable in the
        parameters of ``moved``.
        """

    def refuse_changed(self) -> None:  # noqa: B027 - a plain module has no version
        """Raise if the network is not what it was when the values were captured."""

    def loss(self, pairs: Ints, moved: Moved) -> tuple[Tensor, int]:
        """The mean cross-entropy of the labels, and how many are right.

        The logit of a set is the logsumexp of its members', as in the metrics of a study, so that
        its probability is theirs together. Among all classes a set is right where the likeliest
        is one of its members, between the two where its logit is the larger.
        """
        logits, member = self.logits(pairs, moved), self.member[pairs]
        logits = logits.float() if logits.dtype in (torch.bfloat16, torch.half) else logits
        each = logits.gather(1, self.labels[pairs].flatten(1)).view(member.shape)
        sets = each.masked_fill(~member, -torch.inf).logsumexp(-1)
        if self.over == "alternatives":
            right = sets[:, 0] > sets[:, 1]
            return (sets.logsumexp(-1) - sets[:, 0]).mean(), int(right.sum())
        said = (self.labels[pairs, 0] == logits.argmax(-1, keepdim=True)) & member[:, 0]
        return (logits.logsumexp(-1) - sets[:, 0]).mean(), int(said.any(-1).sum())

    def arbitrary(self, seed: int) -> Question:
        """The same question with the two alternatives of each pair exchanged at random."""
        turned = torch.from_numpy(np.random.default_rng(seed).random(len(self.labels)) < 0.5)
        turned = turned.to(self.labels.device)[:, None, None]
        labels, member = (
            torch.where(turned, both.flip(1), both) for both in (self.labels, self.member)
        )
        return replace(self, labels=labels, member=member)


@dataclass(frozen=True, eq=False)
class Tokens(Question):
    """Of a language model: the base is the corrupt prompt, the source the clean one."""

    study: Study
    site: Site
    version: tuple[int, ...]

    @cached_property
    def _groups(self) -> Mapping[int, Group]:
        """By the number of a pair, the group that its base is in."""
        touching = Run("corrupt", {self.site: Zero()})
        groups = self.study.engine.groups_of(roles_named([touching]))
        mine = [group for group in groups if "corrupt" in group.frame.bases]
        return {int(pair): group for group in mine for pair in group.members}

    def together(self) -> Sequence[Ints]:
        groups = {id(group): group for group in self._groups.values()}
        return [group.members for group in groups.values()]

    def logits(self, pairs: Ints, moved: Moved) -> Tensor:
        # A site's positions are computed side by side: no edit of one moves another, so that the
        # values of the unedited runs are those of the edited one.
        shift = moved(self.change[pairs])
        lm, group = self.study.lm, self._groups[int(pairs[0])]
        frame = group.frame
        rows = [int(np.flatnonzero(group.members == pair)[0]) for pair in pairs]
        ids = group.ids[frame.bases.index("corrupt")][rows]
        place = mediator_named(self.site.mediator).place(self.site, lm.shape)
        at = list(frame.captured(self.site.position))
        size = (len(rows), ids.shape[1], place.n_units, self.width)
        whole = torch.zeros(size, dtype=shift.dtype, device=shift.device)
        whole[:, at, place.unit] = shift
        shifts = {(place.stage, place.point): whole.flatten(2)}
        found: list[Tensor] = []

        def number(logits: Tensor) -> Tensor:
            found.append(logits[:, 0])
            return logits.sum()

        with differentiated(lm, ids, frame.read_at, (), number, shifts=shifts):
            return found[0]

    def refuse_changed(self) -> None:
        if self.study.lm.version() != self.version:
            raise weights_changed(self.study.lm)


@dataclass(frozen=True, eq=False)
class Classes(Question):
    """Of a network that is no language model: the base is the corrupt input.

    Attributes:
        source: (pair, entry, width): the site's value on the source.
    """

    source: Tensor
    network: Network
    inputs: Tensor
    spot: Spot
    positions: tuple[int, ...]
    unit: int | None
    version: tuple[int, ...]

    def together(self) -> Sequence[Ints]:
        return [np.arange(len(self.labels))]

    def logits(self, pairs: Ints, moved: Moved) -> Tensor:
        rows, own = self.inputs[torch.from_numpy(pairs)], _Moving(self, self.source[pairs], moved)
        model: Any = self.network
        with self.network.lock, only_activations(model):
            return networks.forward(self.network, rows, {self.spot.name: own}, gradients=True)[0]

    def refuse_changed(self) -> None:
        if self.network.version() != self.version:
            raise weights_changed(self.network)  # type: ignore[arg-type]


@dataclass
class _Moving:
    """Moves a point to the sources in one pass, at a state a time step after another.

    From what it is in that pass: an edited step has changed the steps behind it.

    Attributes:
        source: (row, entry, width).
        begun: how many positions of the point came before.
    """

    question: Classes
    source: Tensor
    moved: Moved
    begun: int = 0

    def __call__(self, value: Tensor) -> Tensor:
        first, self.begun = self.begun, self.begun + value.shape[1]
        named = enumerate(self.question.positions)
        here = [(entry, at - first) for entry, at in named if first <= at < self.begun]
        if not here:
            return value
        entries, places = map(list, zip(*here, strict=True))
        unit = self.question.unit
        columns = slice(None) if unit is None else slice(unit, unit + 1)
        old, new = value[:, places, columns].to(self.source), value.clone()
        new[:, places, columns] = (old + self.moved(self.source[:, entries] - old)).to(value)
        return new


def question_of(study: Study, site: Site, over: Over) -> Question:
    """What a study asks at a site: its pair's answer, the clean prompt being the source.

    Raises:
        MediationError: no gradients; answers of several tokens; a site that is not there, whose
            value is no vector, or that has more positions on one prompt than on the other.
    """
    lm, engine = study.lm, study.engine
    refuse_no_gradients(lm, "mw.directions.compare(study, site)")
    network = networks.as_network(lm)
    if network is None:
        _refuse_no_token(study)
    version = lm.version()
    base, source = (study.activations(site, at).array for at in ("corrupt", "clean"))
    _refuse_unequal(site, source.shape[1], base.shape[1])
    change = _trained(np.asarray(source, dtype=np.float64) - base, lm)
    labels, member = (one.to(lm.device) for one in _labels(study))
    if network is None:
        return Tokens(change, labels, member, over, study, site, version)
    assert isinstance(engine, networks.NetworkEngine)
    spot = engine.anatomy.spot(site)
    at = positions_at(site, spot, engine.common_roles)
    inputs = engine.inputs[BASES.index("corrupt")]
    known = (_trained(source, lm), network, inputs, spot, at, site.unit, version)
    return Classes(change, labels, member, over, *known)


def _trained(values: NDArray[Any], lm: LM) -> Tensor:
    """Values in the precision that maps are trained in."""
    dtype = torch.float64 if lm.dtype == torch.float64 else torch.float32
    return torch.from_numpy(values).to(lm.device, dtype)


def _labels(study: Study) -> tuple[Tensor, Tensor]:
    """(pair, 2, member) classes of the answer and of the wrong answer, and which are members."""
    sets = [classes_of(pair) for pair in study.token_pairs]
    n = max(len(ids) for both in sets for ids in both)
    labels = torch.zeros((len(sets), 2, n), dtype=torch.int64)
    member = torch.zeros_like(labels, dtype=torch.bool)
    for row, both in enumerate(sets):
        for which, ids in enumerate(both):
            labels[row, which, : len(ids)] = torch.tensor(ids)
            member[row, which, : len(ids)] = True
    return labels, member


def _refuse_unequal(site: Site, source: int, base: int) -> None:
    if source != base:
        raise MediationError(
            "An alignment moves a site's value from one prompt to the other, position by position.",
            value=f"{site!r}: {source} positions on the clean prompt, {base} on the corrupt one",
            expected="a position that both prompts have, or a role of both",
            fix=f"Site({site.mediator!r}, {site.layer}, position='END'), the pairs naming a role "
            "'END'; or pairs of prompts of one length",
        )


def _refuse_no_token(study: Study) -> None:
    if any(pair.strands[0].forced for pair in study.token_pairs):
        raise MediationError(
            "An alignment is trained for answers of one token.",
            value="a pair with an answer of several tokens",
            expected="one token as the answer and one as the wrong answer, or a set of such",
            fix="PromptPair(..., answer='Mary', wrong='John'), or answer=['Mary', 'Anne']",
        )
