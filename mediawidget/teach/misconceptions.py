"""What people who begin with causal mediation believe, and what it takes to see otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Misconception:
    """A belief, and the intervention that refutes it.

    Attributes:
        id: its short name, which questions carry (``misconception="shares"``).
        claim: what is believed.
        refuted_by: what to run, and what it shows.
    """

    id: str
    claim: str
    refuted_by: str


_KNOWN = (
    Misconception(
        "mirror",
        "Breaking is restoring with the sign turned round.",
        "Run both directions of one site: the two numbers differ by its interaction.",
    ),
    Misconception(
        "both",
        "One number says how important a component is.",
        "Restore asks whether it is enough, break whether it is needed: an OR needs neither of "
        "its inputs, in an AND neither is enough.",
    ),
    Misconception(
        "unused",
        "A component without an effect is not used.",
        "Take the component away together with its backup, or ask with another corrupt prompt.",
    ),
    Misconception(
        "shares",
        "The effects of all components sum to 100 % of the total effect.",
        "Sum a row of restored heads, then restore them together: steps of one chain are counted "
        "once each.",
    ),
    Misconception(
        "attention",
        "What attends to the answer, or holds it for a probe, causes it.",
        "Put attention and effect of the same heads side by side, then patch.",
    ),
    Misconception(
        "bug",
        "A negative effect is a mistake.",
        "Take a negative head away: the answer gets better than it was.",
    ),
    Misconception(
        "probability",
        "Probability is as good a metric as any.",
        "Read the same runs by logit difference: near 0 and near 1 probabilities hide them.",
    ),
    Misconception(
        "window",
        "The effect of a window of layers belongs to the layer in its middle.",
        "Patch each layer of the window alone: the window's effect is a joint one.",
    ),
    Misconception(
        "zero",
        "Setting a component to zero is neutral.",
        "Measure how far zero lies from what the component ever is, then use a mean or a resample.",
    ),
    Misconception(
        "iia",
        "Interchange accuracy of 1 means that the variable was found.",
        "Run the same interchange on an untrained network, and on pairs that were held out.",
    ),
    Misconception(
        "one-prompt",
        "One prompt is enough.",
        "Run the same site on many pairs, with an interval, and on pairs that were held out.",
    ),
)

MISCONCEPTIONS = {it.id: it for it in _KNOWN}
"""By id, in the order in which the course meets them."""
