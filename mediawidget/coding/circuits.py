"""m(C) as a script: the circuit's heads and MLPs are computed, all others are ablated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..circuit import NODES, Circuit
from ..edits import Edit, Mean, Patch, Zero
from ..mediators import mediator_named
from ..sites import Site
from .parts import loading, pairs
from .places import spots_of
from .readings import Readings, reading_lines, readings_of
from .refusals import cannot
from .script import refuse_study

if TYPE_CHECKING:
    from ..lm import LM
    from ..study import Study

_SAID = {"patch": "as on the corrupt prompt", "zero": "zero", "mean": "their mean"}
_KINDS = {"head": "heads", "mlp_out": "MLPs"}


def circuit_script(
    study: Study,
    circuit: Circuit,
    mode: str,
    edit: Edit,
    model: str | None,
    over: Sequence[str] = NODES,
) -> str:
    """A script that prints m(C) and m(M), means over pairs, and has no result in it.

    Args:
        study: its model, pairs and metric.
        circuit: whose nodes are kept.
        mode: "node"; edges need the residual stream of every reader taken apart.
        edit: what all else is set to: Patch(), Zero(), Mean() or Mean("corrupt").
        model: the name or folder to load from; default, where it was loaded from.
        over: the kinds of component that are ablated; others are always computed.

    Raises:
        MediationError: what no script is written for.
    """
    if mode != "node":
        raise cannot("single edges", f"{mode} mode", "node mode: board.mode = 'node'")
    placed = [node.label() for node in circuit.ordered if node.position is not None]
    if placed:
        raise cannot("nodes at positions", ", ".join(placed), "nodes without positions")
    source = _source(edit)
    refuse_study(study)
    lengths = {len(pair) for pair in study.token_pairs}
    if source.startswith("mean") and len(lengths) > 1:
        raise cannot("means over prompts of several lengths", lengths, "prompts of one length")
    how = readings_of(study.token_pairs, study.metric)
    if how.forced:
        raise cannot("answers of several tokens", study.contrast.name, "answers of one token")
    places = _places(study, edit, over)
    parts = [
        _head(circuit, edit, over),
        loading(study.lm, model, eager=False),
        pairs(study, how),
        _outside(study.lm, circuit, places, over),
        _looking(study.lm, places) if source else [],
        _running(study.lm, places, how, source=source),
        reading_lines(how),
        _results(source),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _source(edit: Edit) -> str:
    """Where ablated values come from: "" for nowhere, "corrupt", "mean clean", "mean corrupt"."""
    match edit:
        case Patch(source=None | "corrupt", alpha=1.0):
            return "corrupt"
        case Mean(base=base):
            return f"mean {base or 'clean'}"
        case Zero():
            return ""
    raise cannot("this ablation", repr(edit), "'resample', 'zero' or 'mean'")


def _places(study: Study, edit: Edit, over: Sequence[str]) -> dict[str, str]:
    """Per kind of component that is looked at the tensor that holds it in a layer; heads always."""
    lm = study.lm
    if lm.paths.flat_mlp:
        raise cannot("an MLP that reads all prompts as one", lm.name, "another model")
    found = {}
    for kind in NODES:
        if lm.has(mediator_named(kind)) and (kind == "head" or kind in over):
            site = Site(kind, 0, head=0) if kind == "head" else Site(kind, 0)
            (spot,) = spots_of({site: edit}, lm, [1], [{}])
            found[kind] = spot.place.replace(f"{lm.paths.blocks}[0]", f"{lm.paths.blocks}[layer]")
    return found


def _head(circuit: Circuit, edit: Edit, over: Sequence[str]) -> list[str]:
    n = len(circuit.nodes)
    said = _SAID.get(edit.kind, edit.kind)
    others = " and ".join(_KINDS[kind] for kind in over)
    return [
        f"# m(C): {n} node{'s' * (n != 1)} computed, in nnsight 0.8.",
        f"# All other {others} are set to {said}.",
        "import torch",
        "from nnsight import NNsight",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
    ]


def _outside(lm: LM, circuit: Circuit, places: dict[str, str], over: Sequence[str]) -> list[str]:
    """What is ablated, by layer."""
    layers = range(lm.n_layers)
    kept = {(node.mediator, node.layer, node.head) for node in circuit.nodes}
    rows = []
    for layer in layers:
        heads = [h for h in range(lm.n_heads) if ("head", layer, h) not in kept]
        heads = heads if "head" in over else []
        rows.append(f"    {heads},")
    lines = ["# Per layer the heads that are ablated.", "heads = [", *rows, "]"]
    lines += [f"width = {lm.d_head}  # of a head"]
    if "mlp_out" in places:
        mlps = [layer for layer in layers if ("mlp_out", layer, None) not in kept]
        lines += [f"mlps = {mlps}  # ablated"]
    return lines


def _trace(lm: LM) -> str:
    where = "" if lm.device.type == "cpu" else ".to(hf.device)"
    ids = f'tokenizer(prompt, return_tensors="pt").input_ids{where}'
    return f"    with model.trace(input_ids={ids}):"


def _looking(lm: LM, places: dict[str, str]) -> list[str]:
    values = ", ".join(f"{place}.clone()" for place in places.values())
    return [
        "def look(prompt):",
        '    """What heads and MLPs are on a prompt, layer by layer."""',
        _trace(lm),
        "        values = list().save()",
        "        for layer in range(len(heads)):",
        f"            values.append([{values}])",
        "    return values",
    ]


def _running(lm: LM, places: dict[str, str], how: Readings, *, source: str) -> list[str]:
    """The function that gives the logits of a prompt, whole or with the circuit alone."""
    given = "new=None" if source else "ablated=False"
    tests = "new is not None" if source else "ablated"
    z = places["head"]
    value = "new[layer][0][:, :, part]" if source else "0"
    lines = [
        f"def run(prompt, {given}):",
        '    """Logits after the prompt; of the circuit alone, all else is ablated."""',
        _trace(lm),
        "        for layer in range(len(heads)):",
        f"            if {tests}:",
        "                for head in heads[layer]:",
        "                    part = slice(width * head, width * (head + 1))",
        f"                    {z}[:, :, part] = {value}",
    ]
    if "mlp_out" in places:
        value = "new[layer][1]" if source else "0"
        lines += [
            "                if layer in mlps:",
            f"                    {places['mlp_out']}[:] = {value}",
        ]
    where = -1 if how.at is None else how.at
    end = f"        logits = model.output.logits[0, {where}].double().save()"
    return [*lines, end, "    return logits"]


def _results(source: str) -> Sequence[str]:
    lines = []
    new = "look(corrupt)" if source == "corrupt" else "new" if source else "True"
    if source.startswith("mean"):
        base = source.removeprefix("mean ")
        lines = [
            "# The mean over prompts, layer by layer.",
            f"seen = [look({base}) for clean, corrupt, *_ in pairs]",
            "new = [[torch.stack(same).mean(0) for same in zip(*layer)] for layer in zip(*seen)]",
        ]
    return [
        *lines,
        "rows = []",
        "for clean, corrupt, right, wrong in pairs:",
        f"    runs = run(clean), run(clean, {new})",
        "    rows.append([metric(logits, right, wrong) for logits in runs])",
        "whole, kept = torch.tensor(rows, dtype=torch.float64).mean(0).tolist()",
        'print(f"m(M) {whole:+.6f}")',
        'print(f"m(C) {kept:+.6f}")',
    ]
