"""Try the declared ranges: each Python of this machine, with the lowest and the newest versions.

    support.py                               every Python found, both ends of the ranges
    support.py --python 3.12 --end lowest    one of them
    support.py --declared                    run nothing, write what is declared and pinned

Each combination gets an environment of its own in .venv-support, made by uv from the index with the
extras of users (no constraints, no lock), and runs the tests of SELECTION there. The rows go into
docs/support.md, where those of other combinations stay. It takes some 6 GB of disk and, on a quiet
machine, a few minutes a combination; UV_TORCH_BACKEND=cpu takes the small build of torch.
"""

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import lock

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv-support"
PAGE = ROOT / "docs" / "support.md"
BEGIN, END = "<!--- begin: made by scripts/support.py -->", "<!--- end -->"
DECLARED = "<!--- begin: declared -->"
#: Oldest first; a newer one counts once it is declared in pyproject.toml.
PYTHONS = ("3.11", "3.12", "3.13")
#: The ends of the ranges, and what uv calls them.
ENDS = {"lowest": "lowest-direct", "newest": "highest"}
EXTRAS = ("lab", "probes", "png")
#: Of the tests' own tools the newest, at both ends.
TESTING = ("pytest", "hypothesis", "nbgrader", "marimo")
NAMED = ("torch", "transformers", "nnsight", "numpy", "pandas", "anywidget", "ipywidgets",
         "jupyterlab")  # fmt: skip
#: What breaks first when a library changes: engine, views, files, server, each kind of model.
SELECTION = (
    "tests/test_import_light.py",
    "tests/core/test_effects.py",
    "tests/core/test_study.py",
    "tests/core/test_study_files.py",
    "tests/core/test_charts.py",
    "tests/core/test_history.py",
    "tests/engine/test_oracle.py",
    "tests/commands",
    "tests/widgets/test_views.py",
    "tests/widgets/test_pictures.py",
    "tests/directions/test_makers.py",
    "tests/erasure/test_runs.py",
    "tests/features/test_shipped.py",
    "tests/networks/test_study.py",
    "tests/remoting/test_loopback.py",
    "tests/tasks/test_ioi.py",
)
MARKS = "not slow and not browser and not remote"


#: What a user meets first; the whole of it is in pyproject.toml and constraints.txt.
SHOWN = ("torch", "nnsight", "transformers", "anywidget", "ipywidgets", "jupyterlab", "notebook",
         "marimo", "ipykernel", "numpy", "pandas", "scipy", "altair", "scikit-learn",
         "concept-erasure", "vl-convert-python")  # fmt: skip


class Row(NamedTuple):
    """One combination as it was run."""

    python: str
    end: str
    versions: tuple[str, ...]
    outcome: str
    day: str

    def line(self) -> str:
        """The row of the table."""
        cells = (self.python, self.end, *self.versions, self.outcome, self.day)
        return f"| {' | '.join(cells)} |"


def found_pythons() -> dict[str, Path]:
    """The Pythons of this machine that we take: on the PATH, or of pyenv; only those that start."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {}
    for version in PYTHONS:
        on_path = shutil.which(f"python{version}")
        places = [Path(on_path)] if on_path else []
        places += sorted(pyenv.glob(f"{version}.*/bin/python"))
        starting = [place for place in places if version_of(place) == version]
        if starting:
            found[version] = starting[0]
    return found


def version_of(python: Path) -> str:
    """Major and minor version; nothing where it does not start, as a shim may not."""
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def make(python: Path, version: str, end: str) -> Path:
    """Make the environment of a combination anew; return its Python."""
    folder = HOME / f"{version}-{end}"
    shutil.rmtree(folder, ignore_errors=True)
    uv = [*lock.uv(), "--system-certs"]
    subprocess.run([*uv, "venv", "--quiet", "--python", str(python), str(folder)], check=True)
    inside = folder / "bin" / "python"
    install = [*uv, "pip", "install", "--quiet", "--python", str(inside)]
    asked = f"{ROOT}[{','.join(EXTRAS)}]"
    subprocess.run([*install, "--resolution", ENDS[end], asked], check=True)
    subprocess.run([*install, *TESTING], check=True)
    return inside


def tested(python: Path, end: str) -> Row:
    """Run the selection in an environment."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", MARKS]
    answer = subprocess.run(
        [*command, *SELECTION], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    print(answer.stdout[-4000:], flush=True)
    return row(python, end, answer.stdout.splitlines()[-1] if answer.stdout else "")


def row(python: Path, end: str, last: str) -> Row:
    """What pytest's last line says of this environment."""
    code = (
        "import importlib.metadata as m, platform; "
        f"print(platform.python_version(), *[m.version(name) for name in {NAMED}])"
    )
    told = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    version, *versions = told.stdout.split()
    counted = re.findall(r"\d+ (?:passed|failed|errors?)", last)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    plain = tuple(each.partition("+")[0] for each in versions)
    return Row(version, end, plain, ", ".join(counted) or "did not run", today)


def written(text: str, rows: list[Row]) -> str:
    """The page with these rows in its table, in place of those of the same combinations."""
    head, _, rest = text.partition(BEGIN)
    table, _, tail = rest.partition(END)
    kept = {_key(line): line for line in table.splitlines() if line.startswith("| 3.")}
    kept.update({_key(each.line()): each.line() for each in rows})
    names = ("Python", "versions", *NAMED, "tests", "day")
    top = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    lines = [BEGIN, *top, *(kept[key] for key in sorted(kept)), END]
    return head + "\n".join(lines) + tail


def declared(text: str) -> str:
    """The page with what pyproject.toml declares and constraints.txt pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    ranges: dict[str, str] = {}
    for line in asked:
        name, bounds = re.fullmatch(r"([\w.-]+)(?:\[.*\])?(.*)", line).groups()  # type: ignore[union-attr]
        ranges.setdefault(name, bounds.replace(",", ", "))
    pinned = lock.pins(lock.CONSTRAINTS.read_text())
    rows = [
        f"| Python | {project['requires-python']} | the one of `.venv`; {_all(PYTHONS)} below |"
    ]
    rows += [f"| {name} | {ranges[name]} | {pinned[lock.normal(name)]} |" for name in SHOWN]
    head, _, rest = text.partition(DECLARED)
    _, _, tail = rest.partition(END)
    top = ["| package | declared | tested |", "| --- | --- | --- |"]
    return head + "\n".join([DECLARED, *top, *rows, END]) + tail


def _all(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}"


def _key(line: str) -> tuple[str, str]:
    python, end = (cell.strip() for cell in line.split("|")[1:3])
    return ".".join(python.split(".")[:2]), end


def main() -> int:
    """Run the asked-for combinations; 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", choices=PYTHONS, action="append")
    parser.add_argument("--end", choices=tuple(ENDS), action="append")
    parser.add_argument("--declared", action="store_true")
    asked = parser.parse_args()
    PAGE.write_text(declared(PAGE.read_text()))
    if asked.declared:
        return 0
    pythons = found_pythons()
    missing = set(asked.python or ()) - set(pythons)
    if missing:
        raise SystemExit(f"support: no Python {', '.join(sorted(missing))} on this machine")
    failed = False
    for version in asked.python or pythons:
        for end in asked.end or ENDS:
            print(f"support: Python {version}, {end} versions", flush=True)
            done = tested(make(pythons[version], version, end), end)
            PAGE.write_text(written(PAGE.read_text(), [done]))
            failed |= not re.fullmatch(r"\d+ passed", done.outcome)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
