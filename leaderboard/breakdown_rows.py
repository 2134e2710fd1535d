"""The breakdowns of a board (by stage, topic, language, turn, part) as rows, for CSV and JSON."""

from collections.abc import Iterator
from pathlib import Path

from leaderboard.board import Board
from leaderboard.folder import load_report

VALUE = ("value", "stderr", "low", "high", "method", "reason", "items", "clusters")
HEADER = ("table", "model", "task", "by", "group", "metric", *VALUE, "p_holm")


def rows_of(root: Path, board: Board) -> Iterator[list[object]]:
    """Every number of every group on the metric's own scale, a row each. p_holm: of the group being
    like the items outside it, corrected over the groups of the breakdown; empty where nothing was
    tested. Raises DataError for a report that cannot be read.
    """
    for slug, model in board.models.items():
        for found in load_report(root, slug).diagnoses:
            for breakdown in found.breakdowns:
                for group in breakdown.groups:
                    named = [found.table, model.name, found.task, breakdown.by, group.name]
                    for metric, value in group.values.items():
                        numbers = [getattr(value, name) for name in VALUE]
                        yield [*named, metric, *numbers, group.p_holm.get(metric)]
