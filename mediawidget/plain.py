"""One run by the slow road: no trace, no grown batch, no cache, one prompt at a time.

It shares nothing with the engine but the table of module paths, so that it can contradict it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .architectures import follow
from .edits import Edit
from .edits.base import Base
from .encoding import TokenPair
from .lm import LM
from .mediators import mediator_named
from .runs import Run
from .sites import Site


class _SeenError(Exception):
    """Ends a pass that has come to what was asked for."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


def plain_run(
    lm: LM, pair: TokenPair, run: Run, pairs: Sequence[TokenPair] = ()
) -> NDArray[np.float64]:
    """What the run keeps, (3,): answer logit, wrong logit, logsumexp.

    ``pairs`` are those that a mean edit averages; others than of ``pair``'s length are left out.
    """
    values = [(site, _value(lm, pair, site, edit, run.base, pairs)) for site, edit in run.edits]
    with ExitStack() as hooks:
        for site, value in values:
            hooks.callback(_hook(lm, site, _setter(lm, site, value)))
        logits = _forward(lm, getattr(pair, run.base))
    answers = logits[[pair.answer, pair.wrong]]
    return torch.cat([answers, logits.logsumexp(-1, keepdim=True)]).double().cpu().numpy()


def _value(
    lm: LM, pair: TokenPair, site: Site, edit: Edit, base: Base, pairs: Sequence[TokenPair]
) -> Tensor | None:
    """The activation that the edit writes, None for zero."""
    source = edit.taken_from(base)
    if source is None:
        return None
    alike = [p for p in pairs if len(p) == len(pair)] if edit.source_kind == "mean" else [pair]
    return torch.stack([_read(lm, getattr(p, source), site) for p in alike]).mean(dim=0)


def _forward(lm: LM, ids: NDArray[np.int64]) -> Tensor:
    with lm.lock, torch.no_grad():
        out = lm.hf(torch.from_numpy(ids)[None].to(lm.device), use_cache=False, logits_to_keep=1)
    logits: Tensor = out.logits[0, -1]
    return logits if logits.dtype == torch.float64 else logits.float()


def _read(lm: LM, ids: NDArray[np.int64], site: Site) -> Tensor:
    """The activation at the site. What comes after it in the pass is of no use and is not run."""

    def look(value: Tensor) -> None:
        raise _SeenError(value.clone())

    remove = _hook(lm, site, look)
    try:
        _forward(lm, ids)
    except _SeenError as seen:
        return seen.value
    finally:
        remove()
    raise AssertionError(f"the pass never came to {site}")


def _setter(lm: LM, site: Site, value: Tensor | None) -> Callable[[Tensor], Tensor]:
    def write(activation: Tensor) -> Tensor:
        changed = activation.clone()
        positions: Any = slice(None) if site.position is None else site.position
        positions = list(positions) if isinstance(positions, tuple) else positions
        columns = slice(None)
        if site.head is not None:
            columns = slice(site.head * lm.d_head, (site.head + 1) * lm.d_head)
        changed[:, positions, columns] = 0 if value is None else value[:, positions, columns]
        return changed

    return write


def _hook(lm: LM, site: Site, act: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
    """Run ``act`` on the activation at the site; a tensor that it returns takes its place."""
    point = mediator_named(site.mediator).point
    if site.layer == lm.n_layers:
        module, on_input = follow(lm.hf, lm.paths.final_norm), True
    else:
        block: nn.Module = follow(lm.hf, lm.paths.blocks)[site.layer]
        path = {
            "block_in": None,
            "attn_z": lm.paths.attn_proj,
            "attn_out": lm.paths.attn_proj,
            "mlp_out": lm.paths.mlp,
        }[point]
        module = block if path is None else follow(block, path)
        on_input = point in ("block_in", "attn_z")
    if on_input:

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                new = act(args[0])
                return None if new is None else ((new, *args[1:]), kwargs)
            new = act(kwargs["hidden_states"])
            return None if new is None else (args, {**kwargs, "hidden_states": new})

        remove: Callable[[], None] = module.register_forward_pre_hook(
            before, with_kwargs=True
        ).remove
        return remove

    def after(_: nn.Module, __: Any, output: Tensor) -> Tensor | None:
        return act(output)

    removed: Callable[[], None] = module.register_forward_hook(after).remove
    return removed
