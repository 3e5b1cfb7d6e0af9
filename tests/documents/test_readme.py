"""What README.md and some pages show and say is so: pictures, figures, keys."""

from __future__ import annotations

import re
import runpy
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mediawidget.architectures import ARCHITECTURES
from tests.documents.pages import ROOT

README = re.sub(r"\s+", " ", (ROOT / "README.md").read_text(encoding="utf-8"))
PICTURES = ROOT / "docs" / "pictures"
#: What changes from version to version, and says nothing of the study.
VERSION = re.compile(
    r"mediawidget \d[\w.+]*|\"version\": \"[^\"]*\"|&quot;version&quot;: &quot;[^&]*"
)
Row = dict[str, str]


def rows(file: str, section: str = "") -> list[Row]:
    """The rows of the tables in a file of benchmarks, or in one section of it."""
    text = (ROOT / "benchmarks" / file).read_text(encoding="utf-8")
    if section:
        text = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found, head = [], [""]
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            head = [""]
        elif head == [""]:
            head = cells
        elif not set(line) <= set("|- "):
            found.append(dict(zip(head, cells, strict=True)))
    return found


def one(found: list[Row], **asked: str) -> Row:
    """The row with these cells."""
    (row,) = [row for row in found if asked.items() <= row.items()]
    return row


@pytest.mark.parametrize(
    ("script", "name"),
    [("explorer.py", "explorer"), ("start.py", "heads"), ("start.py", "mediation")],
)
def test_the_picture_is_what_its_script_makes(script: str, name: str, tmp_path: Path) -> None:
    made_by = runpy.run_path(str(PICTURES / script))
    view = made_by["views"]()[name] if "views" in made_by else made_by[name]()
    path = tmp_path / "picture.svg"
    view.snapshot(path)
    kept = PICTURES / f"{name}.svg"
    made, there = (one.read_text(encoding="utf-8") for one in (path, kept))
    assert VERSION.sub("", made) == VERSION.sub("", there), f"run python docs/pictures/{script}"
    view.snapshot(tmp_path / "picture.png")
    shown = kept.with_suffix(".png")
    assert shown.stat().st_size < 150_000
    new, old = pixels(tmp_path / "picture.png"), pixels(shown)
    assert new.shape == old.shape
    # Letters are drawn in the fonts that a machine has.
    assert (abs(new.astype(int) - old) > 48).any(axis=2).mean() < 0.015


def pixels(path: Path) -> NDArray[np.uint8]:
    """The pixels of a picture, as `view.snapshot` packs them: (row, column, colour)."""
    data, at, packed = path.read_bytes(), 8, b""
    width, height, *layout = struct.unpack(">IIBBBBB", data[16:29])
    assert layout == [8, 2, 0, 0, 0]
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        packed += data[at + 8 : at + 8 + length] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, 3)


def test_a_picture_that_shows_something_else_is_told(tmp_path: Path) -> None:
    view = runpy.run_path(str(PICTURES / "explorer.py"))["explorer"]()
    view.direction = "break"
    view.snapshot(tmp_path / "picture.png")
    new, old = pixels(tmp_path / "picture.png"), pixels(PICTURES / "explorer.png")
    assert new.shape != old.shape or (abs(new.astype(int) - old) > 48).any(axis=2).mean() > 0.015


def test_what_is_said_of_the_picture_is_in_it() -> None:
    (said,) = re.findall(r"!\[([^\]]*)\]\(docs/pictures/explorer\.png\)", README)
    text = (PICTURES / "explorer.svg").read_text(encoding="utf-8")
    together, *single = re.findall(r"(\d+)%", said)
    assert f"{together}% of the total effect" in text
    for share in single:
        assert f">+{share}<" in text


@pytest.mark.parametrize(
    ("sweep", "name", "parted", "token"),
    [
        ("144 heads", "all 144 heads", "9 of 15", "token 9"),
        ("144 heads", "all 144 heads", "1 of 15", "token 1"),
        (
            "144 heads, torch's products",
            "all 144 heads, products by MKL",
            "9 of 15",
            "token 9",
        ),
        ("residual by position", "residual stream by token", "9 of 15", "token 9"),
    ],
)
def test_its_speeds_are_measured(sweep: str, name: str, parted: str, token: str) -> None:
    table = rows("RESULTS.md")
    row = one(table, **{"sweep": sweep, "threads": "2", "parted at": parted})
    s, forwards = float(row["s"]), float(row["forwards"])
    lens, trace, flat = (float(row[other]) for other in ("Lens", "Trace", "Flat"))
    others = [f"{_short(lens)} times", f"{_short(trace)} times", f"{flat:.1f} times"]
    if (name, token) == ("all 144 heads", "token 9"):
        others[0] += " as long"
    line = f"| {name} | {token} | {_half_up(s)} s | {forwards:.0f} | {' | '.join(others)} |"
    assert line in README


