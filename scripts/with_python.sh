#!/bin/sh
# Runs a Python program of this project: with_python.sh PROGRAM [ARGUMENT...]
#
# The Python is that of .venv once the set-up has made it; before that, $PYTHON or the first one on
# the PATH that is new enough. Only a Python that really starts counts: a shim may not.
set -eu

oldest='(3, 11)'   # what transformers, altair and numpy need

starts() {
    "$1" -c "import sys; sys.exit(sys.version_info < $oldest)" >/dev/null 2>&1
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

if [ -n "${PYTHON:-}" ] && ! starts "$PYTHON"; then
    echo "PYTHON=$PYTHON does not start, or is older than Python 3.11." >&2
    exit 1
fi
for python in "$root/.venv/bin/python" "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    if [ -n "$python" ] && starts "$python"; then
        exec "$python" "$@"
    fi
done

found=$(python3 --version 2>/dev/null || echo "none")
cat >&2 <<END
mediawidget needs Python 3.11 or newer (as do transformers, altair and numpy). Found: $found.
  Debian 12, Ubuntu 24.04 and later:  sudo apt-get install python3 python3-venv
  Ubuntu 22.04:                       sudo apt-get install python3.11 python3.11-venv
  elsewhere:                          https://www.python.org/downloads/
A Python in another place can be named: make setup PYTHON=/path/to/python3.12
END
exit 1
