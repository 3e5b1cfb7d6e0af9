"""Hand-set language models, loaded: every effect of theirs is known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import require
from ..prompts import PromptPair
from ._arguments import as_numbers, refuse_no_circuit, refuse_no_seed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from ..lm import LM
    from ._decoder import Circuit


def gate(kind: str = "AND") -> LM:
    """A gate of two inputs, each carried by a head: the smallest model with an interaction.

    A prompt is ``<s> a b`` with inputs 0 or 1 (``gate_pair``). L0H0 carries a and L0H1 carries b
    to the last position, so for either head the other one is the way around it. The MLP there
    computes the gate, and logit(yes) - logit(no) is its value less 1/2.

    With M = a and the bypass b, from (1, 1) to (0, 0), for either head:

    | gate | value         | TE | PIE | TIE | INT |
    | ---- | ------------- | -- | --- | --- | --- |
    | ADD  | a + b         | 2  | 1   | 1   | 0   |
    | AND  | a b           | 1  | 0   | 1   | 1   |
    | OR   | a + b - a b   | 1  | 1   | 0   | -1  |
    | XOR  | a + b - 2 a b | 0  | 1   | -1  | -2  |

    Denoising (PIE) finds no half of an AND, and noising (TIE) none of an OR.

    Args:
        kind: "ADD", "AND", "OR" or "XOR".

    Raises:
        MediationError: another gate.

    Source: Robins and Greenland 1992 and VanderWeele 2014 for the interaction; Heimersheim and
    Nanda 2024 for the gates.

    Example:
        >>> import mediawidget as mw
        >>> study = mw.Study(mw.models.gate("AND"), mw.models.gate_pair())
        >>> study.sweep("head", progress=False)["INT"].tolist()
        [[1.0, 1.0]]
    """
    from ._gates import gate as built

    return _loaded(*built(kind), f"{kind} gate")


def equations(
    mediators: Sequence[tuple[float, float]] = ((0.0, 1.0),),
    weights: Sequence[float] = (1.0,),
    *,
    intercept: float = 0.0,
    direct: float = 0.0,
    moderation: Sequence[float] | None = None,
    interactions: Mapping[tuple[int, int], float] | None = None,
    values: Sequence[float] = (0.0, 1.0),
) -> LM:
    """Structural equations with interactions, as a model.

    M_i = a0_i + a1_i x, and logit(yes) - logit(no) is
    Y = b0 + c x + sum b_i M_i + sum d_i x M_i + sum d_ij M_i M_j.

    A prompt is ``<s> x1`` (``equation_pairs``): the token x1 stands for ``values[1]``. Head i of
    the only layer carries M_i (its z is one number, M_i itself), the residual stream carries x,
    and the MLP adds a neuron a term, in the order b0, c, all b_i, all d_i, all d_ij.

    With one mediator, from x = 1 to x = 0:
    TE = c + b a1 + d (a0 + a1), PDE = c + d a0, TDE = c + d (a0 + a1), PIE = b a1,
    TIE = (b + d) a1, INT = d a1 and CDE(m) = c + d m. With mediators that are 0 or 1, the
    dividends of the game over them are b_i and d_ij.

    Args:
        mediators: (a0, a1), one pair a mediator.
        weights: b_i, one a mediator.
        intercept: b0.
        direct: c.
        moderation: d_i, one a mediator; default 0.
        interactions: {(i, j): d_ij} with i < j; default none.
        values: what the tokens x0, x1, ... stand for; pairs of them are pairs of prompts, so noise
            over pairs is noise in here.

    Raises:
        MediationError: no numbers, not as many as mediators, an interaction of none.

    Source: Robins and Greenland 1992; Pearl 2001; VanderWeele 2014.

    Example:
        >>> import mediawidget as mw
        >>> lm = mw.models.equations([(0.5, 2.0)], [3.0], moderation=[-1.0])
        >>> study = mw.Study(lm, mw.models.equation_pairs())
        >>> effect = study.intervene(mw.Site("head", 0, head=0))
        >>> effect["PIE"], effect["TIE"]
        (6.0, 4.0)
    """
    from ._equations import build, checked

    asked = checked(mediators, weights, intercept, direct, moderation, interactions)
    numbers = as_numbers(values, "values", 2)
    circuit, tokenizer, _ = build(asked, {f"x{k}": value for k, value in enumerate(numbers)})
    return _loaded(circuit, tokenizer, "structural equations")


def planted_subspace(gate: str = "XOR", *, rotated: bool = True, seed: int = 0) -> LM:
    """A gate whose two variables are single directions of the residual stream, and known.

    A prompt is ``<s> a b n7`` (``planted_pairs``); n0 to n15 bring noise, larger than the
    variables, that the answer does not depend on. After block 0 the last position holds both
    inputs and the noise, h = Q^T [a, b, noise, ...], and block 1's MLP reads the gate off it:
    logit(yes) - logit(no) is its value less 1/2.

    ``lm.hf.planted`` is Q (d_model, d_model), orthogonal: row 0 is the direction of a, row 1 that
    of b. To exchange a alone, move h along row 0 by what the other prompt has more there, at
    ``Site("residual", 1, position=3)``.

    Args:
        gate: "XOR", "AND", "OR" or "ADD".
        rotated: False leaves Q a permutation, so that each variable is a coordinate.
        seed: of Q and of the noise.

    Raises:
        MediationError: no such gate, ``rotated`` that is no bool, or a seed that is none.

    Source: Geiger et al. 2024, "Finding alignments between interpretable causal variables and
    distributed neural representations", whose search has this as its simplest case.

    Example:
        >>> import mediawidget as mw
        >>> lm = mw.models.planted_subspace("XOR")
        >>> lm.hf.planted.shape[0] == lm.d_model
        True
    """
    from ._gates import planted

    refuse_no_seed(seed)
    require(
        isinstance(rotated, bool),
        "A residual stream is turned or not.",
        value=rotated,
        expected="True or False",
        fix="mw.models.planted_subspace('XOR', rotated=False)",
    )
    circuit, tokenizer = planted(gate, rotated, int(seed))
    return _loaded(circuit, tokenizer, f"planted {gate}")


def induction(beta: float = 20.0, decoys: int = 0, seed: int = 0) -> LM:
    """The hand-set induction circuit, loaded; its effects are known in closed form.

    Args:
        beta: how sharply its two heads choose; at 20 every effect is a whole number to 1e-6.
        decoys: random heads per layer beside the one that works.
        seed: for the decoys.

    Raises:
        MediationError: a beta that is no number above 0, or ``decoys`` or a seed that are no
            counts.

    Source: Elhage et al. 2021; Olsson et al. 2022.

    Example:
        >>> import mediawidget as mw
        >>> study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
        >>> study.sweep("head", progress=False)["PIE"].round(3).tolist()
        [[2.0], [2.0]]
    """
    from ..loading import load
    from ._induction import build

    refuse_no_circuit(beta, decoys, seed)
    module, tokenizer = build(beta=beta, decoys=int(decoys), seed=int(seed))
    return load(module, tokenizer=tokenizer)


def induction_pairs() -> dict[str, PromptPair]:
    """Two corruptions of one prompt, by name, that show different heads of the induction circuit.

    Both turn the answer from B to D. Exchange the values and only L1H0 carries the difference;
    exchange the keys and L0H0 does too.
    """
    from ._induction import key_swap, value_swap

    return {"value swap": value_swap(), "key swap": key_swap()}


def ioi_mini(decoys: int = 0, seed: int = 0, beta: float = 20.0) -> LM:
    """A hand-set circuit that finds the indirect object, with a backup and a negative head.

    Four layers; ``ioi_mini_heads`` says which head is what and ``ioi_mini_pairs`` gives prompts
    such as ``<s> Ann Bob Ann to``. The duplicate-token head marks the second Ann, S-inhibition
    carries that to the end, the name mover copies the name that is not inhibited, the backup mover
    would do so if the name mover had not, and the negative mover takes half of it away.

    Under the flip, logit(IO) - logit(S) is 0.5 and -0.5, so TE is 1, and to about exp(-beta / 2)

    | head            | PIE | TIE | INT |
    | --------------- | --- | --- | --- |
    | duplicate token | 1   | 1   | 0   |
    | S-inhibition    | 1   | 1   | 0   |
    | name mover      | 0   | 0   | 0   |
    | backup mover    | 0   | 0   | 0   |
    | negative mover  | -1  | -1  | 0   |
    | both movers     | 1   | 1   | 0   |

    The backup hides the name mover from every single-site patch, in both directions and with no
    interaction to warn of it; only both together show what they carry.

    Args:
        decoys: random heads per layer beside the circuit's (and in the place of idle ones).
        seed: for the decoys.
        beta: how sharply its heads choose.

    Raises:
        MediationError: a beta that is no number above 0, or ``decoys`` or a seed that are no
            counts.

    Source: Wang et al. 2023, reduced to one head a class.

    Example:
        >>> import mediawidget as mw
        >>> study = mw.Study(mw.models.ioi_mini(), mw.models.ioi_mini_pairs()["flip"])
        >>> abs(study.sweep("head", progress=False)["PIE"]).round(2)[:, 0].tolist()
        [1.0, 1.0, 0.0, 0.0]
    """
    from ._ioi_mini import build

    refuse_no_circuit(beta, decoys, seed)
    return _loaded(*build(beta=beta, decoys=int(decoys), seed=int(seed)), "IOI mini")


def lookback() -> LM:
    """A hand-set model of who has what: a pointer at the end is dereferenced to a payload.

    A prompt is ``<s> Ann beer Bob coffee ? Bob :`` (``lookback_prompt``); the answer, coffee, has
    logit 10 and all other tokens 0. ``mw.abstraction.lookback()`` is the causal model that it
    computes. Which person is asked about, first or second, stands at the question's name after
    block 0 and at the end after block 1, as a pointer; block 2 (L2H0) looks for the drink at that
    address. Set the residual stream there to what it is on another prompt and

    | residual stream at  | the answer is                                            |
    | ------------------- | -------------------------------------------------------- |
    | layer 1, position 6 | what stands in the base where the source's answer stands |
    | layer 2, position 7 | the same (pointer); at all other layers and positions not |
    | layer 3, position 7 | the source's own answer (payload)                        |

    Source: Prakash et al. 2025, "Language models use lookbacks to track beliefs".

    Example:
        >>> import mediawidget as mw
        >>> study = mw.Study(mw.models.lookback(), mw.models.lookback_pair())
        >>> pointer = study.intervene(mw.Site("residual", 2, position=7))
        >>> study.history[-1].next_tokens[0]["restored"][0][0]
        ' beer'
    """
    from ._lookback import build

    return _loaded(*build(), "lookback")


def arithmetic() -> LM:
    """A hand-set model that adds two digits: attention brings them together, a late MLP adds.

    A prompt is ``3 + 4 =`` (``arithmetic_pair``). MLP 0 reads the digits where they stand, L1H0
    carries the first and L1H1 the second operand to the end, and neuron 10 a + b of MLP 2 there
    adds 10 to the logit of a + b; all other logits are 0. So a patch of L1H0 makes the answer the
    other prompt's first operand plus this one's second.

    Source: the account of Stolfo et al. 2023, with one-hot features.

    Example:
        >>> import mediawidget as mw
        >>> study = mw.Study(mw.models.arithmetic(), mw.models.arithmetic_pair((3, 4), (5, 4)))
        >>> study.sweep("head", progress=False)["PIE"][1].tolist()
        [20.0, 0.0]
    """
    from ._arithmetic import build

    return _loaded(*build(), "arithmetic")


def _loaded(circuit: Circuit, tokenizer: PreTrainedTokenizerFast, name: str) -> LM:
    """A circuit as ``load`` gives it, under a name for people."""
    from ..loading import load
    from ._decoder import ATTENTION_ONLY, PATHS

    paths = PATHS if circuit.config.intermediate_size else ATTENTION_ONLY
    circuit.config._name_or_path = name  # noqa: SLF001 - where transformers keeps it
    return load(circuit, tokenizer=tokenizer, paths=paths)
