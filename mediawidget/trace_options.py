"""What may be asked of a causal trace, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from .edits import Noise
from .errors import MediationError, is_one_of, require
from .mediators import mediator_named
from .sites import Position
from .study import Study

Corruption = Literal["noise", "replacement"]

KINDS = ("residual", "mlp_out", "attn_out")
"""The states that Meng et al. restore: hidden states, MLPs and attention."""

STATES = ("residual",)
"""What is restored where modules behind it are severed."""


def windows(n_layers: int, kinds: Sequence[str], window: object) -> dict[str, int]:
    """Layers restored together, per kind."""
    fifth = max(1, round(0.2 * n_layers))
    default = {kind: 1 if is_state(kind) else fifth for kind in kinds}
    if window is None:
        return default
    given = window if isinstance(window, Mapping) else dict.fromkeys(kinds, window)
    require(
        set(given) <= set(kinds),
        "A window is of a kind that is traced.",
        value=window,
        expected="a number of layers, or {kind: layers} with some of " + ", ".join(kinds),
        fix="mw.causal_tracing(study, window={'mlp_out': 10})",
    )
    return default | dict(given)


def is_state(kind: str) -> bool:
    """Whether it is the residual stream, which modules read from and write to."""
    return kind.startswith("residual")


def refuse_no_trace(corruption: object, by: object) -> None:
    """Raise unless there is such a corruption and such a way to go through the positions."""
    require(
        isinstance(corruption, Noise) or is_one_of(corruption, get_args(Corruption)),
        "There is no such corruption.",
        value=corruption,
        expected="'replacement', 'noise', or mw.Noise(...)",
        fix="mw.causal_tracing(study, corruption='noise')",
    )
    require(
        is_one_of(by, ("position", "role")),
        "A trace goes by position.",
        value=by,
        expected="'position' or 'role'",
        fix="mw.causal_tracing(study, by='role')",
    )


def refuse_no_kinds(kinds: object) -> None:
    """Raise unless these are kinds of states that can be restored."""
    several = isinstance(kinds, Sequence) and not isinstance(kinds, str) and len(kinds) > 0
    require(
        several,
        "A trace restores kinds of states.",
        value=kinds,
        expected="names of mediators in a tuple",
        fix=f"mw.causal_tracing(study, kinds={KINDS!r})",
    )
    for kind in kinds:  # type: ignore[attr-defined]
        mediator = mediator_named(kind)
        require(
            mediator.index is None and not mediator.keyed and not mediator.one_layer,
            "A trace restores whole states.",
            value=kind,
            expected="a mediator of one unit a layer, such as 'residual', 'mlp_out', 'attn_out'",
            fix=f"study.sweep({kind!r}, by='position')",
        )


def refuse_not_severed(severed: object, kinds: Sequence[str]) -> None:
    """Raise unless it can be severed behind every one of the kinds."""
    if severed is None:
        return
    require(
        is_one_of(severed, ("mlp_out", "attn_out")),
        "MLPs or attention can be severed.",
        value=severed,
        expected="None, 'mlp_out' or 'attn_out'",
        fix="mw.causal_tracing(study, severed='mlp_out')",
    )
    require(
        all(map(is_state, kinds)),
        "Modules are severed behind a restored state, not behind a module.",
        value=tuple(kinds),
        expected="kinds of the residual stream alone",
        fix=f"mw.causal_tracing(study, kinds={STATES!r}, severed={severed!r})",
    )


def refuse_no_subject(study: Study, subject: Position) -> None:
    """Raise unless the pairs say where noise goes."""
    several = subject if isinstance(subject, tuple) else (subject,)
    unknown = [one for one in several if isinstance(one, str) and one not in study.roles]
    if unknown or subject is None:
        raise MediationError(
            "Noise needs to know where the subject is.",
            value=f"subject={subject!r}",
            expected="positions, or one of the roles: " + (", ".join(study.roles) or "none"),
            fix="causal_tracing(study, subject=(2, 3)), or PromptPair(..., roles={'subject': ...})",
        )
