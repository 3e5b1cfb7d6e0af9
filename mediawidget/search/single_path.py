"""One sender, one receiver: what goes straight from the one to the other."""

from __future__ import annotations

from typing import Literal

from ..effects import Effect
from ..errors import MediationError, is_one_of, require
from ..sites import Site
from ..study import Study, refuse_no_study
from ..wiring import Wiring
from .edge_runs import edge_effect

_READS = ("query", "key", "value")


def path(
    study: Study, sender: Site, receiver: Site, *, norm: Literal["live", "frozen"] = "live"
) -> Effect:
    """What a later component is told by an earlier one, with no other in between.

    The receiver sees the sender as it writes on the pair's other prompt; all others see it as it
    is, and all that follows from the receiver is recomputed (path patching with heads and MLPs in
    between held: Wang et al. 2023; Goldowsky-Dill et al. 2023).

    Args:
        study: its pairs and metric.
        sender: the embedding, a head or an MLP.
        receiver: a head, which reads by its query, key and value; one of these; an MLP; or
            ``Site("residual", n_layers)``, the logits. Both without a position.
        norm: of a path to the logits: "live" recomputes what the final norm divides by; "frozen"
            keeps it as it is on the base, so that the paths of all senders add up (direct logit
            attribution of the difference between the prompts).

    Returns:
        On an axis ``input``: "all" inputs together and, of a head, each by itself. PIE is what
        restoring the edge in the corrupt run gains, TIE what breaking it in the clean run loses.
        Keys and values that several heads share are exchanged for all of these heads
        (``facts["shared"]``).

    Raises:
        MediationError: a receiver that is not behind the sender, a site at a position, a model
            whose edges cannot be told apart, pairs of unequal length.

    Example:
        >>> import mediawidget as mw
        >>> study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
        >>> found = mw.search.path(study, mw.Site("head", 0, head=0), mw.Site("head", 1, head=0))
        >>> dict(zip(found.axes["input"], (found["PIE"].round(3) + 0.0).tolist()))
        {'all': 2.0, 'query': 0.0, 'key': 2.0, 'value': 0.0}
    """
    refuse_no_study(study)
    wiring = study.lm.wiring
    inputs, start = _inputs(wiring, sender, receiver), wiring.sender(sender)
    names = (*(("all",) if len(inputs) > 1 else ()), *inputs)
    cells = [[(start, one) for n, one in inputs.items() if name in ("all", n)] for name in names]
    label = f"{sender.label()} \N{RIGHTWARDS ARROW} {receiver.label(n_layers=study.lm.n_layers)}"
    told = {"path": label, "between": "frozen", "norm": norm}
    if (
        receiver.mediator in ("head", "key", "value")
        and wiring.shape.kv_heads < wiring.shape.n_heads
    ):
        told["shared"] = "keys and values"
    labels = tuple(f"{label}.{name[0]}" if name in _READS else label for name in names)
    held = _held(norm, receiver)
    return edge_effect(study, cells, {"input": names}, labels, told, hold_norm=held)


def _inputs(wiring: Wiring, sender: Site, receiver: Site) -> dict[str, int]:
    """By name the inputs through which the receiver reads the sender.

    Raises:
        MediationError: it does not, or one of them is no such component.
    """
    for site in (sender, receiver):
        given: object = site
        require(
            isinstance(given, Site),
            "A path joins two sites.",
            value=given,
            expected="a Site",
            fix="mw.search.path(study, mw.Site('head', 0, head=1), mw.Site('head', 3, head=0))",
        )
        if site.position is not None:
            raise MediationError(
                "A path joins whole components.",
                value=site.label(),
                expected="sites without a position",
                fix="mw.search.path_patching(study, receivers, by='position')",
            )
    start = wiring.sender(sender)
    if receiver.mediator == "head":
        wiring.sender(receiver)
        found = dict(zip(_READS, wiring.inputs(receiver), strict=True))
    else:
        found = {receiver.mediator: wiring.receiver(receiver)}
    if not all(wiring.reach[start, one] for one in found.values()):
        raise MediationError(
            "A path goes from an earlier component to a later one.",
            value=f"{sender.label()} to {receiver.label()}",
            expected="a receiver behind the sender",
            fix="exchange them, or choose a receiver in a later layer",
        )
    return found


def _held(norm: str, receiver: Site) -> bool:
    if not is_one_of(norm, ("live", "frozen")) or (
        norm == "frozen" and receiver.mediator != "residual"
    ):
        raise MediationError(
            "The final norm stands before the logits alone.",
            value=f"norm={norm!r} on the way to {receiver.label()}",
            expected="'live', or of a path to the logits 'frozen'",
            fix="norm='live', or receiver=mw.Site('residual', study.lm.n_layers)",
        )
    return norm == "frozen"
