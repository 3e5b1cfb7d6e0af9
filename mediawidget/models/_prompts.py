"""The prompts that the hand-set models read. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from ..errors import require
from ..prompts import Contrast, PromptPair
from ..sites import Site
from ._arguments import MOST_PAIRS, is_whole, refuse_no_count, refuse_no_seed
from ._vocabulary import ASK, DRINKS, END, N_NOISE_WORDS, NAMES, NO, START, THEN, YES


def gate_pair(clean: tuple[int, int] = (1, 1), corrupt: tuple[int, int] = (0, 0)) -> PromptPair:
    """Two inputs of a gate, and two others: ``<s> 1 1`` and ``<s> 0 0``.

    Args:
        clean: its inputs on the clean prompt, each 0 or 1.
        corrupt: and on the corrupt one.

    Raises:
        MediationError: no two inputs, or the same on both sides.

    Example:
        >>> mw.models.gate_pair((1, 0), (0, 0)).clean
        '<s> 1 0'
    """
    roles = {"first input": 1, "second input": 2}
    return PromptPair(_gate_prompt(clean), _gate_prompt(corrupt), YES, NO, roles)


def _gate_prompt(inputs: object) -> str:
    several = isinstance(inputs, tuple | list) and len(inputs) == 2
    require(
        several and all(is_whole(one) and one in (0, 1) for one in inputs),  # type: ignore[attr-defined]
        "A gate has two inputs.",
        value=inputs,
        expected="a pair of 0 and 1",
        fix="mw.models.gate_pair((1, 1), (0, 0))",
    )
    assert isinstance(inputs, tuple | list)
    return f"{START} {int(inputs[0])} {int(inputs[1])}"


def equation_pairs(n: int = 1) -> Contrast:
    """Pairs for ``equations``: pair k is ``<s> x1`` and ``<s> x0``, the next ``x3`` and ``x2``...

    Args:
        n: how many; the model needs 2 n ``values``, of each pair first the corrupt one's.

    Raises:
        MediationError: an n that is no count.

    Example:
        >>> [(pair.clean, pair.corrupt) for pair in mw.models.equation_pairs(2)]
        [('<s> x1', '<s> x0'), ('<s> x3', '<s> x2')]
    """
    refuse_no_count(n, "n", 1, MOST_PAIRS)
    pairs = [
        PromptPair(f"{START} x{2 * k + 1}", f"{START} x{2 * k}", YES, NO, {"x": 1})
        for k in range(n)
    ]
    return Contrast(pairs, "equations")


def planted_pairs(n: int = 32, seed: int = 0) -> Contrast:
    """Pairs for ``planted_subspace``: random inputs and a random noise word in both prompts.

    A prompt is ``<s> 1 0 n7``; ``n7`` brings noise and does not matter to the answer.

    Args:
        n: how many.
        seed: of the draw.

    Raises:
        MediationError: an n that is no count, or a seed that is none.
    """
    refuse_no_count(n, "n", 1, MOST_PAIRS)
    refuse_no_seed(seed)
    random = Random(int(seed))
    pairs: list[PromptPair] = []
    roles = {"first input": 1, "second input": 2, "END": 3}
    while len(pairs) < n:
        clean, corrupt = (_noisy_prompt(random) for _ in range(2))
        if clean != corrupt:
            pairs.append(PromptPair(clean, corrupt, YES, NO, roles))
    return Contrast(pairs, "planted subspace")


def _noisy_prompt(random: Random) -> str:
    first, second = random.randrange(2), random.randrange(2)
    return f"{START} {first} {second} n{random.randrange(N_NOISE_WORDS)}"


def ioi_mini_pairs() -> dict[str, PromptPair]:
    """Two corruptions of ``<s> Ann Bob Ann to``, by name; the answer is Bob.

    - "flip": the second mention is of the other name, so the answer turns to Ann.
    - "ABC": it is of a third name, so that nothing tells the first two apart.
    """
    roles = {"S1": 1, "IO": 2, "S2": 3, "END": 4}
    s, io, other = NAMES[:3]

    def pair(corrupt: str) -> PromptPair:
        return PromptPair(
            f"{START} {s} {io} {s} {END}", f"{START} {s} {io} {corrupt} {END}", io, s, roles
        )

    return {"flip": pair(io), "ABC": pair(other)}


def ioi_mini_heads() -> dict[str, Site]:
    """Which head of ``ioi_mini`` is what; all others are idle or decoys."""
    return {
        "duplicate token": Site("head", 0, head=0),
        "S-inhibition": Site("head", 1, head=0),
        "name mover": Site("head", 2, head=0),
        "backup mover": Site("head", 3, head=0),
        "negative mover": Site("head", 3, head=1),
    }


def arithmetic_pair(
    clean: tuple[int, int] = (3, 4), corrupt: tuple[int, int] = (5, 4)
) -> PromptPair:
    """Two additions: ``3 + 4 =`` and ``5 + 4 =``; the answers are their sums.

    Args:
        clean: the operands of the clean prompt, each from 0 to 9.
        corrupt: and of the corrupt one.

    Raises:
        MediationError: no two digits, or the same sum on both sides.

    Example:
        >>> mw.models.arithmetic_pair((3, 4), (5, 4)).wrong
        '9'
    """
    sums = [_sum(clean), _sum(corrupt)]
    roles = {"first operand": 0, "second operand": 2, "END": 3}
    texts = [f"{a} + {b} =" for a, b in (clean, corrupt)]
    return PromptPair(texts[0], texts[1], str(sums[0]), str(sums[1]), roles)


def _sum(operands: object) -> int:
    several = isinstance(operands, tuple | list) and len(operands) == 2
    require(
        several and all(is_whole(one) and 0 <= one <= 9 for one in operands),  # type: ignore[attr-defined]
        "An addition has two digits.",
        value=operands,
        expected="a pair of ints from 0 to 9",
        fix="mw.models.arithmetic_pair((3, 4), (5, 4))",
    )
    assert isinstance(operands, tuple | list)
    return int(operands[0]) + int(operands[1])


LOOKBACK_ROLES = {
    "first": 1,
    "first drink": 2,
    "second": 3,
    "second drink": 4,
    "asked": 6,
    "END": 7,
}


def lookback_prompt(inputs: Mapping[str, str]) -> str:
    """The prompt of ``lookback``: ``<s> Ann beer Bob coffee ? Bob :``.

    Args:
        inputs: ``first`` and ``second``, two people, ``first_drink`` and ``second_drink``, what
            they have, and who is ``asked`` about.

    Raises:
        MediationError: not these, a word that the model does not know, the same person twice.
    """
    names = ("first", "first_drink", "second", "second_drink", "asked")
    given: object = inputs
    require(
        isinstance(given, Mapping)
        and set(given) == set(names)
        and all(given[name] in (DRINKS if "drink" in name else NAMES) for name in names)
        and given["first"] != given["second"],
        "A story is of two people and what each has.",
        value=given,
        expected=f"{', '.join(names)}; people of {', '.join(NAMES)}; drinks of {', '.join(DRINKS)}",
        fix="mw.models.lookback_pair() shows one",
    )
    first, drink, second, other, asked = (inputs[name] for name in names)
    return f"{START} {first} {drink} {second} {other} {ASK} {asked} {THEN}"


def lookback_pair() -> PromptPair:
    """Two stories for ``lookback`` in which the order of people and all drinks differ.

    The corrupt prompt has Bob second, with coffee; the clean one first, with tea. The pointer from
    the clean prompt makes the answer what stands first in the corrupt one, beer; the payload makes
    it tea. So coffee, beer and tea tell apart what a site carries.
    """
    clean = {"first": "Bob", "first_drink": "tea", "second": "Ann", "second_drink": "water"}
    corrupt = {"first": "Ann", "first_drink": "beer", "second": "Bob", "second_drink": "coffee"}
    return PromptPair(
        lookback_prompt(clean | {"asked": "Bob"}),
        lookback_prompt(corrupt | {"asked": "Bob"}),
        "tea",
        "coffee",
        LOOKBACK_ROLES,
    )
