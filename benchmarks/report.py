"""The table, for the screen and for a file."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch

from .case import Case
from .memory import MIB, Ask
from .rate import ROWS, Rate
from .scaling import Doubling

MAIN = "RESULTS.md"

HEAD = f"""# How fast is a sweep?

Written by `make bench`. Every sweep patches each cell from clean to corrupt and from corrupt to
clean. Ours is `Study(lm, pairs).sweep(...)` on a fresh study with all its checks; all programs run
on the same prompts in the same run of the benchmark, and a ratio is the median over fresh prompts.

- Forwards: our time in plain last-token forwards of one prompt, same model, same threads.
- Lens: TransformerLens 4 (`patching`, a hooked forward a cell). Trace: nnsight, a trace a cell.
  Flat: PyTorch hooks, all cells as rows of flat batches of 960 positions. Each is their time over
  ours. They ran on 3 to 12 cells both ways (Flat: on 32), spread evenly over the sweep, and their
  seconds are scaled to all of it.
- Gap: the largest difference between the programs' logit differences. Effect: the largest of ours.
- Of torch's: the operations that runs and checks cannot do without (`arithmetic.py`, counted apart
  from the engine), over the whole sweep's time, as a share of the rate at which torch (`torch.mm`)
  does nothing but products of {ROWS} rows with the weights of one of the model's blocks, as they
  lie; taken before and after. By these the model itself and the other programs compute. Ours goes
  to the library that is the quickest for this processor (oneDNN where it pays, `products.py`), and
  may so pass 100%.
- Checked: the same as a share of the rate of the library that ours computes by. Runs: of the runs
  alone (`engine.evaluate`), without the checks and what they compute.
- Torch's products: the same sweep by these alone.
- Parted at: the first position, of so many, at which the prompts differ.
"""

BESIDE = """# How fast is a sweep on another processor?

The same as [RESULTS.md](RESULTS.md), which says what the columns are; written by
`python -m benchmarks --keep {name}`. Here: {machine}.
"""

COLUMNS = (
    *("sweep", "threads", "parted at", "s", "forwards", "Lens", "Trace", "Flat"),
    *("gap", "effect", "of torch's", "checked", "runs"),
)


@dataclass
class Report:
    """All that was measured.

    Attributes:
        notes: finished lines. peaks: what was asked and its bytes.
    """

    cases: list[Case] = field(default_factory=list)
    doublings: list[Doubling] = field(default_factory=list)
    peaks: list[tuple[Ask, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self, name: str = MAIN) -> str:
        """As Markdown, for the file that is called so."""
        head = HEAD if name == MAIN else BESIDE.format(machine=processor(), name=name)
        lines = [head, *_table(COLUMNS, map(self.row, self.cases)), ""]
        if self.doublings:
            lines += [
                "Twice the work, operations and seconds as multiples (ratio 1: time follows)."
            ]
            rows = (
                (d.words, f"{d.operations:.2f}", f"{d.seconds:.2f}", f"{d.ratio:.2f}")
                for d in self.doublings
            )
            columns = ("twice the", "operations", "seconds", "ratio")
            lines += ["", *_table(columns, rows), ""]
        if self.peaks:
            lines += ["Peak memory above the loaded model, a fresh process each.", ""]
            columns = ("sweep", "budget, MiB", "peak, MiB", "peak / budget")
            lines += [*_table(columns, map(_peak, self.peaks)), ""]
        lines += [f"- {note}" for note in self.notes]
        return "\n".join([*lines, "", self._machine(), ""])

    def row(self, case: Case) -> tuple[str, ...]:
        peers = (case.over_ours(name) for name in ("lens", "trace", "flat"))
        return (
            case.words,
            str(case.threads),
            f"{case.parted} of {case.n_tokens}",
            f"{median(case.ours):.2f}",
            f"{case.forwards:.1f}",
            *("-" if times is None else f"{times:.1f}" for times in peers),
            f"{case.gap:.0e}" if case.peers else "-",
            f"{case.effect:.2g}",
            f"{100 * case.share(of_torch=True):.0f}%",
            f"{100 * case.share():.0f}%",
            f"{100 * case.share_alone:.0f}%" if case.alone else "-",
        )

    def _machine(self) -> str:
        day = datetime.datetime.now(tz=datetime.UTC)
        by_kind: dict[tuple[str, int], list[Rate]] = {}
        for case in self.cases:
            by_kind.setdefault((case.target.name, case.threads), []).extend(case.rates)
        rates = (
            f"{median(each.own for each in some) / 1e9:.0f} GFLOP/s, "
            f"at the quickest {median(each.quickest for each in some) / 1e9:.0f} "
            f"({name}, {n} thread{'s' * (n > 1)})"
            for (name, n), some in by_kind.items()
        )
        packages = ", ".join(f"{name} {version(name)}" for name in ("nnsight", "transformers"))
        return (
            f"{day:%Y-%m-%d}, {processor()}, {torch.get_num_threads()} threads; matrix products at "
            f"{', '.join(rates)}. Seconds are of the processor for one thread, else of the wall. "
            f"Python {platform.python_version()}, torch {torch.__version__}, {packages}."
        )


def processor() -> str:
    """The GPU's name, or the processor's where the system tells it, else its kind."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _peak(measured: tuple[Ask, int]) -> tuple[str, ...]:
    ask, found = measured
    words = f"{ask.kind}s, {ask.n_tokens} tokens, {ask.n_pairs} pair{'s' * (ask.n_pairs > 1)}"
    budget = ask.budget / MIB
    return words, f"{budget:.0f}", f"{found / MIB:.0f}", f"{found / ask.budget:.2f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
