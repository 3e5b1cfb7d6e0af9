"""Try the declared ranges: each Python of this machine, with the lowest and the newest versions.

    support.py                           every Python found, both ends of the ranges
    support.py 3.11-newest 3.13-lowest   these combinations
    support.py --home FOLDER             make the environments there, and leave them
    support.py --declared                run nothing, write what is declared and pinned

Each combination gets an environment of its own, made by uv from the index with the extras of users
(no constraints, no lock), and runs the tests of SELECTION there. Without --home it is made in a
temporary folder and removed again. The rows go into docs/support.md, where those of other
combinations stay; the exit status is 1 where one is not clean. UV_TORCH_BACKEND=cpu takes the
small build of torch, and 1.5 GB of disk instead of 6.
"""

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import lock

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "support.md"
BEGIN, END = "<!--- begin: made by scripts/support.py -->", "<!--- end -->"
DECLARED = "<!--- begin: declared -->"
SELECTED = "<!--- begin: selection -->"
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
    "tests/core/test_study_file_contents.py",
    "tests/core/test_charts.py",
    "tests/core/test_history.py",
    "tests/engine/test_oracle.py",
    "tests/engine/test_wrong_paths.py",
    "tests/commands",
    "tests/widgets/test_views.py",
    "tests/widgets/test_pictures.py",
    "tests/directions/test_makers.py",
    "tests/erasure/test_runs.py",
    "tests/features/test_shipped.py",
    "tests/networks/test_study.py",
    "tests/remoting/test_loopback.py",
    "tests/remoting/test_loopback_refusals.py",
    "tests/tasks/test_ioi.py",
)
MARKS = "not slow and not browser and not remote"
#: Seconds; a run that hangs must not hold the next night's.
LIMIT = 2 * 3600

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

    @property
    def clean(self) -> bool:
        """Whether every test ran and passed."""
        return re.fullmatch(r"[1-9]\d* passed", self.outcome) is not None


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


def tried(python: Path, version: str, end: str, home: Path) -> Row:
    """Make the environment of a combination and run the selection in it."""
    print(f"support: Python {version}, {end} versions", flush=True)
    try:
        inside = make(python, home / f"{version}-{end}", end)
    except subprocess.CalledProcessError as error:
        print(f"support: no such environment: {error}", flush=True)
        return Row(version, end, ("-",) * len(NAMED), "did not install", today())
    return tested(inside, end)


def make(python: Path, folder: Path, end: str) -> Path:
    """Make the environment of a combination anew; return its Python."""
    shutil.rmtree(folder, ignore_errors=True)
    uv = [*lock.uv(), "--system-certs"]
    subprocess.run([*uv, "venv", "--quiet", "--python", str(python), str(folder)], check=True)
    inside = folder / "bin" / "python"
    install = [*uv, "pip", "install", "--quiet", "--python", str(inside)]
    asked = f"{ROOT}[{','.join(EXTRAS)}]"
    subprocess.run([*install, "--resolution", ENDS[end], asked], check=True)
    freeze = [*uv, "pip", "freeze", "--quiet", "--python", str(inside)]
    there = subprocess.run(freeze, stdout=subprocess.PIPE, text=True, check=True).stdout
    # What the tests' tools need must not raise what is tried: the newest notebook brings its lab.
    kept = folder / "kept.txt"
    kept.write_text("".join(line for line in there.splitlines(keepends=True) if "==" in line))
    subprocess.run([*install, "--constraints", str(kept), *TESTING], check=True)
    return inside


def tested(python: Path, end: str) -> Row:
    """Run the selection in an environment."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", MARKS]
    try:
        answer = subprocess.run(
            [*command, *SELECTION],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        # Bytes, whatever `text` says, where the time ran out.
        print((error.stdout or b"")[-4000:].decode(errors="replace"), flush=True)
        return row(python, end, f"did not end in {LIMIT // 60} minutes")
    print(answer.stdout[-4000:], flush=True)
    return row(python, end, outcome(answer.stdout, answer.returncode))


def outcome(said: str, status: int) -> str:
    """What pytest counted; never only what passed where it says that something is wrong."""
    last = said.splitlines()[-1] if said else ""
    counted = re.findall(r"\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed)", last)
    if status and not re.search("failed|error", last):
        counted.append(f"pytest ended with {status}")
    return ", ".join(counted) or "no test ran"


def row(python: Path, end: str, result: str) -> Row:
    """The row of this environment."""
    code = (
        "import importlib.metadata as m, platform; "
        f"print(platform.python_version(), *[m.version(name) for name in {NAMED}])"
    )
    told = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    version, *versions = told.stdout.split()
    plain = tuple(each.partition("+")[0] for each in versions)
    return Row(version, end, plain, result, today())


def today() -> str:
    """The day, in UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def written(text: str, rows: list[Row]) -> str:
    """The page with these rows in its table, in place of those of the same combinations."""
    table = text.partition(BEGIN)[2].partition(END)[0]
    kept = {_key(line): line for line in table.splitlines() if line.startswith("| 3.")}
    kept.update({_key(each.line()): each.line() for each in rows})
    names = ("Python", "versions", *NAMED, "tests", "day")
    top = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    return _between(text, BEGIN, [*top, *(kept[key] for key in sorted(kept))])


def declared(text: str) -> str:
    """The page with what pyproject.toml declares, what constraints.txt pins, and what is run."""
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
    top = ["| package | declared | tested |", "| --- | --- | --- |"]
    text = _between(text, DECLARED, [*top, *rows])
    return _between(text, SELECTED, [f"- `{name}`" for name in SELECTION])


def _between(text: str, begin: str, lines: Sequence[str]) -> str:
    """The page with these lines in the part that begins so."""
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(END)
    return head + "\n".join([begin, *lines, END]) + tail


def _all(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}"


def _key(line: str) -> tuple[str, str]:
    python, end = (cell.strip() for cell in line.split("|")[1:3])
    return ".".join(python.split(".")[:2]), end


def combinations(asked: Sequence[str], pythons: Iterable[str]) -> list[tuple[str, str]]:
    """What is to be run: all of it, or what is asked for.

    Raises:
        SystemExit: there is no such combination, or not on this machine.
    """
    here = [(version, end) for version in pythons for end in ENDS]
    if not here:
        raise SystemExit(f"support: none of Python {_all(PYTHONS)} on this machine")
    if not asked:
        return here
    known = ["-".join(each) for each in here]
    wrong = [each for each in asked if each not in known]
    if wrong:
        raise SystemExit(f"support: no {', '.join(wrong)}; on this machine: {', '.join(known)}")
    return [each for each in here if "-".join(each) in asked]


def main() -> int:
    """Run the asked-for combinations; 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("combination", nargs="*", help="such as 3.12-lowest; default: all")
    parser.add_argument("--home", type=Path, help="where environments are made, and left")
    parser.add_argument("--declared", action="store_true")
    asked = parser.parse_args()
    PAGE.write_text(declared(PAGE.read_text()))
    if asked.declared:
        return 0
    pythons = found_pythons()
    rows = []
    for version, end in combinations(asked.combination, pythons):
        with tempfile.TemporaryDirectory(prefix="mediawidget-support-") as folder:
            done = tried(pythons[version], version, end, (asked.home or Path(folder)).resolve())
        PAGE.write_text(written(PAGE.read_text(), [done]))
        print(f"support: {done.line()}", flush=True)
        rows.append(done)
    return int(not all(each.clean for each in rows))


if __name__ == "__main__":
    sys.exit(main())
