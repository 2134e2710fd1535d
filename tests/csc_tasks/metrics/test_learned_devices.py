"""Batches of learned metrics, devices without room, and the progress bar."""

import pytest

from csc_tasks.errors import ModelError
from csc_tasks.metrics import (
    METRICS,
    LearnedSettings,
    batching,
    bleurt,
)
from csc_tasks.metrics.batching import blocks, by_length, within_memory
from tests.support.learned_metrics import drawn_texts, score

pytestmark = pytest.mark.xdist_group("learned")


def test_batches():
    assert by_length([3, 9, 1, 9, 2], 2) == [[1, 3], [0, 4], [2]]
    assert by_length([3, 9, 1, 9, 2], 10, positions=10) == [[1], [3], [0, 4, 2]]
    assert by_length([], 4) == []
    # What is held at a time: at most `room`, or one thing that is larger.
    assert blocks([2, 0, 1, 3], [4, 5, 6, 99], 10) == [[2, 0], [1], [3]]
    assert blocks([], [], 10) == []


def test_a_device_without_room_gets_halves_and_then_an_error():
    import torch

    asked = []

    def run(batch):
        asked.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("full")
        return [-i for i in batch]

    assert within_memory(run, list(range(7)), "bleurt") == [-i for i in range(7)]
    assert asked == [7, 3, 1, 2, 4, 2, 2]

    def never(batch):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(
        ModelError, match=r"bleurt: the device has no memory for even one text.*csc_metric_device"
    ):
        within_memory(never, [1, 2, 3], "bleurt")


def test_a_full_device_that_nobody_chose_gives_way_to_the_cpu(monkeypatch, caplog):
    import torch

    tried = []

    class Scorer:
        signature = "m"

        def score(self, pairs, device, batch_size, work):
            tried.append(device.type)
            batching.onto(device, self, "bleurt")
            return [1.0] * len(pairs)

        def to(self, device):
            if str(device) != "cpu":
                raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(bleurt, "load", lambda model: Scorer())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert METRICS["bleurt"].score(["a"], ["b"], "en").items == [1.0]
    assert tried == ["cuda", "cpu"]
    assert (
        "no memory for the model; choose another one with csc_metric_device; it goes on on the CPU"
        in caplog.text
    )
    with pytest.raises(ModelError, match="no memory for the model"):
        METRICS["bleurt"].score(["a"], ["b"], "en", LearnedSettings(device="meta"))


def test_a_progress_bar_shows_for_more_than_a_batch(settings, capsys):
    replies = drawn_texts(7, 12)
    score("bleurt", replies, replies[::-1], settings, batch_size=4)
    assert "bleurt en: 100%" in capsys.readouterr().err
    score("bleurt", replies, replies[::-1], settings, batch_size=64)
    assert "bleurt en:" not in capsys.readouterr().err
