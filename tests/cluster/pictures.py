"""Draws docs/imgs/*.svg from what the last `make cluster` printed. Two runs give the same pictures as long as the output
means the same: PIDs, times and request ids are replaced by others."""

import json
import re
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIDTH, LINE, LEFT, TOP, CHAR = 100, 20, 16, 48, 8.4
COLOURS = {"prompt": "#8bd5a0", "output": "#e6e6e6", "note": "#9aa4b2"}


def normal(text):
    text = re.sub(r"/proc/\d+/", "/proc/7/", text)
    text = re.sub(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d", "Jan  1 12:00", text)
    return re.sub(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "00000000-0000-0000-0000-000000000000", text)


def picture(title, lines):
    """A terminal with (kind, text) lines; what is too long goes on in the next line."""
    rows = []
    for kind, text in lines:
        text = normal(text)
        rows += [(kind, text[i : i + WIDTH]) for i in range(0, max(len(text), 1), WIDTH)]
    width, height = round(2 * LEFT + WIDTH * CHAR), TOP + LINE * len(rows) + 8
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1b1f27"/>',
        *(f'<circle cx="{20 + 20 * i}" cy="18" r="6" fill="{c}"/>' for i, c in enumerate(("#ed6a5e", "#f5bf4f", "#61c554"))),
        f'<text x="{width // 2}" y="23" text-anchor="middle" font-family="sans-serif" font-size="13" fill="{COLOURS["note"]}">{escape(title)}</text>',
        '<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">',
    ]
    for i, (kind, text) in enumerate(rows):
        length = f' textLength="{round(len(text) * CHAR, 1)}"' if text.strip() else ""
        out.append(f'<text x="{LEFT}" y="{TOP + 14 + LINE * i}" fill="{COLOURS[kind]}"{length}>{escape(text)}</text>')
    return "\n".join([*out, "</g>", "</svg>", ""])


def main(record, folder):
    def load(name):
        return json.loads((record / f"{name}.json").read_text())

    folder.mkdir(parents=True, exist_ok=True)
    for name, title in (
        ("log", "What the ModelCar says"),
        ("mount", "The model, as the server sees it"),
        ("inference", "Three inputs answered"),
    ):
        lines = []
        for command, said in load(name):
            first, *more = command.splitlines()
            lines += [("prompt", f"$ {first}"), *(("prompt", line) for line in more)]
            lines += [("output", line) for line in said.splitlines()]
        (folder / f"{name}.svg").write_text(picture(title, lines))


main(ROOT / "target/cluster/record", ROOT / "docs/imgs")
