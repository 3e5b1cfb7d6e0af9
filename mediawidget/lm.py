"""A language model made ready for interventions."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import torch
from torch import nn

from .architectures import ModulePaths, is_shipped, module_paths, sizes
from .calls import forward_arguments
from .encoding import Encoder, Reads, TokenPair
from .errors import MediationError, require
from .failing import noting_what_a_pass_asks
from .identity import Contents
from .mediators import Point
from .own_traces import refuser
from .path_probe import refuse_other_passes
from .path_sources import refuse_other_place
from .pooling import pad_token, refuse_no_score, rows_classified
from .readouts import Readout
from .remote_traces import likeliest, only_logits, passed
from .sparing import leave_optimisers
from .taps import Tap, elsewhere, tap
from .turns import Lock
from .two_texts import blank, n_positions, rows_of, start_of
from .unreadable import refuse_no_tokenizer
from .weights import Weights, traced
from .wiring import Wiring
from .workers import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from .remote.connection import Remote
    from .validity import Check

# Before a model of transformers is read, with which it would come.
leave_optimisers()


def _refuse_no_paths(paths: object) -> None:
    require(
        paths is None or isinstance(paths, ModulePaths),
        "The paths of a model's modules come together.",
        value=paths,
        expected="ModulePaths(...)",
        fix="load(model, tokenizer=..., paths=ModulePaths(blocks='model.layers', ...))",
    )


class LM(Weights):
    """A language model, its tokenizer and the paths to what can be edited in it.

    Decoders; beside them models that fill a mask (BERT), write about another text (T5: its decoder
    side), classify a text, or scan it without attention (Mamba).

    Made by ``load``. All traces of one model go through ``lock``, one at a time.

    Attributes:
        hf: the torch module; its weights are never changed here.
        tokenizer: of transformers.
        name: for people.
        origin: the folder or the name on the hub, and the revision, that it was loaded from with
            its tokenizer; None where the model or the tokenizer was given.
        n_layers: how many blocks.
        n_heads: attention heads of a block; 0 without attention.
        n_kv_heads: key-value heads of a block, which several heads may share.
        d_model: width of the residual stream.
        d_head: width of a head.
        d_mixer: channels of a block that has a scan instead of attention.
        device, dtype: of its weights; the processor, where these are on a server.
        proven: the version of the model and the checks of its first contact, on a server.
        remote: who runs it, where the weights are on a server; else None.
        backend: makes what a trace is handed to; None where it runs here, as it is.
        unembeds_some: whether its forward may be told which positions' logits are wanted.
        known_places: names inside a module's forward that lead where they should.

    Raises:
        MediationError: no tokenizer, an architecture that is not known, or paths that lead nowhere
            or leave out a classifier's head.
    """

    def __init__(
        self,
        module: nn.Module,
        tokenizer: Any,
        *,
        name: str,
        paths: ModulePaths | None = None,
        remote: Remote | None = None,
    ) -> None:
        refuse_no_tokenizer(tokenizer, module)
        _refuse_no_paths(paths)
        self.hf = module.eval()
        self.tokenizer = tokenizer
        self.name = name
        self.origin: tuple[str, str | None] | None = None
        self._loaded: int | None = None
        self.paths = module_paths(module, paths)
        self.lock = Lock(refuser(self))
        self._contents = Contents(module)
        self.traced = traced(module) if remote is None else remote.model
        self.remote = remote
        self.backend: Callable[[], Any] | None = None if remote is None else remote.backend
        self._worker: Worker | None = None
        self.proven: tuple[tuple[int, ...], list[Check]] | None = None
        config: Any = getattr(module, "config", None)
        self._config = config
        refuse_no_score(self)
        self._take_sizes(config)
        # Quantised weights are whole numbers; what is computed with is not.
        weight = next(p for p in module.parameters() if p.is_floating_point())
        self.dtype = weight.dtype
        # What is sent to where the weights are lies here.
        self.device = torch.device("cpu") if weight.is_meta else weight.device
        # What another's forward means by that keyword nobody knows.
        told = "logits_to_keep" in signature(module.forward).parameters
        self.unembeds_some = told and type(module).__module__.startswith("transformers.")
        limit = getattr(config, "max_position_embeddings", None)
        labels = getattr(config, "label2id", None) if self.classifies else None
        last = self.pools_last if self.classifies else self.causal
        reads: Reads = "mask" if self.fills_mask else "last" if last else "first"
        start = start_of(config) if self.encodes else None
        self.encoder = Encoder(
            tokenizer,
            limit,
            labels,
            reads=reads,
            start=start,
            vocabulary=self.vocabulary,
            # Asked anew for every prompt: a config may be given its token later on.
            padding=lambda: pad_token(module),
        )
        self.known_places: set[tuple[Any, ...]] = set()
        if not (is_shipped(module, paths) or weight.is_meta):
            refuse_other_passes(self)

    def _take_sizes(self, config: Any) -> None:
        size = sizes(self.hf, self.paths)
        self.n_layers, self.n_heads, self.n_kv_heads = size.n_layers, size.n_heads, size.n_kv_heads
        self.d_model, self.d_head, self.d_mlp = size.d_model, size.d_head, size.d_mlp
        self.vocabulary, self.d_mixer = size.vocabulary, size.d_mixer
        self.d_state = int(getattr(config, "state_size", 0) or 0) if size.d_mixer else 0

    @property
    def blank(self) -> torch.Tensor:
        """Ids (1, position) of a prompt for a pass in which the prompt does not matter."""
        return torch.tensor(blank(encodes=self.encodes), device=self.device)

    @property
    def worker(self) -> Worker | None:
        """Where a kernel lets its server be waited for; None of a model that is here."""
        if self.backend is None:
            return None
        if self._worker is None:
            here = ref(self)  # a thread that waits keeps no model

            def remote() -> Any:
                return getattr(here(), "remote", None)

            self._worker = Worker(remote)
        return self._worker

    # --- text -------------------------------------------------------------------------------

    def tokens(self, text: str) -> list[str]:
        """The text as the model's tokens, a string each, the start token included."""
        return self.encoder.tokens(text)

    def asked(self, text: str, decoder: str = "") -> tuple[torch.Tensor, int]:
        """Ids (1, position) of a text as a prompt, and the position where it is answered.

        Args:
            text: the prompt; what the encoder reads, where there is one.
            decoder: what the decoder's own text begins with, where there is an encoder.

        Raises:
            MediationError: a text that the model cannot read, or one without its mask.
        """
        ids = self.encoder.ids(text)
        at = self.encoder.mask_in(ids) if self.fills_mask else len(ids) - 1
        if self.encodes:
            own = np.array([self.encoder.begun(decoder)])
            ids, at = rows_of([np.array(ids)], own, len(ids))[0].tolist(), own.shape[1] - 1
        return torch.tensor([ids], device=self.device), at

    # --- shape ------------------------------------------------------------------------------

    @property
    def wiring(self) -> Wiring:
        """What writes to the residual stream and what reads from it.

        Raises:
            MediationError: something else than heads and MLPs writes to it.
        """
        if self.encodes or not self.n_heads:
            raise MediationError(
                "The edges of this model are not known.",
                value=f"{self.name}: its blocks "
                + ("read an encoder" if self.encodes else "mix positions by a scan"),
                expected="a network of heads and MLPs that write to one stream",
                fix="study.sweep('residual', by='position'), mw.routes(study, site)",
            )
        beside = self.paths.norm_before_mlp is None and self.paths.mlp_in is not None
        return Wiring(self.shape, mlps=self.paths.mlp is not None, parallel=beside)

    def width_at(self, point: Point, n_positions: int) -> int:
        """How many columns an activation has at a point.

        Args:
            point: the name of a point in the network.
            n_positions: of the prompt; what attends to how much depends on it.
        """
        heads, keys = self.n_heads * self.d_head, self.n_kv_heads * self.d_head
        widths: dict[str, int] = {
            "mask": self.n_heads * n_positions,
            "pattern": self.n_heads * n_positions,
            "query": heads,
            "key": keys,
            "value": keys,
            "qkv": heads + 2 * keys,
            "attn_z": heads or self.d_mixer,
            "cross_z": heads,
            "neurons": self.d_mlp,
        }
        return widths.get(point, self.d_model)

    def trace_arguments(self, call: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The model's arguments as those of a trace and of the one invoke in it.

        A server would sort the rows of all that comes with the tokens, and a mask of one row for
        all is none to it; what the trace is given it hands on.
        """
        if self.backend is None:
            return {}, call
        rest = {name: value for name, value in call.items() if name != "input_ids"}
        return rest, {"input_ids": call["input_ids"]}

    def next_tokens(self, text: str, n: int = 10) -> list[tuple[str, float]]:
        """The ``n`` likeliest next tokens after a text, with their probabilities: one pass.

        On a server this is one request. A model that fills a mask says what it puts there.

        Args:
            text: the prompt.
            n: how many tokens.

        Raises:
            MediationError: a text that the model cannot read, a number of tokens that there are
                not, or a classifier, which has none.

        Example:
            >>> mw.load().next_tokens("Mary went to the", n=3)
        """
        count: object = n
        require(
            isinstance(count, int) and not isinstance(count, bool) and count >= 1,
            "Next tokens are counted.",
            value=n,
            expected="an int, at least 1",
            fix="lm.next_tokens('Mary went to the', n=10)",
        )
        require(
            not self.classifies,
            "A classifier has labels instead of next tokens.",
            value=self.name,
            expected="a language model",
            fix="name one of its labels as the answer",
        )
        ids, at = self.asked(text)
        if self.backend is not None:
            tokens, p = passed(self, ids, [at], likeliest, [n])
        else:
            tokens, p = likeliest(self.logits_at(ids, [at]), [], n)
        values = zip(tokens[0].tolist(), p[0].tolist(), strict=True)
        return [(self.encoder.token(i), p) for i, p in values]

    def logits_at(self, ids: Any, positions: Sequence[int], *, gradients: bool = False) -> Any:
        """Logits (row, read, vocabulary) of prompts (row, position), by a plain forward pass.

        A classifier reads where it answers, whatever the positions. ``gradients`` keeps what a
        backward pass needs. On a server this is one request, without gradients.

        Args:
            ids: (row, position) token ids.
            positions: those that are read, the same in each row.
            gradients: whether to keep what a backward pass needs.
        """
        if self.backend is not None:
            return passed(self, ids, positions, only_logits)
        some = {"logits_to_keep": torch.tensor(positions, device=self.device)}
        call = {"input_ids": ids, "use_cache": False}
        if self.encodes:
            call = forward_arguments(self, ids, 0, n_positions(self, ids))
        fewer = self.unembeds_some and not self.runs_own_code
        with (
            noting_what_a_pass_asks(),
            self.lock,
            torch.set_grad_enabled(gradients),
            rows_classified(self),
        ):
            out: Any = self.hf(**call, **(some if fewer else {}))
        logits = out.logits.to(torch.promote_types(out.logits.dtype, self.dtype))
        if self.classifies:
            return logits[:, None].expand(-1, len(positions), -1)
        return logits if fewer else logits[:, list(positions)]

    def tap(self, stage: int, point: Point) -> Tap:
        """The traced place behind a point.

        Args:
            stage: 0 for the embedding, layer + 1 inside a block, ``n_layers`` + 1 after the last.
            point: the name of a point there.

        Raises:
            MediationError: the module there has no such name or keyword; it says which field of
                ``ModulePaths`` is wrong.
        """
        place = tap(self.traced, self.paths, stage, self.n_layers, point)
        if self.backend is not None:
            place = elsewhere(place, self.traced, self.paths, stage)
        refuse_other_place(self, place, point)
        return place

    # --- words ------------------------------------------------------------------------------

    def describe(self) -> str:
        """What is loaded, in a few lines."""
        count = sum(p.numel() for p in self.hf.parameters())
        inside = f"{self.n_heads} heads of width {self.d_head} ({self.n_kv_heads} key-value heads)"
        if not self.n_heads:
            inside = f"a scan over {self.d_mixer} channels (no attention heads)"
        return (
            f"{self.name}: {type(self.hf).__name__}, {count:,} parameters\n"
            f"{self.n_layers} layers x {inside}, residual width {self.d_model}\n"
            f"{self.tokenizer.vocab_size:,} tokens, {self.dtype} on "
            f"{self.device if self.remote is None else self.remote.server.host}"
        )

    def __repr__(self) -> str:
        inside = f" x {self.n_heads} heads" if self.n_heads else " without heads"
        return f"LM({self.name!r}, {self.n_layers} layers{inside})"

    # --- inside -----------------------------------------------------------------------------

    def encode(self, pairs: Sequence[Any], readout: Readout | None = None) -> list[TokenPair]:
        """Every pair as token ids; the first mistake names its pair.

        Args:
            pairs: ``PromptPair`` each.
            readout: where the answer is read; it says what may be read of an answer.

        Raises:
            MediationError: a pair that the model cannot read or answer; it names which.
        """
        return self.encoder.pairs(pairs, readout)
