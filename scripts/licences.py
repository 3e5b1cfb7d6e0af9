"""Write docs/licences.md: under which licence each file of a wheel is, and what stands beside it.

    licences.py            ask the bundler and the installed packages, write the page
    licences.py --check    say whether the page is what would be written

What is bundled into the front end is asked of esbuild (its metafile) and of each package's own
package.json. Files of data are named below with who made them; one that is not named is an error.
"""

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple

import front_end
import lock
import shipped

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
#: Licences under which a file may go into the wheel: who has it may pass it on with any other.
PERMISSIVE = {
    "MIT",
    "MIT-0",
    "ISC",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "CC0-1.0",
}

METAFILE = """
import { build } from "esbuild";
import { options } from "./build.mjs";
const { metafile } = await build({ ...options(), write: false, metafile: true });
console.log(JSON.stringify(metafile.outputs));
"""


class Data(NamedTuple):
    """Files that are no code: where they are, who made them, and their licence."""

    files: str
    words: str
    licence: str = "MIT"


DATA = (
    Data("mediawidget/models/teaching/*", "the embedded model: trained by `training/` on sentences "
         "that `mediawidget/tasks` draws from its own word lists; no other text, no other weights"),
    Data("mediawidget/models/equality.safetensors", "a network for hierarchical equality, trained "
         "by `training/` on drawn numbers"),
    Data("mediawidget/features/teaching/*", "sparse autoencoders of the embedded model, trained by "
         "`training/` on its own sentences"),
    Data("mediawidget/evaluation/published.json", "circuits as their papers and the code of Conmy "
         "et al. 2023 (MIT) list them: names of heads and edges, with their sources in the file"),
    Data("examples/01_click_to_patch.ipynb", "the first notebook"),
    Data("examples/course/messy/*", "the second model of the course: trained by `training/` "
         "without taught roles, with its measured grids"),
    Data("examples/course/*", "the course"),
)  # fmt: skip
#: Code and what the front end's sources make; the licence of those is asked of the bundler.
CODE = ("*.py", "*.pyi", "*/py.typed", "mediawidget/static/*")


class Bundled(NamedTuple):
    """A package of npm of which something is in a bundle."""

    name: str
    version: str
    licence: str
    text: str


def bundled() -> list[Bundled]:
    """The packages of npm that are in the bundles, as esbuild tells."""
    node, _ = front_end.node()
    command = [*node, "--input-type=module", "--eval", METAFILE]
    answer = subprocess.run(
        command, cwd=front_end.JS, stdout=subprocess.PIPE, text=True, check=True
    )
    return packages_of(json.loads(answer.stdout), front_end.JS)


def packages_of(
    outputs: dict[str, dict[str, dict[str, dict[str, int]]]], js: Path
) -> list[Bundled]:
    """The packages from which a byte came into an output."""
    inputs = {
        name
        for output in outputs.values()
        for name, part in output["inputs"].items()
        if part["bytesInOutput"] and "node_modules/" in name
    }
    folders = {re.sub(r"(.*node_modules/(?:@[^/]+/)?[^/]+).*", r"\1", name) for name in inputs}
    return [_package(js / folder) for folder in sorted(folders)]


def _package(folder: Path) -> Bundled:
    told = json.loads((folder / "package.json").read_text())
    texts = [path.read_text() for path in sorted(folder.glob("LICEN[CS]E*")) if path.is_file()]
    return Bundled(told["name"], told["version"], told.get("license", "none"), "\n".join(texts))