def test_its_speeds_on_another_processor_are_measured() -> None:
    asked = {"sweep": "144 heads", "threads": "2", "parted at": "9 of 15"}
    row = one(rows("RESULTS.intel.md"), **asked)
    lens, trace = (f"{_short(float(row[name]))} times" for name in ("Lens", "Trace"))
    seconds = f"the first row is {_half_up(float(row['s']))} s"
    assert f"{seconds}, {lens}, {trace} and {row['Flat']} times" in README


def _short(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"


def _half_up(seconds: float) -> str:
    return f"{int(10 * seconds + 0.5) / 10:.1f}"


def test_its_other_speeds_are_measured() -> None:
    text = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    pairs = one(rows("RESULTS.md"), sweep="24 heads, 100 IOI pairs")
    assert f"heads of 100 IOI pairs of the embedded model take {float(pairs['s']):.1f} s" in README
    (click,) = re.findall(r"any head\), teaching model: ([\d.]+) ms", text)
    assert f"a click there {click} ms" in README


def test_peaks_are_as_the_changelog_says() -> None:
    column = "peak / budget"
    both = rows("RESULTS.md") + rows("RESULTS.intel.md")
    worst = max(float(row[column]) for row in both if column in row)
    changes = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    (most,) = re.findall(r"their peak is at most ([\d.]+) of it", changes)
    assert worst <= float(most) <= 1.15, "it may be of another run, but not below this one"


def test_what_it_says_of_searches_is_measured() -> None:
    built = [row for row in rows("CIRCUITS.md", "G2 induction, 1 pair") if row["CPR"]]
    built = built[: [row["method"] for row in built].index("masks, heads") + 1]
    laid = {row["method"]: row["laid down: AUROC"] for row in built}
    assert laid["exact PIE"] == laid["exact TIE"] == "1.00"
    assert laid["attribution"] == laid["EAP"]
    said = (
        f"an AUROC of {laid['exact PIE']}, attribution and EAP {laid['EAP']}, AtP* {laid['AtP*']}"
    )
    assert said in README
    methods = [name for name in laid if name != "random"]
    assert len(methods) == 16
    assert "Sixteen rankings of heads" in README
    ioi = rows("CIRCUITS.md", "teaching ioi, 8 pairs")[: len(laid)]
    taught = [float(row["laid down: AUROC"]) for row in ioi if row["method"] in methods]
    assert len(taught) == len(methods)
    assert f"all rank {min(taught):.2f} to {max(taught):.2f} against the eight heads" in README


def test_what_it_says_of_mediators_and_kernels_is_measured() -> None:
    row = one(rows("MEDIATORS.md", "agreement"), kind="means of the answers", k="1")
    said = f"one direction of {row['of']}: it carries {row['PIE']} of the effect"
    assert f"{said} with an interchange accuracy of {row['IIA']}" in README
    hub = one(rows("HUB.md", "One student"), after="an Explorer")
    said = f"an Explorer holds {hub['resident']} MB and makes no attempt to reach the network"
    assert said in README, f"README.md, 'It is for a class, too': … {said} …"
    text = (ROOT / "benchmarks" / "HUB.md").read_text(encoding="utf-8")
    assert "- Attempts to reach the network: 0." in text


def test_what_is_said_to_those_who_set_up_a_class_is_measured() -> None:
    page = re.sub(r"\s+", " ", (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8"))
    text = (ROOT / "benchmarks" / "HUB.md").read_text(encoding="utf-8")
    hub = one(rows("HUB.md", "One student"), after="an Explorer")
    (together,) = re.findall(r"Memory together: ([\d,]+) MB", text)
    (kernels,) = re.findall(r"(\d+) kernels started at once", text)
    said = f"Explorer holds {hub['resident']} MB, and {kernels} kernels together {together} MB"
    assert said in page, f"docs/teaching.md, JupyterHub: … {said} …"


@pytest.mark.parametrize("page", ["docs/teaching.md", "examples/course/README.md"])
def test_a_gigabyte_and_no_network_were_enough_for_every_notebook(page: str) -> None:
    said = re.sub(r"\s+", " ", (ROOT / page).read_text(encoding="utf-8")).lower()
    assert "a gigabyte and one processor a student are enough" in said
    text = (ROOT / "benchmarks" / "HUB.md").read_text(encoding="utf-8")
    assert "a control group of 1 GiB and one processor, a network" in text
    assert "and was full 0 times." in text
    assert "- Failures: 0." in text
    notebooks = rows("HUB.md", "The notebooks")
    assert notebooks
    for row in notebooks:
        assert (row["attempts"], row["trouble"]) == ("0", "0"), row["notebook"]
        # What the packages' files take of it is shared and given back: the largest that it can be.
        assert int(row["peak"]) < 1024, row["notebook"]


def test_the_speed_of_clicks_is_measured() -> None:
    page = re.sub(r"\s+", " ", (ROOT / "docs" / "explorer.md").read_text(encoding="utf-8"))
    clicks = clicks_of("RESULTS.md")
    said = f"model takes {clicks['teaching model']} ms; on a random model of GPT-2 small's shape"
    assert f"{said} {clicks['GPT-2 shape']} ms" in page
    heads, by_torch = "144 heads", "144 heads, torch's products"

    def shares(column: str, sweep: str, threads: str, file: str = "RESULTS.md") -> str:
        asked = {"sweep": sweep, "threads": threads}
        late, early = (one(rows(file), **asked, **{"parted at": f"{at} of 15"}) for at in (9, 1))
        return f"{late[column]} to {early[column]}"

    one_core, two_cores = shares("runs", heads, "1"), shares("runs", heads, "2")
    of_torch = shares("of torch's", heads, "2")
    assert f"with its checks goes at {of_torch} of the rate" in page
    assert f"the runs go at {one_core} on one core and at {two_cores} on two" in page
    assert f"by torch's own products at {shares('runs', by_torch, '2')};" in page
    checked = [shares("checked", heads, "1"), shares("checked", heads, "2")]
    checked.append(shares("checked", by_torch, "2"))
    assert "with the checks it is {}, {} and {}".format(*checked) in page
    clicks = clicks_of("RESULTS.intel.md")
    said = f"the clicks take {clicks['teaching model']} ms and {clicks['GPT-2 shape']} ms"
    one_core, two_cores = (shares("runs", heads, n, "RESULTS.intel.md") for n in ("1", "2"))
    runs = f"and the runs go at {one_core} of its rate on one core and at {two_cores} on two"
    assert f"{said}, {runs}" in page


def clicks_of(file: str) -> dict[str, str]:
    """Milliseconds of a click, by model."""
    text = (ROOT / "benchmarks" / file).read_text(encoding="utf-8")
    return dict(re.findall(r"any head\), ([\w\s-]+): ([\d.]+) ms", text))


def test_the_keys_are_those_of_the_page() -> None:
    script = (ROOT / "js" / "src" / "keys_list.ts").read_text(encoding="utf-8")
    keys = dict(re.findall(r'^  \["([^"]+)", "([^"]*)"\],$', script, flags=re.M))
    page = (ROOT / "docs" / "explorer.md").read_text(encoding="utf-8")
    table = page.split("\n## Keys\n")[1].split("\n## ")[0]
    said = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", table, flags=re.M))
    said = {key: what.replace("`", "") for key, what in said.items()}
    assert keys
    assert said == keys | {"1 2 3": "the direction"}


@pytest.mark.parametrize("page", ["README.md", "docs/extending/architecture.md"])
def test_the_architectures_it_names_are_those_that_are_known(page: str) -> None:
    text = re.sub(r"\s+", " ", (ROOT / page).read_text(encoding="utf-8"))
    (said,) = re.findall(r"(GPT-2, .*, T5) \(its decoder\)", text)
    known = {re.sub(r"_(text)$|_", "", key) for key in ARCHITECTURES if "mediawidget" not in key}
    assert {re.sub(r"[- ]", "", name).lower() for name in said.split(", ")} == known
