"""`--plan`: what a pilot says, against what the whole build then takes."""

import re
import sqlite3
from dataclasses import replace

import pyarrow.parquet
import pytest

from csc_tasks.cli import main
from csc_tasks.llm.backends import ScriptedLLM
from csc_tasks.llm.exchange import Reply, Usage
from csc_tasks.llm.journal.reading import read_totals
from tests.builders.test_partial import csconv, qa, rolecs, stages
from tests.support.csconv_builds import recorded, write

NUMBER = r"[\d,]+(?:\.\d+)?"
RANGE = re.compile(rf"({NUMBER})%?(?: [kMG]?B)?(?: \(({NUMBER})%?(?: [kMG]?B)?–({NUMBER}))?")


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """The stand-in counts a token for every four characters."""
    plain = ScriptedLLM.complete

    async def complete(self, request):
        reply = await plain(self, request)
        assert isinstance(reply, Reply)
        prompt = sum(len(message["content"]) for message in request.messages)
        return replace(reply, usage=Usage(prompt // 4, len(reply.text or "") // 4))

    monkeypatch.setattr(ScriptedLLM, "complete", complete)


def build(words, out, *options):
    return main(["build", *words, "--llm", "scripted", "--out", str(out), *map(str, options)])


def bounds(text):
    """(low, middle, high) of a range as it is printed."""
    middle, low, high = (
        value and float(value.replace(",", "")) for value in RANGE.match(text).groups()
    )
    return (middle, middle, middle) if low is None else (low, middle, high)


def printed(text):
    """The plan's table, {stage: [ranges]}, and its lines, {name: range}."""
    head, table, rest, *_ = text.partition("A pilot of")[2].split("\n\n")
    rows = {}
    for line in table.splitlines()[1:]:
        name, *cells = re.split(r" {2,}", line)
        rows[name] = [bounds(cell) for cell in cells]
    lines = dict(line.split(": ", 1) for line in rest.splitlines() if ": " in line)
    tries = re.search(rf"the whole tries ({NUMBER}[^.]*)\.", head)[1]
    return rows, {name: value for name, value in lines.items()} | {"tries": tries}


def inside(value, of):
    low, _, high = of
    # Printed numbers are rounded.
    return low - 0.5 <= value <= high + 0.5


def totals(out):
    return read_totals(out.with_name(f"{out.name}.journal.sqlite"))


def more_calls(tmp_path):
    """Without a limit of topics that is reached."""
    calls = write(tmp_path / "calls.jsonl", recorded(30, "en"))
    return ["csconv", "--source", str(calls), "--fidelity", "6"]


def profiles(tmp_path):
    calls = write(tmp_path / "calls.jsonl", recorded(8, "en"))
    return ["profiles", "--source", str(calls)]


def topics_named(tmp_path):
    calls = write(tmp_path / "calls.jsonl", recorded(40, "en", topic=True))
    return ["csconv", "--source", str(calls), "--per-topic", "3"]


def few(tmp_path):
    return [*more_calls(tmp_path), "--limit", "12"]


@pytest.mark.parametrize(
    ("words", "pilot"),
    [(rolecs, 4), (csconv, 6), (more_calls, 8), (topics_named, 10), (few, 6), (qa, 4), (stages, 5)],
)
def test_the_whole_takes_what_the_pilot_said(words, pilot, tmp_path, capsys):
    words, out = words(tmp_path), tmp_path / "set"
    options = ["--price", "1000,3000"]
    assert build(words, out, "--plan", pilot, *options) == 0
    text = capsys.readouterr().out
    assert "To go on: the same command with --yes" in text and not out.exists()
    table, lines = printed(text)
    asked = sum(part.tries for part in totals(out))
    # A second plan asks nothing and says the same.
    assert build(words, out, "--plan", pilot, *options) == 0
    assert printed(capsys.readouterr().out)[0] == table
    assert sum(part.tries for part in totals(out)) == asked
    assert build(words, out, *options) == 0
    after = {part.stage: part for part in totals(out)}
    assert asked < sum(part.tries for part in after.values())
    for stage, part in after.items():
        for value, of in zip(
            (part.tries, part.input_tokens, part.output_tokens),
            table.get(stage, table["all"]),
            strict=False,
        ):
            assert inside(value, of), (stage, value, of)
    whole = [
        sum(part.tries for part in after.values()),
        sum(part.input_tokens for part in after.values()),
        sum(part.output_tokens for part in after.values()),
    ]
    whole.append((whole[1] * 1000 + whole[2] * 3000) / 1e6)
    assert all(inside(*pair) for pair in zip(whole, table["all"], strict=True)), (whole, table)
    rows = sum(
        len(pyarrow.parquet.read_table(path, partitioning=None))
        for path in (out / ("qa" if words[0] == "qa" else "")).rglob("*.parquet")
    )
    assert inside(rows, bounds(lines["rows of the whole"]))
    disk = lines["disk"].partition(",")[0]
    unit = {"kB": 1e3, "MB": 1e6}[re.search("[kM]B", disk)[0]]
    size = out.with_name("set.journal.sqlite").stat().st_size
    size += sum(path.stat().st_size for path in out.rglob("*.parquet"))
    low, _, high = bounds(disk)
    # A journal grows by pages, and of a small one the pages say nothing of the rows.
    assert size < 2e5 or (low - 0.1) * unit <= size <= (high + 0.1) * unit + 8192, (disk, size)


def test_small_numbers_are_those_made_by_hand(tmp_path, capsys):
    # One request for each of the 24 questions, all of one length but for the number.
    words, out = stages(tmp_path), tmp_path / "set"
    assert build(words, out, "--plan", 6, "--price", "1000000,0") == 0
    text = capsys.readouterr().out
    table, lines = printed(text)
    journal = sqlite3.connect(out.with_name("set.journal.sqlite"))
    tokens = [row[0] for row in journal.execute("SELECT input_tokens FROM requests")]
    assert len(tokens) == 6
    mean = sum(tokens) / 6
    deviation = (sum((value - mean) ** 2 for value in tokens) / 5) ** 0.5
    half = 2.570582 * deviation * (18 + 18**2 / 6) ** 0.5  # t(5)
    assert list(table) == ["all"]
    requests, into, _, cost = table["all"]
    assert requests == (24, 24, 24)
    assert into == pytest.approx((24 * mean - half, 24 * mean, 24 * mean + half), abs=0.5)
    assert cost == pytest.approx((24 * mean - half, 24 * mean, 24 * mean + half), abs=1e-3)
    # Six of six: Wilson's lower bound is 6 / (6 + 3.8415).
    assert lines["kept"] == "6 of 6, 100.0% (61.0%–100.0%) (Wilson)"
    assert lines["tries"] == "24"


def test_hours_are_of_the_replies_at_that_concurrency(tmp_path, capsys):
    words, out = stages(tmp_path), tmp_path / "set"
    assert build(words, out, "--plan", 6) == 0
    with sqlite3.connect(out.with_name("set.journal.sqlite")) as journal:
        journal.execute("UPDATE requests SET last_sent = 0, ended = 1800")
    capsys.readouterr()
    assert build(words, out, "--plan", 6, "--concurrency", 4) == 0
    # 24 replies of half an hour, four at once.
    assert "hours: 3:00:00 with 4 requests out at once" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("Yes", True), ("", False), ("n", 0)])