def data_files() -> dict[str, Data]:
    """Every file of a wheel that is no code, with what is said of it.

    Raises:
        SystemExit: nothing is said of one.
    """
    listed = subprocess.run(
        ["git", "ls-files", "mediawidget"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [*listed.stdout.splitlines(), *shipped.examples(ROOT)]
    found = {}
    for name in names:
        if any(fnmatch(name, pattern) for pattern in CODE):
            continue
        said = [data for data in DATA if fnmatch(name, data.files)]
        if not said:
            raise SystemExit(f"licences: nothing is said of {name}; add it to DATA")
        found[name] = said[0]
    return found


def licence_of(name: str) -> str:
    """The licence of an installed package, by its own metadata."""
    told: Any = distribution(name).metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classified = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or ()
        if line.startswith("License :: ") and not line.endswith(":: OSI Approved")
    ]
    first = (told.get("License") or "not said").strip().splitlines()[0]
    return ", ".join(classified) or first


def home_of(name: str) -> str:
    """The public address of an installed package's project, by its own metadata.

    Raises:
        SystemExit: it names none.
    """
    told: Any = distribution(name).metadata
    named = [line.partition(", ")[::2] for line in told.get_all("Project-URL") or ()]
    by_label = {label.lower(): address for label, address in named}
    labels = (by_label.get(label) for label in ("source", "repository", "homepage"))
    for address in (*labels, told.get("Home-page")):
        if address:
            return str(address).replace("http://", "https://").removesuffix(".git")
    raise SystemExit(f"licences: the metadata of {name} has no address of its project")


def page() -> str:
    """The text of docs/licences.md."""
    files, packages = data_files(), bundled()
    for what, licence in [(b.name, b.licence) for b in packages] + [
        (name, data.licence) for name, data in files.items()
    ]:
        if licence not in PERMISSIVE:
            raise SystemExit(f"licences: {what} is under {licence}; {sorted(PERMISSIVE)} may ship")
    used = [data for data in DATA if data in files.values()]
    rows = [f"| `{data.files}` | {data.words} | {data.licence} |\n" for data in used]
    return "".join([HEAD, *rows, BUNDLES, _bundles(packages), BESIDE, _beside(), SITE])


HEAD = """<!--- Made by `python scripts/licences.py`; do not edit. -->
# Licences

mediawidget is under the MIT licence (the file `LICENSE`). This page goes into the wheel beside it.

## What is in the wheel

| files | what they are | licence |
| --- | --- | --- |
| `mediawidget/**/*.py` | the package; no code is copied from elsewhere | MIT |
| `mediawidget/static/*` | the front end, bundled from `js/src` | see below |
"""

BUNDLES = """
## What is in the bundles

esbuild says from which files each bundle came. The build and test tools of `js/package.json` make
the bundles and are not in them. There are no fonts and no pictures: the views use the host's fonts
and draw their own marks.

"""

BESIDE = """
## What pip installs beside it

These are no part of the wheel: each comes from your index under its own licence, here as the
metadata of the tested version says it. What they need in turn is in `requirements.lock`.

| package | version | licence |
| --- | --- | --- |
"""
SITE = """
## What is in the documentation site

`make docs` puts these into `site/` beside the pages; no wheel has them.

| files | what they are | licence |
| --- | --- | --- |
| `assets/javascripts/*`, `assets/stylesheets/*` | \
[Material for MkDocs](https://github.com/squidfunk/mkdocs-material), with what it names in them | \
MIT |
| `assets/iframe-worker.js` | [iframe-worker](https://github.com/squidfunk/iframe-worker); its \
licence is beside it | MIT |
| `assets/STIXTwoMath.woff2` | the letters and signs of formulas, from \
[STIX Two Math](https://github.com/stipub/stixfonts); its licence is beside it | OFL-1.1 |
"""
#: A build of torch says what is in that build.
OF_BUILDS = {"torch": "BSD-3-Clause, and what its build has in it"}


def _bundles(packages: list[Bundled]) -> str:
    if not packages:
        return "Every byte of the bundles came from `js/src`: MIT, as the package.\n"
    rows = [f"| {each.name} | {each.version} | {each.licence} |\n" for each in packages]
    texts = [f"\n### {each.name}\n\n```\n{each.text}\n```\n" for each in packages]
    return "".join(["| package | version | licence |\n| --- | --- | --- |\n", *rows, *texts])


def _beside() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = lock.pins(lock.CONSTRAINTS.read_text())
    names = [re.split(r"[<>=\[;~! ]", line)[0] for line in project["dependencies"]]
    return "".join(
        f"| [{name}]({home_of(name)}) | {pinned[lock.normal(name)]} | "
        f"{OF_BUILDS.get(name) or licence_of(name)} |\n"
        for name in names
    )


def main() -> int:
    """Write or check; return the exit status."""
    text = page()
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(text)
        return 0
    if PAGE.read_text() == text:
        return 0
    print(f"{PAGE.relative_to(ROOT)} is out of date: run python scripts/licences.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
