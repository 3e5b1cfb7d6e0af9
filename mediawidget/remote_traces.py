"""Plain passes over prompts of a model that is on a server: one request each.

Here a row is a prompt and stays one: nothing grows and nothing is planned. Activations are set and
looked at where a forward pass comes to them, which is another way to a number than the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from nnsight import save
from torch import Tensor

from .calls import adds_alibi_twice, attention
from .edits.part import Moved
from .mediators import Point
from .paths import follow
from .remote.asking import answered
from .remote.shapes import Shapes, refuse_other_shapes
from .shipping import by_value, near, shipped

if TYPE_CHECKING:
    from .lm import LM


@dataclass(frozen=True)
class Setting:
    """What some positions and columns of a row are set to at one place.

    It becomes keep * (as it came) + take * (the source's) + add * (what is added).

    Attributes:
        row: whose.
        positions, columns: which numbers of the activation.
        keep, take, add: how much of each.
        source: the row that the value is taken from, as it leaves this place.
        seen: (position, column) in the place of a source, from a prompt of another length.
        added: (position, column), or what broadcasts to it.
        mean_of: rows whose mean is added instead.
        spread_of: the row whose standard deviation there ``added`` is multiplied with.
        within: how much of the change counts, and the tensors that says it.
    """

    row: int
    positions: Tensor
    columns: Tensor
    keep: float = 0.0
    take: float = 0.0
    add: float = 0.0
    source: int | None = None
    seen: Tensor | None = None
    added: Tensor | None = None
    mean_of: Tensor | None = None
    spread_of: int | None = None
    within: tuple[Moved, Mapping[str, Tensor]] | None = None


@dataclass(frozen=True)
class Act:
    """What is done at one place, in this order.

    Attributes:
        envoy, side, source, flat: of the place, as a ``Tap`` has them.
        point: its name; "logits" for the map to them.
        n_rows: of the batch.
        enters: what comes in instead, (row, position, column).
        settings: those of a row behind those of the rows that it takes from.
        look: rows whose activation is wanted, as it leaves.
        piled: whether all that was looked at so far goes on instead, a row each.
        dtype: the model's, in which new values are made at least.
        mask: of "arguments" the keyword that is set.
        n_heads: of the model.
    """

    envoy: Any
    side: str
    source: tuple[str, ...]
    flat: bool
    point: Point | Literal["logits"]
    n_rows: int
    enters: Tensor | None = None
    settings: tuple[Setting, ...] = ()
    look: tuple[int, ...] = ()
    piled: bool = False
    dtype: torch.dtype = torch.float32
    mask: str = "attention_mask"
    n_heads: int = 1


def act_at(lm: LM, stage: int, point: Point, n_rows: int = 1, **what: Any) -> Act:
    """An act at a point; a mask is set where a softmax takes its scores, if that is the model's."""
    scored = point == "mask" and not adds_alibi_twice(lm)
    place = lm.tap(stage, "pattern" if scored else point)
    what = {"dtype": lm.dtype, "mask": lm.paths.mask, "n_heads": lm.n_heads, **what}
    return Act(place.envoy, place.side, place.source, place.flat, point, n_rows, **what)


def look_at_head(lm: LM, n_rows: int) -> list[Act]:
    """A look at what the map to the logits makes of the first row; none where it has no module."""
    if lm.paths.head is None:
        return []
    envoy = follow(lm.traced, lm.paths.head)
    return [Act(envoy, "output", (), flat=False, point="logits", n_rows=n_rows, look=(0,))]


def passed(
    lm: LM,
    ids: Tensor,
    reads: Sequence[int],
    finish: Callable[..., Any],
    given: Sequence[Any] = (),
    acts: Sequence[Act] = (),
    shapes: Shapes | None = None,
) -> Any:
    """One request: a plain forward pass over prompts.

    Args:
        lm: a model that is on a server.
        ids: (row, position) token ids.
        reads: positions whose logits are read.
        finish: what to make of it there, so that little comes back: (logits, seen, *given) to
            a tensor or a list of them. ``logits`` are (row, read, vocabulary), ``seen`` is what
            the acts looked at, in their order.
        given: its further arguments.
        acts: in the order in which a forward pass comes to them.
        shapes: of what ``finish`` makes; known of ``only_logits``, ``only_seen``, ``likeliest``.

    Raises:
        MediationError: a model in training mode, what the server answers, and an answer of other
            shapes.
    """
    lm.refuse_training_mode()
    assert lm.backend is not None, "a model that is here runs here"
    if shapes is None:
        shapes = _SHAPES[finish](lm, ids, reads, acts, *given)
    found = answered(lambda: _passed(lm, ids, reads, finish, given, acts))
    refuse_other_shapes(found, shapes)
    return found


def _passed(
    lm: LM,
    ids: Tensor,
    reads: Sequence[int],
    finish: Callable[..., Any],
    given: Sequence[Any],
    acts: Sequence[Act],
) -> Any:
    for act in acts:
        if act.source:
            # The first look inside a module must come before its forward begins.
            _ = act.envoy.source
    call = {"input_ids": ids, "use_cache": False}
    if lm.unembeds_some:
        call["logits_to_keep"] = torch.tensor(list(reads))
    outer, inner = lm.trace_arguments(call)
    eager = any(act.side == "source" for act in acts)
    # The body runs on the server: it names functions, tensors and envoys, never ``lm``.
    root, own, positions, whole = lm.traced, lm.dtype, list(reads), not lm.unembeds_some
    acts, given = shipped(list(acts)), shipped(list(given))
    with (  # noqa: SIM117 - nnsight captures either body by the line of its own `with`
        lm.lock,
        torch.no_grad(),
        attention(lm, "eager") if eager else nullcontext(),
        by_value(),
        root.trace(**outer, backend=lm.backend()) as tracer,  # type: ignore[misc]
    ):
        with tracer.invoke(**inner):
            seen: list[Tensor] = []
            for act in acts:
                opened(act)
            for act in acts:
                done(act, seen)
            logits = read_at(root.output.logits, positions, whole, own)
            found = save(finish(logits, near(seen, logits), *near(given, logits)))
    return found


def read_at(logits: Tensor, positions: list[int], whole: bool, own: torch.dtype) -> Tensor:
    """Inside a trace: (row, read, logit), at least in the model's own precision."""
    logits = logits.to(torch.promote_types(logits.dtype, own))
    if logits.ndim == 2:
        # Of a position that the model chose by itself.
        return logits[:, None].expand(-1, len(positions), -1)
    return logits[:, positions] if whole else logits


def only_logits(logits: Tensor, seen: list[Tensor]) -> Tensor:  # noqa: ARG001
    """Inside a trace: the logits that were read."""
    return logits.clone()


def only_seen(logits: Tensor, seen: list[Tensor]) -> list[Tensor]:  # noqa: ARG001
    """Inside a trace: what the acts looked at."""
    return seen


def likeliest(logits: Tensor, seen: list[Tensor], k: int) -> list[Tensor]:  # noqa: ARG001
    """Inside a trace: of every row the tokens that come next, and their probabilities."""
    best = logits[:, 0].double().softmax(-1).topk(min(k, logits.shape[-1]))
    return [best.indices, best.values]


def _of_logits(lm: LM, ids: Tensor, reads: Sequence[int], acts: Sequence[Act]) -> Shapes:
    entered = [act.enters for act in acts if act.enters is not None]
    return len(entered[-1] if entered else ids), len(reads), _n_logits(lm)


def _of_seen(lm: LM, ids: Tensor, _: Sequence[int], acts: Sequence[Act]) -> Shapes:
    n = ids.shape[1]
    inside = [act for act in acts for _ in act.look]
    return [(1, n, lm.width_at(act.point, n)) for act in inside if act.point != "logits"]


def _of_likeliest(lm: LM, ids: Tensor, _: Sequence[int], __: Sequence[Act], k: int) -> list[Shapes]:
    return [(len(ids), min(k, _n_logits(lm)))] * 2


_SHAPES: dict[Callable[..., Any], Callable[..., Shapes]] = {
    only_logits: _of_logits,
    only_seen: _of_seen,
    likeliest: _of_likeliest,
}
"""What comes back of each, by what it is made of."""


def _n_logits(lm: LM) -> int:
    """How many logits a read has: of tokens as the head has them, or of labels."""
    if lm.classifies:
        return int(lm.hf.config.num_labels)  # type: ignore[union-attr, arg-type]
    head = lm.hf.get_output_embeddings()  # type: ignore[operator]
    return lm.vocabulary if head is None else len(head.weight)


# --- inside a trace -------------------------------------------------------------------------


def opened(act: Act) -> None:
    """Make the values inside a module's forward known before the model runs."""
    if act.source:
        assert act.envoy.source is not None


def done(act: Act, seen: list[Tensor]) -> None:
    """Set and look at what a place has."""
    if act.side == "arguments":
        arguments, named = act.envoy.inputs
        mask = named[act.mask].expand(act.n_rows, act.n_heads, -1, -1)
        act.envoy.inputs = (arguments, {**named, act.mask: by_query(act, mask, seen)})
        return
    if act.side != "source":
        inner = act.envoy
        side = act.side
        if side == "assigned":
            inner, side = getattr(act.envoy.source, act.source[0]), "output"
        value = getattr(inner, side)
        new = changed(act, value, seen)
        if new is not value:
            setattr(inner, side, new)
        return
    inner = act.envoy
    for name in act.source:
        inner = getattr(inner.source, name)
    if act.point == "mask":
        (scores, *rest), named = inner.inputs
        inner.inputs = ((by_query(act, scores, seen), *rest), named)
    else:
        inner.output = by_query(act, inner.output, seen)


def by_query(act: Act, value: Tensor, seen: list[Tensor]) -> Tensor:
    """The same of (row, head, query, key), where a query is a position."""
    rows = value.transpose(1, 2)
    new = changed(act, rows.flatten(2), seen)
    return new.reshape(rows.shape).transpose(1, 2).contiguous()


def changed(act: Act, value: Tensor, seen: list[Tensor]) -> Tensor:
    """The value (row, position, column) after all that is done to it; itself if nothing is."""
    act = near(act, value)
    if act.enters is not None:
        value = act.enters.to(value)
    rows = value.reshape(act.n_rows, -1, value.shape[-1]) if act.flat else value
    if act.settings:
        old, rows = rows, rows.clone()
        # Some models take patterns in single precision, whatever they are in.
        wide = torch.promote_types(rows.dtype, act.dtype)
        for one in act.settings:
            here = (one.row, one.positions[:, None], one.columns)
            rows[here] = set_to(one, old[here].to(wide), rows.to(wide)).to(rows.dtype)
        value = rows.reshape(value.shape)
    seen.extend(rows[at : at + 1].clone() for at in act.look)
    return torch.cat(near(seen, value)) if act.piled else value


def set_to(one: Setting, old: Tensor, rows: Tensor) -> Tensor:
    """The new value (position, column): from the old one, and the rows that were set before."""
    new = old * one.keep if one.keep else torch.zeros_like(old)
    if one.source is not None:
        new = new + one.take * rows[one.source, one.positions[:, None], one.columns]
    if one.seen is not None:
        new = new + one.take * one.seen.to(old)
    if one.mean_of is not None:
        several = rows[one.mean_of][:, one.positions][..., one.columns]
        new = new + one.add * several.mean(0)
    if one.added is not None:
        more = one.added
        if one.spread_of is not None:
            own = rows[one.spread_of, one.positions[:, None], one.columns]
            more = own.double().std(correction=0) * more
        new = new + one.add * more.to(old.dtype)
    if one.within is not None:
        moved, arrays = one.within
        alike = {n: a.to(old.dtype) if a.is_floating_point() else a for n, a in arrays.items()}
        new = old + moved(old, new.expand_as(old), alike)
    return new
