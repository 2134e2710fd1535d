"""A trial on trackers: real event files of TensorBoard, and what wandb and trackio are given."""

import importlib.util
import struct
import sys
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import CscError
from csc_tasks.trackers import TRACKERS
from leaderboard.gate_pairs import read_runs
from leaderboard.numbers.measured import Options
from leaderboard.trial.decision import decide
from leaderboard.trial.reporting import LOGS, report, scalars
from tests.support.made_results import (
    conversation_result,
    conversations,
    numbered,
    right,
    write_run,
)

TASK = "csc_conv_ref"
ITEMS = conversations(12)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """(decision, runs) of two candidates; one is right everywhere, the other in half of the
    conversations.
    """
    root = tmp_path_factory.mktemp("runs")
    options = Options(seed=0, draw=0, audit=False, evidence={})
    runs = {}
    for name, answer in (("good", right(1.0)), ("poor", numbered(2))):
        write_run(root / name, f"org/{name}", [conversation_result(TASK, ITEMS, answer)])
        (tasks,) = read_runs(root / name, [], options).values()
        runs[name] = {task: own[-1] for task, own in tasks.items()}
    return decide(runs, [TASK]), runs


def test_what_is_reported_of_a_candidate(trial):
    decision, runs = trial
    good, poor = (scalars(decision, name, runs) for name in ("good", "poor"))
    key = f"{TASK}/strategy_acc"
    assert decision.column.key == key
    assert good[key] == good[f"decision/{key}"] == 1 and good["decision/chosen"] == 1
    assert poor[key] == poor[f"decision/{key}"] and poor["decision/chosen"] == 0
    value = decision.order["poor"]
    assert (poor[f"{key}/low"], poor[f"{key}/high"]) == (value.low, value.high)
    assert value.low < poor[key] < value.high
    assert all(isinstance(number, float) for number in poor.values())


def fields(message):
    """(number, value) of the fields of a protocol-buffer message: whole numbers, 4 and 8 bytes as
    they are, and bytes.
    """
    place = 0

    def whole():
        nonlocal place
        number, shift = 0, 0
        while True:
            byte = message[place]
            place += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    while place < len(message):
        key = whole()
        if key & 7 == 0:
            yield key >> 3, whole()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or whole()
        yield key >> 3, message[place : place + size]
        place += size


def read_events(folder):
    """Tag -> bytes of its value's message in the event files of a folder, by TensorBoard's format:
    records of length, checksum, Event, checksum; an Event has a Summary (5) of values (1) with a
    tag (1).
    """
    found = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        data, place = file.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = data[place + 12 : place + 12 + length]
            place += 16 + length
            for number, summary in fields(event):
                for _, value in fields(summary) if number == 5 else ():
                    found[dict(fields(value))[1].decode()] = value
    return found


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed"
)
def test_tensorboards_own_reader_finds_the_numbers(trial, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    decision, runs = trial
    report("tensorboard", tmp_path / "shop", decision, runs)
    # Again: it replaces what it wrote.
    report("tensorboard", tmp_path / "shop", decision, runs)
    logs = tmp_path / "shop" / LOGS
    assert sorted(folder.name for folder in logs.iterdir()) == ["good", "poor"]
    for candidate in ("good", "poor"):
        read = EventAccumulator(str(logs / candidate))
        read.Reload()
        expected = scalars(decision, candidate, runs)
        assert sorted(read.Tags()["scalars"]) == sorted(expected)
        for tag, number in expected.items():
            (event,) = read.Scalars(tag)
            assert (event.step, event.value) == (0, pytest.approx(number, rel=1e-6))
        (text,) = read.Tensors("decision/text_summary")
        assert text.tensor_proto.string_val[0].decode() == decision.sentence
        assert read_events(logs / candidate).keys() >= expected.keys()
    written = b"".join(file.read_bytes() for file in logs.rglob("events*"))
    assert b"gold answer" not in written and b"question" not in written


class Writer:
    """torch's SummaryWriter, as far as it is used."""

    made: ClassVar[list] = []

    def __init__(self, log_dir):
        self.log_dir, self.scalars, self.texts = log_dir, {}, {}
        self.closed = False
        Writer.made.append(self)

    def add_scalar(self, tag, number, step):
        self.scalars[tag] = (number, step)

    def add_text(self, tag, text, step):
        self.texts[tag] = text

    def close(self):
        self.closed = True


def test_tensorboard_gets_a_run_for_every_candidate(trial, tmp_path, monkeypatch):
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(Writer, "made", [])
    decision, runs = trial
    report("tensorboard", tmp_path / "shop", decision, runs)
    assert [writer.log_dir.rpartition("/")[2] for writer in Writer.made] == ["good", "poor"]
    for writer, name in zip(Writer.made, ("good", "poor"), strict=True):
        expected = {tag: (number, 0) for tag, number in scalars(decision, name, runs).items()}
        assert writer.scalars == expected and writer.closed
        assert writer.texts["decision"] == decision.sentence
        assert (writer.texts["trial"], writer.texts["candidate"]) == ("shop", name)
    assert (tmp_path / "shop" / LOGS).is_dir()


def fake_tracker(monkeypatch, name):
    """A module in the tracker's place, and the calls that it gets."""
    calls = []
    module = ModuleType(name)

    def init(**settings):
        calls.append(("init", settings))
        return SimpleNamespace(log=log, finish=finish)

    def log(numbers, **step):
        calls.append(("log", numbers))
        print(f"{name}: 1 run")

    def finish():
        calls.append(("finish", None))

    module.init, module.log, module.finish = init, log, finish
    monkeypatch.setitem(sys.modules, name, module)
    return calls


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_services_get_numbers_names_and_the_sentence(trial, tmp_path, monkeypatch, capsys, name):
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    calls = fake_tracker(monkeypatch, name)
    decision, runs = trial
    report(name, tmp_path / "shop", decision, runs)
    assert [kind for kind, _ in calls] == ["init", "log", "finish"] * 2
    for number, candidate in enumerate(("good", "poor")):
        settings = calls[3 * number][1]
        assert settings["config"] == {
            "trial": "shop",
            "candidate": candidate,
            "decided by": decision.column.key,
            "decision": decision.sentence,
        }
        assert calls[3 * number + 1][1] == scalars(decision, candidate, runs)
    if name == "wandb":
        assert (settings["project"], settings["group"]) == ("csc-tasks", "shop")
        assert settings["name"] == "shop/poor"
    else:
        assert (settings["project"], settings["name"]) == ("shop", "poor")
    assert "gold answer" not in str(calls) and "a reply" not in str(calls)
    printed = capsys.readouterr()
    assert printed.out == "" and f"{name}: 1 run" in printed.err


def test_a_tracker_that_fails_is_one_line_without_its_words(trial, tmp_path, monkeypatch):
    fake_tracker(monkeypatch, "wandb")

    def init(**_):
        raise ValueError("api key 0123456789abcdef is wrong")

    sys.modules["wandb"].init = init
    with pytest.raises(CscError) as caught:
        report("wandb", tmp_path / "shop", *trial)
    assert str(caught.value) == (
        "--report-to wandb: not reported (ValueError); the trial is done, and the same command"
        " reports it again"
    )


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_library_is_said_before_anything_runs(tmp_path, monkeypatch, capsys, name):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda module, *more: None if module == name else find_spec(module),
    )
    words = ["trial", "absent.csv", "--candidates", "hf:a", "hf:b", "--report-to", name]
    assert main([*words, "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == (
        f"error: --report-to {name} needs the package {name}: pip install {name}, or leave it out\n"
    )
    assert not (tmp_path / "out").exists()
