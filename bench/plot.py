#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Measures beside their aims: reads what bench/run printed (the last line of it), prints a table in Markdown and writes a plot as SVG.

usage: bench/plot.py OUTPUT_OF_BENCH_RUN PLOT.svg
"""
import json
import pathlib
import sys

WIDTH, LABEL_WIDTH, ROW, BAR, SCALE_MAX = 900, 430, 30, 16, 2.5
GOOD, BAD, INK = "#2a7f62", "#b8572a", "#222"


def burst(results, number, figure):
    figures = results["signing"]["bursts"][number]
    return figures[figure], figures[f"{figure}_spread"]


def distinct(results, figure):
    figures = results["signing"]["distinct"]
    return figures[figure], figures[f"{figure}_spread"]


def memory(results):
    return sum(role["pss_mib"] for role in results["loading"]["memory"] if role["role"].startswith("enclave")), None


def store(results, name):
    figures = next(store for store in results["slashing"]["stores"] if store["store"] == name)
    return figures["burst"]["of_off"], figures["burst"]["spread"] / 2


def handshake(results, name):
    figures = results["handshakes"][name]
    return figures["per_core_second"], figures["spread"]


# What it is, the value and its spread, the aim, whether more is better, and how it is written.
MEASURES = [
    ("a request a key, 32 connections: CPU of blst / ours", lambda r: burst(r, 0, "cpu_ratio"), 3.0, True, "{:.2f}"),
    ("the same, 400 connections", lambda r: burst(r, 1, "cpu_ratio"), 3.0, True, "{:.2f}"),
    ("one batch: CPU of blst / ours", lambda r: burst(r, 2, "cpu_ratio"), 4.0, True, "{:.2f}"),
    ("distinct roots: CPU of blst / ours", lambda r: distinct(r, "cpu_ratio"), 0.90, True, "{:.2f}"),
    ("block p99 in the burst / idle p50", lambda r: burst(r, 0, "block_p99_ratio"), 5.0, False, "{:.1f}"),
    ("burst with SQLite / without protection", lambda r: store(r, "SQLite"), 0.85, True, "{:.2f}"),
    ("10,000 sealed keys: start / deriving them", lambda r: (r["loading"]["sealed"][1]["times_floor"], None), 2.0, False, "{:.2f}"),
    ("enclave's memory at 10,000 keys, MiB", memory, 64.0, False, "{:.0f}"),
    ("local up to first signature, s", lambda r: (r["signing"]["first_signature_s"], None), 1.0, False, "{:.2f}"),
    ("relay: throughput / socat", lambda r: (r["relay"]["ensign"]["times_socat"], r["relay"]["ensign"]["spread"]), 2.0, True, "{:.1f}"),
    ("relay: added p50, ms", lambda r: (r["relay"]["ensign"]["added_p50_us"] / 1000, None), 0.1, False, "{:.3f}"),
    ("TLS 1.3 handshakes a core, full, 1/s", lambda r: handshake(r, "TLS 1.3, full"), 3000.0, True, "{:.0f}"),
    ("TLS 1.3 handshakes a core, resumed, 1/s", lambda r: handshake(r, "TLS 1.3, resumed"), 3000.0, True, "{:.0f}"),
    ("TLS 1.2 handshakes a core, full, 1/s", lambda r: handshake(r, "TLS 1.2, full"), 3000.0, True, "{:.0f}"),
    ("TLS 1.2 handshakes a core, resumed, 1/s", lambda r: handshake(r, "TLS 1.2, resumed"), 3000.0, True, "{:.0f}"),
]


def read(results):
    """(label, value, spread, aim, how much of the aim is reached, texts of value and aim); a part that was not run is left out."""
    rows = []
    for label, find, aim, more_is_better, form in MEASURES:
        try:
            value, spread = find(results)
        except KeyError:
            continue
        reached = value / aim if more_is_better else aim / value
        sign = "≥" if more_is_better else "≤"
        text = form.format(value) + (f" ±{spread:.0%}" if spread is not None else "")
        rows.append((label, reached, text, f"{sign} {form.format(aim).rstrip('0').rstrip('.') if '.' in form.format(aim) else form.format(aim)}"))
    return rows


def table(rows):
    lines = ["| measure | measured | aim | reached |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {label} | {text} | {aim} | {'yes' if reached >= 1 else 'no'} |" for label, reached, text, aim in rows])


def plot(rows):
    scale = (WIDTH - LABEL_WIDTH - 150) / SCALE_MAX
    height = ROW * (len(rows) + 2)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13" fill="{INK}">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    for number, (label, reached, text, aim) in enumerate(rows):
        top = ROW * (number + 1)
        width = min(reached, SCALE_MAX) * scale
        parts += [f'<text x="{LABEL_WIDTH - 10}" y="{top + 13}" text-anchor="end">{label} ({aim})</text>',
                  f'<rect x="{LABEL_WIDTH}" y="{top}" width="{width:.0f}" height="{BAR}" fill="{GOOD if reached >= 1 else BAD}"/>',
                  f'<text x="{LABEL_WIDTH + width + 6:.0f}" y="{top + 13}">{text}{" →" if reached > SCALE_MAX else ""}</text>']
    line = LABEL_WIDTH + scale
    parts += [f'<line x1="{line:.0f}" y1="{ROW - 12}" x2="{line:.0f}" y2="{height - ROW + 4}" stroke="{INK}" stroke-dasharray="4 3"/>',
              f'<text x="{line:.0f}" y="{ROW - 15}" text-anchor="middle">the aim</text>', "</svg>"]
    text = "\n".join(parts).replace("≥", "&#8805;").replace("≤", "&#8804;").replace("±", "&#177;").replace("→", "&#8594;")
    return text + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = read(json.loads(pathlib.Path(sys.argv[1]).read_text().strip().splitlines()[-1]))
    pathlib.Path(sys.argv[2]).write_text(plot(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
