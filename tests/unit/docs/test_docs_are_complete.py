"""The tables of the documents have a row for everything that the code has."""

import re
from pathlib import Path

from cli.terminal.exits import Exit
from leader.settings import LeaderTable
from leader.term.metrics import Metrics
from wire.messages import DenialCode
from wire.user_data import UserData

DOCS = Path(__file__).parents[3] / "docs"


def first_cells(document):
    """The first cell of each table row, without its backticks."""
    rows = re.findall(r"^\| `?([^|`]+)`? \|", (DOCS / document).read_text(), re.MULTILINE)
    return {row.strip() for row in rows}


def test_every_metric_of_the_leader_is_in_operations():
    names = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in Metrics().registry.collect()
    }
    assert names - first_cells("operations.md") == set()


def test_every_denial_code_is_in_the_wire():
    assert {code.value for code in DenialCode} - first_cells("wire.md") == set()


def test_every_exit_code_is_in_operations_or_deploying():
    documented = first_cells("operations.md") | first_cells("deploying.md")
    assert {str(int(code)) for code in Exit} - documented == set()


def test_every_setting_of_user_data_is_in_operations():
    names = {*UserData.model_fields, *LeaderTable.model_fields} - {"leader"}
    assert names - first_cells("operations.md") == set()
