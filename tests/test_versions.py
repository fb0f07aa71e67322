"""Releases: transformers 4 is refused in one clear line."""

from __future__ import annotations

import subprocess
import sys

OLD = (
    "import importlib.metadata as m; real = m.version; "
    "m.version = lambda name: '4.57.1' if name == 'transformers' else real(name); "
    "from backsight.cli import main; import sys; sys.argv = ['backsight', 'doctor', 'builtin:plain']; main()"
)


def test_transformers_4_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", OLD], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "transformers 4 is not supported" in done.stderr and "transformers 4.57.1" in done.stderr
    assert "pip install" in done.stderr and "Traceback" not in done.stderr
