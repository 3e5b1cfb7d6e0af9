"""The notebooks run from top to bottom in a kernel of their own, and what they say is so."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from mediawidget.loading import TEACHING_MODEL

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))

CLAIMS = {
    "02_mediation": """
# Two heads carry it side by side, and what later MLPs make of what they write is the rest.
alone, both = carried["both heads' routes, added up"], carried["both heads free"]
whole = carried["both heads and MLPs 3 to 5 free"]
assert carried["nothing free"] < 0.6 and abs(both - alone) < 0.4 < alone
assert carried["MLPs 3 to 5 free"] < 0.6 and whole > 2 * both
assert routes.to_dataframe()["PIE"][1:].sum() < 0.5 * carried["everything free"]
assert carried["everything free"] < whole - 2
""",
    "05_circuits": """
big, of = study.total["TE"] / 4, lambda kind, name: table.loc[name, kind]
# A chain of three steps, and a head against the answer.
assert of("to L2 values", "L0H1") > big and abs(of("to logits", "L0H1")) < 1
assert min(of("to L3 queries", name) for name in ("L2H0", "L2H1")) > big
assert min(of("to logits", name) for name in ("L3H0", "L3H1")) > big
assert of("to logits", "L5H0") < -5
# The first edge is seen by EAP-IG and not by EAP; L2H1 by neither, on its own way it is.
first_edge = edges.iloc[0]
assert first_edge["edge"].endswith("L0H1.q") and first_edge["exact"] > big
assert abs(first_edge["EAP"]) < 0.5 < big < first_edge["EAP-IG"]
assert guessed["attribution"] < 0 and guessed["ig-inputs"] < 1
assert abs(guessed["ig"] - effect["TIE"][2, 1]) < 2 < effect["TIE"][2, 1]
# ACDC is faithful, as many edges of any ranking are not; it kept edges of no effect alone.
assert found.pop("ACDC").normalized > 0.9
assert max(one.normalized for one in found.values()) < 0.1
assert min(abs(exact[edge]) for edge in circuit.edges) < 0.1
# Faithful, minimal, far from chance, not complete: in the circuit the pair is an AND.
assert random.less_faithful == 1 and not minimal.useless() and complete.worst[1] > big
assert pair["model"].iloc[3] > 0 and pair["circuit"].iloc[3] < -big
terms = {key: row[1] for key, row in rows_of_terms.items()}
assert abs(terms["mean", "edge"]) < 0.3 and abs(terms["zero", "edge"]) < 0.3
# Two that were left out cancel: each put back alone makes it worse, both together better.
off = {name: abs(share - 1) for name, share in again.items()}
assert again["with L5H0"] < again["as found"] < again["with mlp4"]
assert off["with both"] < off["as found"] < min(off["with L5H0"], off["with mlp4"])
# Which method names which head, and what a run says of it.
named = verdicts.iloc[:, :4]
assert named.loc["L2H1"].tolist() == [False, False, True, False]
assert named.loc["L0H0"].tolist() == [False, False, False, True]
assert named.loc["L5H0"].tolist() == [True, True, False, False]
assert settled["L2H1"]["TIE"] > 5 and abs(settled["L0H0"]["TIE"]) < 0.1
assert settled["L5H0"]["TIE"] < -5
assert head("L0H1") in paired.circuit() and head("L0H0") not in paired.circuit()
# The backups stand in at zero, and only there.
assert not named.loc[backups].any().any()
swapped = [study.intervene([head(name) for name in some])["TIE"] for some in (movers, everyone)]
assert abs(swapped[0] - swapped[1]) < 0.1 and lost["all four less the sum"] > big / 2
""",
    "09_beyond_transformers": """
import numpy as np

assert (said == truth).float().mean() > 0.8 and correct > 0.95
# Complete cuts carry all of it, what a sum goes around does not.
(first_point, second, third), whole = points["PIE"], study.total["TE"]
assert abs(first_point - whole) < 1e-3 and abs(third - whole) < 1e-3 and second < whole - 0.5
assert all(check.ok for check in points.checks)
assert abs(alone.sum() - together) < 1e-2
# An eight and a three differ on the left.
where = np.abs(located["PIE"][0, :8]).sum(0).reshape(8, 8)
assert where[:, :4].sum() > where[:, 4:].sum()
# All states at a step are all that the past is; the upper layer takes over.
assert (shares["both layers"] - 1).abs().max() < 1e-3
assert shares["lower"].iloc[0] > 0.95 and shares["lower"].iloc[-1] < 0.5
assert shares["upper"].iloc[0] < 0.5 and shares["upper"].iloc[-1] > 0.99
assert np.abs(hidden["PIE"][1, :-2] / hidden["TE"][1, :-2]).max() < 0.2
cells, hiddens = once_or_held.values
assert abs(cells[0] - cells[1]) < 0.1 and hiddens[1] > hiddens[0] + 0.2
""",
    "08_directions": """
