"""Imports go down only: no module imports from a layer above its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mediawidget"

#: From the bottom up: what stands directly in mediawidget/, module or folder.
LAYERS = (
    (
        *("errors", "sites", "inputs", "spacing", "answers", "prompts", "readouts"),
        *("metric_base", "own_metric"),
        *("metrics", "estimated", "estimands", "statistics", "subsets", "validity"),
    ),
    ("mediators", "edits", "tasks"),
    (
        "runs",
        "sweeps",
        "plan",
        "status",
        "inference",
        "effects",
        "effect_parts",
        "effect_files",
        "pictures",
        "wiring",
        "circuit",
    ),
    (
        *("paths", "path_checks", "path_probe", "path_sources"),
        *("known_paths", "architectures", "calls", "token_pairs", "strands"),
        *("answer_ids", "encoding"),
        *(
            "lm",
            "weights",
            "identity",
            "memory",
            "heap",
            "sparing",
            "processor",
            "control_groups",
            "failing",
            "text_parts",
        ),
        *("loading", "model_classes", "models"),
        *("two_texts", "capabilities", "unreadable", "own_traces", "pooling"),
        *("precision", "prefix", "trace", "plain", "turns", "workers", "jobs", "engine", "reading"),
        *(
            *("taps", "applying", "ops", "constants", "banks", "groups", "outcomes", "chunks"),
            *("runner", "plain_hooks", "sources", "shipping", "unembedding", "attending"),
            *("tanh_gelu", "products", "whole_mlp"),
            *("engine_inputs", "filing", "looking", "lens", "gradients"),
            *("rewiring", "decomposition", "networks", "checks"),
            *("remote", "remote_traces", "plain_remote", "lens_remote"),
        ),
    ),
    (
        *("naming", "results", "grids", "questions", "asking", "history", "watchers"),
        *("comparing", "logbook", "study_files", "study_json", "coding"),
        *("pieces", "first_order", "attribution", "estimates"),
        *("experiments", "base_runs", "study", "drafts"),
        *("dividing", "coalitions", "games", "routing", "doses"),
        *("trace_checks", "trace_options", "trace_runs", "tracing"),
        *("search", "evaluation"),
        *("crossing", "directions", "erasure", "abstraction", "alignment", "features"),
        *("contrasting", "lenses"),
    ),
    ("widgets", "charts"),
    ("teach",),
    ("commands", "__main__"),
)
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}
#: The lowest layer that may import these; everything below works without them.
LOWEST = {
    **dict.fromkeys(("torch", "nnsight", "transformers", "safetensors"), HEIGHT["lm"]),
    **dict.fromkeys(("anywidget", "ipywidgets", "altair", "traitlets"), HEIGHT["widgets"]),
}


def violations(package: Path) -> Iterator[str]:
    """A sentence for every import, at any depth of a file, that goes up."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if parts == ("__init__",):
            continue  # the front door: it names everything, and imports it when asked to
        if parts[0] not in HEIGHT:
            yield f"{parts[0]} has no layer: give it one in {Path(__file__).name}"
            continue
        for line, name in imports(path, package):
            if height_of(name, package) > HEIGHT[parts[0]]:
                yield f"{'/'.join(parts)}.py:{line} imports {name} from a layer above"


def imports(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """(line, full dotted name) of all that a file imports, also within functions."""
    here = (package.name, *path.relative_to(package).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(here[: len(here) - node.level]) if node.level else ""
            module = ".".join(part for part in (start, node.module) if part)
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def height_of(name: str, package: Path) -> int:
    """The layer of what is imported; -1 for what any layer may import."""
    top, *rest = name.split(".")
    if top != package.name:
        return LOWEST.get(top, -1)
    # A name taken from the front door itself may stand anywhere, so it counts as the top.
    return HEIGHT.get(rest[0], len(LAYERS)) if rest else len(LAYERS)


def test_imports_go_down_only() -> None:
    assert list(PACKAGE.rglob("*.py"))
    found = list(violations(PACKAGE))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("effects.py", "from .study import Study"),
        ("effects.py", "def f():\n    from .study import Study"),
        ("effects.py", "from mediawidget.study import Study"),
        ("effects.py", "import mediawidget.study"),
        ("effects.py", "from . import study"),
        ("effects.py", "from mediawidget import Study"),
        ("edits/patch.py", "from ..runs import Run"),
        ("edits/patch.py", "from .. import runs"),
        ("edits/__init__.py", "from ..runs import Run"),
        ("sites.py", "def f():\n    import torch"),
        ("study.py", "import ipywidgets as w"),
        ("novelty.py", ""),
    ],
)
def test_an_import_that_goes_up_is_found(tmp_path: Path, file: str, code: str) -> None:
    package = tmp_path / "mediawidget"
    path = package / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert len(list(violations(package))) == 1


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("study.py", "from .effects import Effect\nfrom .lm import LM\nimport torch"),
        ("edits/patch.py", "from .base import Edit\nfrom ..errors import MediationError"),
        ("edits/__init__.py", "from .base import Edit"),
        ("widgets/explorer.py", "import anywidget\nfrom ..study import Study"),
        ("__init__.py", "from .study import Study"),
    ],
)
def test_an_import_that_goes_down_is_accepted(tmp_path: Path, file: str, code: str) -> None:
    package = tmp_path / "mediawidget"
    path = package / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert list(violations(package)) == []


def test_models_are_traced_in_three_places() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.withitem)
        and isinstance(node.context_expr, ast.Call)
        and getattr(node.context_expr.func, "attr", "") == "trace"
    }
    assert found == {"trace.py", "remote_traces.py", "networks/tracing.py"}
