"""Exact sums beside floating-point ones: rows of doubles folded into integers, and dsyrk of OpenBLAS over the same rows.

The fold includes the quantising to fixed point. One thread each; the processor's own best kernel.
"""

import json
import os
import subprocess


def run(lockstep):
    program = os.path.join(os.path.dirname(lockstep), "bench_fold")
    done = subprocess.run([program], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(results):
    lines = [f"Fold of rows into exact sums ({results[0]['kernel']}), million rows/s on one core", ""]
    lines.append(f"{'columns':>8} {'fold':>9} {'dsyrk':>9} {'ratio':>6}")
    for row in results:
        fold, dsyrk = row["fold_rows_s"] / 1e6, row["dsyrk_rows_s"] / 1e6
        lines.append(f"{row['d']:>8} {fold:>9.3f} {dsyrk:>9.3f} {row['ratio']:>6.2f}")
    return "\n".join(lines)
