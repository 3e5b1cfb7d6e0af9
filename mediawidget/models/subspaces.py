"""Networks whose variables lie along known directions, and inputs that exchange one of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._arguments import MOST_PAIRS, refuse_no_count, refuse_no_seed

if TYPE_CHECKING:
    from torch import Tensor

    from ..prompts import Contrast
    from ._equality import HierarchicalEquality
    from ._planted import Planted


def planted(gate: str = "XOR", *, rotated: bool = True, seed: int = 0) -> Planted:
    """A gate of two variables that lie along known directions of one hidden layer, as a network.

    A plain torch module in double precision, of inputs (row, 8), which ``planted_inputs`` draws:
    z1, z2 (0 or 1), and noise larger than these, which the answer does not depend on. The module
    ``turn`` has the hidden layer h = Q^T x, and the logits (row, 2) are of no and yes.

    ``planted`` is Q: row 0 is the direction of z1, row 1 that of z2. Exchanging h along row 0
    exchanges z1 and nothing else. No set of neurons does: with seed 0, of all 256 the best one has
    an interchange accuracy of 0.53 for XOR, where chance is 0.5, and for AND 0.76, which is that
    of changing nothing. Without the rotation neuron 0 is z1.

    Args:
        gate: "XOR", "AND", "OR" or "ADD".
        rotated: False leaves Q the identity.
        seed: of Q.

    Raises:
        MediationError: no such gate, or no seed.

    Source: Geiger et al. 2023 (distributed alignment search), its simplest case.

    Example:
        >>> net = mw.models.planted("AND")
        >>> net(mw.models.planted_inputs(3)).shape
        torch.Size([3, 2])
    """
    from ._planted import build

    refuse_no_seed(seed)
    return build(gate, rotated, int(seed))


def planted_inputs(n: int = 256, seed: int = 0) -> Tensor:
    """Inputs of ``planted``, (n, 8): z1 and z2, each 0 or 1, and six of noise (sd 2).

    Args:
        n: how many.
        seed: of the draw.

    Raises:
        MediationError: an n that is no count, or a seed that is none.
    """
    from ._planted import inputs

    refuse_no_count(n, "n", 1, MOST_PAIRS)
    refuse_no_seed(seed)
    return inputs(int(n), int(seed))


def planted_counterfactuals(
    gate: str = "XOR", variable: str = "z1", n: int = 256, seed: int = 0
) -> Contrast:
    """Pairs of inputs of ``planted``, the corrupt one the base and the clean one the source.

    The answer, 0 or 1, is what it should say of the base once ``variable`` ("z1" or "z2") is the
    source's.

    Args:
        gate: as in ``planted``.
        variable: as above.
        n: how many pairs.
        seed: of the draw.

    Raises:
        MediationError: no such variable, an n that is no count, or no seed.

    Example:
        >>> import mediawidget as mw
        >>> network = mw.load(mw.models.planted("XOR"), points={"hidden": "turn"})
        >>> study = mw.Study(network, mw.models.planted_counterfactuals("XOR"))
        >>> site = network.site("layer", "hidden")
        >>> found = mw.alignment.das(study, site, k=1, progress=False)
    """
    from ._planted import counterfactuals

    refuse_no_count(n, "n", 1, MOST_PAIRS // 2)
    refuse_no_seed(seed)
    return counterfactuals(gate, variable, int(n), int(seed))


def hierarchical_equality(*, rotated: bool = True, seed: int = 0) -> HierarchicalEquality:
    """Whether (a == b) is the same as (c == d), of four objects: a small trained network.

    A torch module in double precision of inputs (row, 16), an object being four numbers from -1
    to 1; it is right on all of 50,000 new inputs, half of the pairs of objects being equal. What
    it knows of each pair is in four directions of its first hidden layer, the output of ``turn``,
    eight wide, which is turned: ``planted`` is Q, rows 0 to 3 of the first pair. Of all sets of its
    neurons the best exchanges a == b with an accuracy of 0.73.

    Args:
        rotated: False leaves Q the identity, so that neurons 0 to 3 are of the first pair.
        seed: of Q.

    Raises:
        MediationError: a seed that is none.

    Source: the task of Geiger et al. 2023 (section 3).
    """
    from ._equality import build

    refuse_no_seed(seed)
    return build(rotated, int(seed))


def equality_counterfactuals(variable: str = "a == b", n: int = 256, seed: int = 0) -> Contrast:
    """Pairs of inputs of ``hierarchical_equality``, the corrupt one the base.

    The answer, 0 or 1, is what it should say of the base once ``variable`` ("a == b" or "c == d")
    is that of the clean input, the source.

    Args:
        variable: as above.
        n: how many pairs.
        seed: of the draw.

    Raises:
        MediationError: an n that is no count, or no seed.
    """
    from ._equality import counterfactuals

    refuse_no_count(n, "n", 1, MOST_PAIRS // 2)
    refuse_no_seed(seed)
    return counterfactuals(variable, int(n), int(seed))
