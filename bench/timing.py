# SPDX-License-Identifier: Apache-2.0
"""Whether the time of a signature says anything of the key: bench/comb_timing.c, which explains the figures. It takes two minutes."""
import json
import os

from common import BUILD, output, show_table

MEASUREMENTS = os.environ.get("BENCH_TIMINGS", "100000")


def measure(folder):
    return json.loads(output(BUILD / "bench/comb_timing", MEASUREMENTS))


def show(results):
    show_table([f"one secret or random ones, {results['measurements']} times", "|t|", "median µs"],
               *([name + (" (on purpose)" if figures["leaks_on_purpose"] else ""), f"{figures['t']:.1f}", f"{figures['median_ns'] / 1000:.1f}"]
                 for name, figures in results.items() if name != "measurements"))
