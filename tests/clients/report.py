"""A plugin of pytest for these tests and those of ../e2e and ../cluster: one line per case, and the sum alone on the last
line."""

import time

import pytest

counts = {"passed": 0, "failed": 0, "skipped": 0}


def pytest_runtest_logreport(report):
    if report.when != "call" and report.passed:
        return
    counts[report.outcome] += 1
    name = report.nodeid.partition("::")[2].removeprefix("test_").replace("_", " ")
    if report.when != "call" and report.failed:
        name += f" ({report.when})"
    notes = "".join(f", {value}" for key, value in report.user_properties if key == "note")
    reason = f": {report.longrepr[2].removeprefix('Skipped: ')}" if report.skipped else ""
    print(f"{ {'passed': 'PASS', 'failed': 'FAIL', 'skipped': 'SKIP'}[report.outcome]} {name} ({report.duration:.1f} s{notes}){reason}", flush=True)
    if report.failed:
        print(report.longreprtext, flush=True)


def pytest_collectreport(report):
    if report.failed:
        counts["failed"] += 1
        print(f"FAIL {report.nodeid}\n{report.longreprtext}", flush=True)


def pytest_sessionfinish():
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}", flush=True)


@pytest.fixture
def note(record_property):
    """Adds a word to the line of the case."""
    return lambda text: record_property("note", text)


@pytest.fixture
def seconds():
    """How long something took so far."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
