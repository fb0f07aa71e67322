"""Seconds to write a study's report again, and the size of the page: `python benchmarks/report.py DIR --runs 3`."""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

CODE = "import pathlib, sys, backsight.report; backsight.report.write_report(pathlib.Path(sys.argv[1]))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a finished study")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    seconds, processor = [], []
    for _ in range(given.runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", CODE, str(given.folder)], check=True)
        seconds.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    page = given.folder / "report.html"
    took = f"wall {statistics.median(seconds):.2f} s, processor {statistics.median(processor):.2f} s"
    print(f"{took}, median of {given.runs}")
    print(f"{page}: {page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
