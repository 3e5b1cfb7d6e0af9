"""Run the checks one after another, and say at the end which failed (standard library only).

    checks.py quick [STEP...]     what `make check` runs
    checks.py all [STEP...]       what `make test` runs

A failing step does not stop the next ones, so one run shows everything that is wrong.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import chromium
import front_end

ROOT = Path(__file__).resolve().parent.parent


QUICK = "not slow and not browser"


class Step(NamedTuple):
    """A named check; `quick` ones belong to `make check`, `full` ones to `make test`."""

    name: str
    words: str
    action: Callable[[], None]
    quick: bool = True
    full: bool = True


def python(*arguments: str) -> Callable[[], None]:
    """Return an action that runs a module of .venv's Python."""

    def action() -> None:
        subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=True)

    return action


def tests(marked: str) -> Callable[[], None]:
    """Return an action that runs the Python tests of some marks, on every core."""
    return python("pytest", "-n", "auto", "-m", marked)


def npm(script: str) -> Callable[[], None]:
    """Return an action that runs a script of js/package.json."""
    return lambda: front_end.npm("run", "--silent", script)


def browser() -> None:
    """Run the browser tests; they need a Chromium, which Debian's root can have installed."""
    try:
        chromium.find()
    except chromium.ChromiumError:
        chromium.install()
    python("pytest", "-m", "browser", "tests/browser")()


STEPS = (
    Step("ruff", "Python style", python("ruff", "check")),
    Step("format", "Python format", python("ruff", "format", "--check")),
    Step("mypy", "Python types", python("mypy")),
    Step("biome", "TypeScript style", npm("lint")),
    Step("tsc", "TypeScript types", npm("types")),
    Step("vitest", "TypeScript tests", npm("test")),
    Step("pytest-quick", "quick Python tests", tests(QUICK), full=False),
    Step("pytest", "Python tests", tests("not browser"), quick=False),
    Step("browser", "tests in JupyterLab", browser, quick=False),
)


def select(which: str, names: Sequence[str]) -> list[Step]:
    """Return the steps of `quick` or `all`, or the named ones."""
    if names:
        known = {step.name: step for step in STEPS}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise SystemExit(f"No such step: {', '.join(unknown)}. There are: {', '.join(known)}")
        return [known[name] for name in names]
    return [step for step in STEPS if (step.quick if which == "quick" else step.full)]


def run(step: Step) -> bool:
    """Run one step; return whether it passed."""
    print(f"\n== {step.name}: {step.words}", flush=True)
    started = time.monotonic()
    try:
        step.action()
    except subprocess.CalledProcessError:
        return _verdict(step, started, passed=False)
    except (chromium.ChromiumError, FileNotFoundError) as error:
        print(error)
        return _verdict(step, started, passed=False)
    return _verdict(step, started, passed=True)


def _verdict(step: Step, started: float, *, passed: bool) -> bool:
    word = "passed" if passed else "FAILED"
    print(f"== {step.name} {word} in {time.monotonic() - started:.1f} s", flush=True)
    return passed


def main() -> int:
    """Run the asked-for steps; return the exit status."""
    if len(sys.argv) < 2 or sys.argv[1] not in ("quick", "all"):
        print(__doc__)
        return 2
    started = time.monotonic()
    steps = select(sys.argv[1], sys.argv[2:])
    failed = [step.name for step in steps if not run(step)]
    seconds = time.monotonic() - started
    if failed:
        print(f"\nFAILED: {', '.join(failed)} ({len(steps)} steps, {seconds:.0f} s)")
        return 1
    print(f"\nAll {len(steps)} steps passed in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
