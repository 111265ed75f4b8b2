"""The same readers, guided by coverage.

    pip install atheris && python -m tests.fuzz.guided [-max_total_time=60] [libFuzzer flags]

A file of its own because modules are instrumented when they are first imported.
"""

import sys

import atheris

with atheris.instrument_imports(include=["sidecar"]):
    from tests.fuzz import readers


if __name__ == "__main__":
    atheris.Setup(sys.argv, readers.one)
    atheris.Fuzz()
