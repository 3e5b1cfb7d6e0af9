"""One forward pass in which readers see what they are told to see.

torch's own hooks around the model's own modules: norms, rotation, softmax and activations are the
model's code, run on the inputs that this gives them. It can be differentiated, with respect to
what is cut as well as to the readers' inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ..architectures import follow
from ..calls import fit_arguments, forward_arguments
from ..failing import noting_what_a_pass_asks
from ..lm import LM
from ..mediators import Point, mediator_named
from ..plain_hooks import module_at
from ..pooling import rows_classified
from ..sites import Site
from .inputs import Inputs, change_of
from .support import matrix, on_scale
from .writes import Writes

_ATTENTION = ("query", "key", "value")


class _SeenError(Exception):
    """Ends a pass through a block that has come to what was asked for."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


class Pass:
    """A forward pass of several wirings of each of some prompts, rows in that order.

    Up to the first block in which anything is cut all wirings are one, and the batch has a row for
    each prompt; there it grows.

    Args:
        lm: a model that can be rewired.
        cut: (row, sender, receiver) or (row, sender, receiver, position): which share of what the
            sender writes is exchanged for that receiver, 0 to 1.
        others: what it is exchanged for, a row per prompt or one for all; None: nothing is cut.
        start: (row, position, d_model) what enters the first block instead of the embedding.
        probe: give every receiver an input of its own, to be differentiated.
        hold_norm: divide what the logits read by what the final norm divides the stream by, as if
            nothing were cut there, so that writes add up in the logits.

    Attributes:
        inputs: with ``probe``, in forward order some receivers, by their places in the wiring, and
            what they see, one behind the other: (receiver * row, position, d_model).
    """

    def __init__(
        self,
        lm: LM,
        cut: Tensor,
        others: Writes | None,
        *,
        start: Tensor | None = None,
        probe: bool = False,
        hold_norm: bool = False,
    ) -> None:
        self.lm, self.cut, self.others, self.start = lm, cut, others, start
        self.hold_norm = hold_norm
        self.wiring = lm.wiring
        self.probe = probe
        self.inputs: list[tuple[tuple[int, ...], Tensor]] = []
        self._inputs = Inputs(self.wiring, cut, probe=probe)
        self._looking: str | None = None
        self._projected: dict[Point, list[tuple[Any, int, Tensor]]] = {}
        self._mlp_input: tuple[Any, Tensor] | None = None
        self._moved: Tensor | None = None

    def logits(self, ids: Tensor, reads: Sequence[int]) -> Tensor:
        """(row, read, vocabulary) for prompts (prompt, position), which every wiring reads."""
        lm, self._inputs.n_prompts = self.lm, len(ids)
        if lm.classifies:  # it takes its rows from the ids, so the batch cannot grow later
            ids = self._inputs.grown(ids)
        arguments = forward_arguments(lm, ids, 0, ids.shape[1])
        with noting_what_a_pass_asks(), lm.lock, rows_classified(lm), ExitStack() as hooks:
            for handle in self._hooks():
                hooks.callback(handle.remove)
            some = {"logits_to_keep": torch.tensor(list(reads), device=lm.device)}
            told = lm.trims_head and lm.unembeds_some
            out = lm.hf(**arguments, **(some if told else {}))
        if lm.classifies:  # it reads where it answers, whatever the positions
            return out.logits[:, None].expand(-1, len(reads), -1)  # type: ignore[no-any-return]
        logits: Tensor = out.logits if told else out.logits[:, list(reads)]
        return self._inputs.grown(logits)

    # --- hooks ------------------------------------------------------------------------------------

    def _hooks(self) -> list[Any]:
        lm, paths = self.lm, self.lm.paths
        handles = []
        for layer, block in enumerate(follow(lm.hf, paths.blocks)):
            handles.append(block.register_forward_pre_hook(self._enter(layer), with_kwargs=True))
            handles += self._attention_hooks(layer)
            if paths.mlp is not None:
                handles += self._mlp_hooks(layer)
        last = module_at(lm, lm.n_layers + 1, "block_in")
        handles.append(last.register_forward_pre_hook(self._leave))
        if self.hold_norm:
            handles.append(last.register_forward_hook(self._held))
        return handles

    def _attention_hooks(self, layer: int) -> list[Any]:
        lm = self.lm
        points = {
            mediator_named(kind).place(Site(kind, layer, head=0), lm.shape).point: kind
            for kind in _ATTENTION
        }
        handles = []
        for point in points:
            module = module_at(lm, layer + 1, point)
            handles.append(module.register_forward_pre_hook(self._look("attention")))
            handles.append(module.register_forward_hook(self._exchange(point)))
        proj = module_at(lm, layer + 1, "attn_z")
        handles.append(proj.register_forward_pre_hook(self._heads_wrote(layer, proj)))
        return handles

    def _mlp_hooks(self, layer: int) -> list[Any]:
        lm, paths = self.lm, self.lm.paths
        block = follow(lm.hf, paths.blocks)[layer]
        beside = self.wiring.parallel
        path = paths.mlp_in if beside else paths.norm_before_mlp
        assert path is not None
        assert paths.mlp is not None
        reads = follow(block, path)
        handles = [reads.register_forward_pre_hook(self._look("mlp"))] if beside else []
        before = self._mlp_beside if beside else self._mlp_after(layer)
        handles.append(reads.register_forward_pre_hook(before))
        handles.append(follow(block, paths.mlp).register_forward_hook(self._mlp_wrote(layer)))
        return handles

    def _look(self, what: str) -> Any:
        def look(_: nn.Module, args: tuple[Any, ...]) -> None:
            if self._looking == what:
                raise _SeenError(args[0])

        return look

    def _enter(self, layer: int) -> Any:
        def enter(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            stream = args[0] if args else kwargs["hidden_states"]
            if layer == 0:
                stream = stream if self.start is None else self.start
                if self._inputs.need(0):
                    assert self.others is not None
                    self._inputs.wrote(0, change_of(stream, self.others.start)[:, None])
            if self._inputs.begin_in(layer):
                stream = self._inputs.grown(stream)
            self._split(layer, block, stream, kwargs)
            fitted = fit_arguments(kwargs, len(stream), self.lm.n_heads, self.lm.paths)
            if args:
                return (stream, *args[1:]), fitted
            return args, {**fitted, "hidden_states": stream}

        return enter

    def _split(
        self, layer: int, block: nn.Module, stream: Tensor, kwargs: Mapping[str, Any]
    ) -> None:
        """Compute queries, keys and values (a parallel MLP's input) from inputs of their own."""
        self._projected, self._mlp_input = {}, None
        shape = self.lm.shape
        counts = {"query": shape.n_heads, "key": shape.kv_heads, "value": shape.kv_heads}
        sites = [Site(kind, layer, head=h) for kind, n in counts.items() for h in range(n)]
        some = [site for site in sites if self._inputs.differ(self.wiring.receiver(site))]
        if some:
            receivers = tuple(map(self.wiring.receiver, some))
            normed = self._seen("attention", block, self._stacked(receivers, stream), kwargs)
            parts = torch.split(normed, [self._n_rows(r, stream) for r in receivers])
            for site, receiver, part in zip(some, receivers, parts, strict=True):
                self._project(site, self._inputs.rows(receiver), part)
        if self.wiring.parallel:
            receiver = self.wiring.receiver(Site("mlp_out", layer))
            if self._inputs.differ(receiver):
                own = self._stacked((receiver,), stream)
                seen = self._seen("mlp", block, own, kwargs)
                self._mlp_input = self._inputs.rows(receiver), seen

    def _stacked(self, receivers: tuple[int, ...], stream: Tensor) -> Tensor:
        """The inputs of some receivers, one behind the other."""
        stacked = self._inputs.stacked(receivers, stream)
        if self.probe:
            self.inputs.append((receivers, stacked))
        return stacked

    def _n_rows(self, receiver: int, stream: Tensor) -> int:
        rows = self._inputs.rows(receiver)
        return len(stream) if isinstance(rows, slice) else len(rows)

    def _seen(
        self, what: str, block: nn.Module, inputs: Tensor, kwargs: Mapping[str, Any]
    ) -> Tensor:
        """What a block hands on from its input to attention, or to a parallel MLP."""
        given = {name: value for name, value in kwargs.items() if name != "hidden_states"}
        fitted = fit_arguments(given, len(inputs), self.lm.n_heads, self.lm.paths)
        self._looking = what
        try:
            block.forward(inputs, **fitted)
        except _SeenError as seen:
            return seen.value
        finally:
            self._looking = None
        raise AssertionError(f"the block never came to its {what}")

    def _project(self, site: Site, rows: Any, normed: Tensor) -> None:
        """Keep one head's query, key or value: (row, position, d_head)."""
        place = mediator_named(site.mediator).place(site, self.lm.shape)
        module: Any = module_at(self.lm, place.stage, place.point)
        weight, bias = matrix(module), module.bias
        width = weight.shape[1] // place.n_units
        columns = slice(place.unit * width, (place.unit + 1) * width)
        value = normed @ weight[:, columns]
        value = value if bias is None else value + bias[columns]
        self._projected.setdefault(place.point, []).append((rows, columns, value))  # type: ignore[arg-type]

    def _exchange(self, point: Point) -> Any:
        def exchange(_: nn.Module, __: Any, output: Tensor) -> Tensor | None:
            if self._looking or point not in self._projected:
                return None
            new = output.clone()
            for rows, columns, value in self._projected[point]:
                new[rows, :, columns] = value
            return new

        return exchange

    def _heads_wrote(self, layer: int, proj: nn.Module) -> Any:
        first = self.wiring.sender(Site("head", layer, head=0))
        n_heads = self.lm.n_heads

        def wrote(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            if self._looking or not self._inputs.need(first, n_heads):
                return
            assert self.others is not None
            change = change_of(args[0], self.others.heads[layer])
            by_head = torch.unflatten(change, -1, (n_heads, -1))
            weight = torch.unflatten(matrix(proj), 0, (n_heads, -1))
            self._inputs.wrote(first, torch.einsum("nphe,hed->nhpd", by_head, weight))

        return wrote

    def _mlp_after(self, layer: int) -> Any:
        receiver = self.wiring.receiver(Site("mlp_out", layer))

        def before(_: nn.Module, args: tuple[Tensor, ...]) -> Any:
            if self._looking or not self._inputs.differ(receiver):
                return None
            own = self._stacked((receiver,), args[0])
            return (_put(args[0], self._inputs.rows(receiver), own),)

        return before

    def _mlp_beside(self, _: nn.Module, args: tuple[Tensor, ...]) -> Any:
        if self._looking or self._mlp_input is None:
            return None
        return (_put(args[0], *self._mlp_input),)

    def _mlp_wrote(self, layer: int) -> Any:
        sender = self.wiring.sender(Site("mlp_out", layer))

        def wrote(_: nn.Module, __: Any, output: Tensor) -> None:
            if not self._looking and self._inputs.need(sender):
                assert self.others is not None
                # A copy: what comes after may write over it.
                self._inputs.wrote(sender, change_of(output, self.others.mlps[layer])[:, None])

        return wrote

    def _leave(self, _: nn.Module, args: tuple[Tensor, ...]) -> Any:
        receiver = len(self.wiring.receivers) - 1
        if not self._inputs.differ(receiver):
            return None
        stream = args[0] if self.probe else self._inputs.grown(args[0])
        own = _put(stream, self._inputs.rows(receiver), self._stacked((receiver,), stream))
        if self.hold_norm:
            self._moved = own - stream
            return (stream,)
        return (own,)

    def _held(self, norm: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        """The norm of the stream, and what is cut from it on the stream's own scale."""
        moved, self._moved = self._moved, None
        return None if moved is None else output + on_scale(norm, args[0], moved)


def _put(stream: Tensor, rows: Any, own: Tensor) -> Tensor:
    """The stream with some rows exchanged."""
    if isinstance(rows, slice):
        return own
    new = stream.clone()
    new[rows] = own
    return new