def test_a_terminal_is_asked(answer, goes_on, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: print(prompt) or answer)
    out = tmp_path / "set"
    assert build(stages(tmp_path), out, "--plan", 6) == 0
    assert "go on? [y/N]" in capsys.readouterr().out
    assert out.exists() == bool(goes_on)


def test_yes_goes_on_and_pays_nothing_twice(tmp_path):
    words, out, whole = stages(tmp_path), tmp_path / "set", tmp_path / "whole"
    assert build(words, out, "--plan", 6, "--yes") == 0
    assert build(words, whole) == 0
    assert [part.tries for part in totals(out)] == [part.tries for part in totals(whole)] == [24]
    for name in ("README.md", "build.json", "qa/test-00000-of-00001.parquet"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_a_pilot_that_keeps_nothing_says_so(tmp_path, capsys, monkeypatch):
    import builders.scripted.answerer  # noqa: F401 - registers the stage
    from csc_tasks.llm.backends import _SCRIPTED

    monkeypatch.setitem(_SCRIPTED, "stage", lambda request: "who knows")
    out = tmp_path / "set"
    assert build(stages(tmp_path), out, "--plan", 6) == 0
    text = capsys.readouterr().out
    assert "kept: 0 of 6, 0.0% (0.0%–39.0%) (Wilson)\ndropped: 6 stage: malformed reply\n" in text
    assert "rows of the whole: 0 (0–" in text
    assert "well-formed: csc journal stats" in text


@pytest.mark.parametrize(
    ("words", "stage", "reason"),
    [
        (rolecs, "planner", "6 planner: malformed reply"),
        (more_calls, "rewrite", "6 rewrite: malformed reply"),
        (qa, "moderate", "6 moderate: malformed reply"),
        (profiles, "describe", "6 describe: malformed reply"),
    ],
)
def test_a_pilot_says_why_items_are_dropped(words, stage, reason, tmp_path, capsys, monkeypatch):
    from csc_tasks.llm.backends import _SCRIPTED

    words = words(tmp_path)
    assert build(words, tmp_path / "first", "--plan", 2) == 0
    capsys.readouterr()
    monkeypatch.setitem(_SCRIPTED, stage, lambda request: " ")
    monkeypatch.setattr("builders.scripted.rewriter.register", lambda: None)
    assert build(words, tmp_path / "set", "--plan", 6) == 0
    text = capsys.readouterr().out
    assert "kept: 0 of 6" in text
    assert re.search(rf"^dropped: {reason}$", text, re.MULTILINE), text


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--plan", 1], "--plan 1: at least 2"),
        (["--yes"], "--yes belongs to --plan"),
        (["--plan", 5, "--shard", "1/2"], "--plan is for a build on one machine"),
    ],
)
def test_options_that_do_not_fit(options, line, tmp_path, capsys):
    assert build(stages(tmp_path), tmp_path / "set", *options) == 1
    assert line in capsys.readouterr().err
