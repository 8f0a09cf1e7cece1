"""Reads a zip from standard input with stream-unzip, into the folder that is the argument."""

import sys
from pathlib import Path

from stream_unzip import stream_unzip

folder = Path(sys.argv[1])
pieces = iter(lambda: sys.stdin.buffer.read(1 << 16), b"")
for name, _, content in stream_unzip(pieces):
    path = folder / name.decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(content))
