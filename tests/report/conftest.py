"""Lets the tests of this folder import `synthetic_runs`, which is also a script, and gives them runs."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import synthetic_runs as runs

from weakspot.report.summary import summarise


@pytest.fixture(scope="session")
def plan():
    return runs.manifest(runs.CIFAR)


@pytest.fixture(scope="session")
def table(plan):
    return runs.rows(plan)


@pytest.fixture(scope="session")
def summary(plan, table):
    return summarise(plan, table, runs.doubts())


@pytest.fixture(scope="session")
def whole_plan():
    return runs.full()


@pytest.fixture(scope="session")
def whole_table(whole_plan):
    return runs.rows(whole_plan)


@pytest.fixture(scope="session")
def whole(whole_plan, whole_table):
    """The summary of a run with attacks, directed pairs and 75 corruption threats."""
    return summarise(whole_plan, whole_table, runs.doubts())
