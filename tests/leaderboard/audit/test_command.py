"""csc audit-customer from the command line: verdicts, files, and what it says of bad input."""

import json
import random
import xml.etree.ElementTree as ET

import pytest

from benchmarks.planted_customers import planted
from csc_tasks.cli import main
from csc_tasks.corpora import load
from csc_tasks.errors import DataError
from csc_tasks.live.briefs import brief_by_rule
from leaderboard.audit.turns import recorded_dialogue
from leaderboard.customer_audit import badge, load_audit


def demo(language="en", brief=True):
    """The demo's test conversations, with the people who were recorded."""
    return [
        recorded_dialogue(item, brief_by_rule(item) if brief else None)
        for item in load("demo", "csconv", "test").items
        if item.language == language
    ]


def write(file, dialogues):
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(dialogue.to_json(), ensure_ascii=False) for dialogue in dialogues]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def audit(simulated, out, *more):
    return main(
        [
            *("audit-customer", "--simulated", str(simulated), "--recorded", "demo"),
            *("--out", str(out), *more),
        ]
    )


@pytest.fixture(scope="module")
def polite(tmp_path_factory):
    """The folder of an audit of a customer that is too polite."""
    root = tmp_path_factory.mktemp("polite")
    generator = random.Random(0)
    fakes = [planted("polite", dialogue, generator) for dialogue in demo()]
    assert audit(write(root / "polite.jsonl", fakes), root / "out") == 0
    return root / "out"


def test_a_customer_who_repeats_people_passes(tmp_path, capsys):
    people = write(tmp_path / "people.jsonl", demo())
    assert audit(people, tmp_path / "out") == 0
    result = load_audit(tmp_path / "out")
    assert (result.verdict, result.failed, result.undecided) == ("pass", (), ())
    assert (result.customer, result.corpus_name, result.language) == (
        "recorded human",
        "demo",
        "en",
    )
    assert result.corpus == load("demo", "csconv", "test").content_hash
    assert result.conversations == 30
    assert badge(result) == "audit passed"
    printed = capsys.readouterr().out
    assert "PASSES on all 17 dimensions" in printed
    assert "What this audit cannot see" in printed


def test_a_planted_customer_fails_by_name_and_the_files_say_so(polite):
    result = load_audit(polite)
    assert result.verdict == "fail"
    assert "politeness" in result.failed
    assert "politeness" in badge(result)
    one = next(dimension for dimension in result.dimensions if dimension.id == "politeness")
    assert one.low < one.distance < one.high
    assert one.distance > one.halves[1] > one.halves[0]
    thanks = next(feature for feature in one.features if feature.label == "thanks in a turn")
    # Half of the courtesies thank, and one of them does so twice.
    assert thanks.played.value > thanks.recorded.value + 0.4
    markdown = (polite / "customer_audit.md").read_text()
    assert "30 conversations of demo: FAILS on " in markdown
    assert "|Politeness|" in markdown
    page = (polite / "customer_audit.html").read_text()
    assert "<h2>Politeness: fails</h2>" in page
    pictures = sorted(file.stem for file in (polite / "pictures").iterdir())
    assert pictures == sorted(dimension.id for dimension in result.dimensions)
    for name in pictures:
        drawn = ET.parse(polite / "pictures" / f"{name}.svg").getroot()
        kinds = {path.get("class") for path in drawn.iter("{http://www.w3.org/2000/svg}path")}
        assert {"recorded", "halves", "played"} <= kinds


def test_the_same_twice_gives_the_same_bytes(tmp_path):
    run = write(tmp_path / "people.jsonl", demo("zh"))
    for out in ("one", "two"):
        assert audit(run, tmp_path / out) == 0
    names = ("customer_audit.json", "customer_audit.md", "customer_audit.html")
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_few_conversations_or_no_briefs_pass_nobody(tmp_path):
    few = write(tmp_path / "few.jsonl", demo()[:12])
    assert audit(few, tmp_path / "few") == 0
    result = load_audit(tmp_path / "few")
    assert result.verdict == "undecided"
    assert result.undecided == ("12 conversations are too few to pass a customer (30)",)
    plain = write(tmp_path / "plain.jsonl", demo(brief=False))
    assert audit(plain, tmp_path / "plain") == 0
    result = load_audit(tmp_path / "plain")
    assert result.verdict == "undecided"
    missing = [dimension.id for dimension in result.dimensions if dimension.missing]
    assert missing == ["pace", "invented", "leaking"]
    assert len(result.undecided) == 3
    assert "N/A" in (tmp_path / "plain" / "customer_audit.md").read_text()


def test_what_is_left_out_is_counted(tmp_path, capsys):
    people = demo()
    silent = people[0].from_json(
        people[0].to_json() | {"turns": [people[0].to_json()["turns"][0] | {"text": " "}]}, "x"
    )
    stranger = people[1].from_json(people[1].to_json() | {"conversation_id": "other"}, "x")
    run = write(tmp_path / "run.jsonl", [silent, *people[1:], people[2], stranger])
    assert audit(run, tmp_path / "out") == 0
    assert load_audit(tmp_path / "out").counts == {
        "live conversations read": 32,
        "left out: another of the same conversation was drawn": 1,
        "left out: not among the recorded conversations": 1,
        "left out: the customer said nothing": 1,
        "conversations compared": 29,
    }


@pytest.mark.parametrize(
    ("make", "more", "said"),
    [
        (lambda _: [], (), "there is no such file or folder"),
        (lambda people: people[:4], (), "4 conversations of recorded human can be compared"),
        (lambda people: [*people, two(people[0])], (), "has 2 customers (another, recorded human)"),
        (lambda people: people, ("--customer", "x"), "none of that name, but recorded human"),
        (lambda people: people, ("--language", "zh"), "--language zh: the run is in en"),
        (lambda people: [*people, *demo("zh")], (), "the run is in en, zh; choose one with"),
        (lambda people: people, ("--seed", "-1"), "--seed -1: must be 0 or more"),
    ],
)
def test_bad_input_is_one_line(make, more, said, tmp_path, capsys):
    dialogues = make(demo())
    run = tmp_path / "run.jsonl"
    if dialogues:
        write(run, dialogues)
    assert audit(run, tmp_path / "out", *more) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def two(dialogue):
    return dialogue.from_json(dialogue.to_json() | {"customer": "another"}, "x")


def test_the_wrong_corpus_is_named(tmp_path, capsys):
    run = write(tmp_path / "run.jsonl", [two(demo()[0])])
    words = ["audit-customer", "--simulated", str(run), "--recorded", "demo"]
    assert main([*words, "--config", "rolecs", "--split", "train", "--out", str(tmp_path / "o")])
    assert "none of the 1 played conversations" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"verdict": "pass"},
            {"verdict": "undecided"},
            {"failed": []},
            {"format": 1},
            {"more": 1},
        ),
        {"customer": "somebody better"},
    ],
)
def test_a_verdict_that_does_not_follow_is_refused(change, polite, tmp_path):
    file = tmp_path / "customer_audit.json"
    file.write_text(json.dumps(json.loads((polite / file.name).read_text()) | change))
    with pytest.raises(DataError, match="make it again with csc audit-customer"):
        load_audit(file)