# One direction of the verb's number, and its controls.
assert min(effect["PIE"], effect["TIE"]) > 0.9 * effect["TE"]
chance = compared.to_dataframe().set_index("direction")["PIE share"]["chance, k=1"]
assert abs(chance) < 0.05 and placebos.percentile() == 1.0
assert fooled.dormant and not kept.dormant
# Names: training helps at small sizes and not at sixteen.
share = sizes.to_dataframe().set_index("direction")["PIE share"]
for k in (1, 4):
    assert share[f"DAS, k={k}"] > share[f"means, k={k}"] + 0.1
assert share["means, k=16"] > 0.9 > share["DAS, k=16"] > share["chance, k=16"]
# The gate: a rotation finds what a mask finds only as drawn.
assert truth["IIA"][[("turned", "das"), ("as drawn", "das"), ("as drawn", "neurons")]].min() > 0.95
assert truth["IIA"]["turned", "neurons"] < 0.65
assert shares["names"].min() > 0.8 and abs(shares["verbs"]["16 features"]) < 0.02
assert shares["verbs"]["means, k=16"] > 0.05
# Relevance is high where nothing changes, and low where everything does.
at = {name: i for i, name in enumerate(beside.names)}
relevant, tie = (beside.pairs(name).mean(0) for name in ("relevance", "TIE"))
assert relevant[at["END"]] > 0.5 and tie[at["END"]] == 0
assert relevant[at["S2"]] < 0.1 and tie[at["S2"]] > 0.9 * names.total["TE"]
""",
    "10_remote": """
# No weight is here, and the numbers are those of the model with its weights.
assert all(parameter.is_meta for parameter in lm.hf.parameters())
here = mw.Study(mw.load(), pair).sweep("head", progress=False)
assert abs(effect["TIE"] - here["TIE"]).max() < 1e-3 < abs(here["TIE"]).max()
assert len(lm.proven[1]) == 7 and all(check.ok for check in lm.proven[1])
# A click is one job, and a grid hardly more.
assert click.jobs == 1 and grid.jobs == 2
assert grid.sent + grid.received < 3 * (click.sent + click.received) < 60_000
# What was accepted was read later, under its id, and nothing ran twice.
assert len(accepted) == 1 and accepted[0] in loopback.jobs and lm.remote.jobs == ()
assert job.state == "cancelled" and rest.jobs == 1 and again.status.all()
assert len(set(loopback.executed)) == len(loopback.executed) == len(loopback.jobs)
assert "running" in words
""",
}
"""By notebook, what its prose says of the numbers, run in its kernel behind its last cell."""

NO_KEY = "import nnsight\n\nnnsight.CONFIG.API.APIKEY = None"
"""What no notebook is to find here, whatever this machine has."""


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is in the cache of models, whatever this machine has in its own.
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("NDIF_API_KEY", raising=False)
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    shown = [cell for cell in notebook.cells if cell.cell_type == "code"]
    claims = nbformat.v4.new_code_cell(CLAIMS.get(path.stem, ""))  # type: ignore[no-untyped-call]
    notebook.cells.append(claims)
    if path.stem == "10_remote":
        notebook.cells.insert(0, nbformat.v4.new_code_cell(NO_KEY))  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert len([cell for cell in shown if cell.outputs]) > 4


@pytest.mark.slow
def test_where_weights_are_in_the_cache_the_notebook_on_gpt2_runs_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Random weights in GPT-2's shape of layers and heads: the steps are tested, no numbers.
    repository = tmp_path / "models--openai-community--gpt2"
    snapshot = repository / "snapshots" / ("0" * 40)
    tokenizer = AutoTokenizer.from_pretrained(TEACHING_MODEL)
    tokenizer.save_pretrained(snapshot)
    config = GPT2Config(n_layer=12, n_head=12, n_embd=24, n_positions=32, vocab_size=len(tokenizer))
    config.bos_token_id = config.eos_token_id = 0
    GPT2LMHeadModel(config).save_pretrained(snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(snapshot.name)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    path = next(path for path in EXAMPLES if path.stem == "gpt2_ioi")
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        cell.source = cell.source.replace("n=16", "n=4")
    claims = "assert overlap.known is wang and len(overlap.found.nodes) == 26 and values and keys"
    notebook.cells.append(nbformat.v4.new_code_cell(claims))  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()


def test_notebooks_are_kept_without_outputs() -> None:
    assert len(EXAMPLES) > 1
    for path in EXAMPLES:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        assert not any(cell.get("outputs") for cell in notebook.cells), path.name
