"""The list of architectures: ARCHES, {image: {column: text}} in the order of arches.txt."""

from pathlib import Path

_lines = (Path(__file__).resolve().parents[1] / "arches.txt").read_text(encoding="utf-8").splitlines()
_columns, *_rows = [line.split() for line in _lines if not line.startswith("#")]
ARCHES = {row[0]: dict(zip(_columns, row)) for row in _rows}
