"""No test: `make cluster TESTS=waits.py` is what test_node.py ends."""

import time


def test_waits(cluster):
    time.sleep(600)
