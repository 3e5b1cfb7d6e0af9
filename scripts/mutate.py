"""Change the code in one place at a time and see whether a test fails: mutmut, in .venv-mutate.

    mutate.py [MUTANT...]     names of mutants, `*` allowed; default all

What is changed, and by which tests it is judged, is in pyproject.toml; the copy that is changed and
the results are in mutants/. .venv-mutate looks everything but mutmut up in .venv (standard library
only).
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-mutate"
MUTMUT = "mutmut==3.8.1"


def main() -> int:
    """Make the environment where it is missing; return the exit status of mutmut."""
    provide()
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = (str(VENV / "bin" / "mutmut"), "run", "--max-children", "1", *sys.argv[1:])
    return subprocess.run(command, cwd=ROOT, env=one_thread, check=False).returncode


def provide() -> None:
    """Make .venv-mutate, unless it was made with the same pin.

    Raises:
        SystemExit: a step failed; its words are on the screen.
    """
    packages = sysconfig.get_path("purelib")
    stamp, wanted = VENV / "made-with", f"{sys.version} {packages} {MUTMUT}"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"mutate: making .venv-mutate with {MUTMUT} (once)", flush=True)
    _call(sys.executable, "-m", "venv", "--without-pip", "--clear", str(VENV))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python")
    pins = ("-c", str(ROOT / "constraints.txt"))
    _call(*pip, str(VENV / "bin" / "python"), "install", "--quiet", *pins, MUTMUT)
    library = VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    # A path by itself: the .pth files in there, mediawidget's among them, are not read.
    (library / "site-packages" / "project.pth").write_text(packages + "\n")
    stamp.write_text(wanted)


def _call(*command: str) -> None:
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"mutate: failed: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
