"""The JSON schemas of the documentation, held against files that the project writes: what it writes
fits, what it would refuse does not, and no field is missing.
"""

import copy
import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from csc_tasks import papers
from csc_tasks.cli import main
from csc_tasks.conversation import HELD_OUT, Conversation, Turn
from csc_tasks.errors import DataError
from csc_tasks.evidence.passages import read_evidence
from csc_tasks.prompts import Reply
from csc_tasks.records import answer_record, choice_record, forced_record, turn_record
from docsite.formats import FORMATS, schema_text
from tests.support.board_example import write_example
from tests.support.made_prompts import question
from tests.support.made_results import conversation_result, conversations, right, write_run
from tests.support.manifests import manifest_of
from trainers.sweep_file import Point, write_points

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "csc_tasks" / "demo"
SCHEMAS = {one.name: json.loads(schema_text(one)) for one in FORMATS}


def problems(name, value):
    """What is wrong with a value by a schema."""
    return [error.message for error in Draft202012Validator(SCHEMAS[name]).iter_errors(value)]


def rows(config, split):
    lines = (DEMO / config / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema(name):
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize(
    ("name", "config", "split"),
    [
        ("conversation", "csconv", "test"),
        ("role-played-conversation", "rolecs", "train"),
        ("question", "qa", "test"),
    ],
)
def test_the_rows_of_the_demo_fit(name, config, split):
    made = rows(config, split)
    assert made and not any(problems(name, row) for row in made)
    row = made[0]
    assert problems(name, row | {"more": 1})
    for column in row:
        assert problems(name, {key: row[key] for key in row if key != column}), column
        assert problems(name, row | {column: 1.5}), column
    if "dialogue" in row:
        for change in ({"speaker": "agent"}, {"strategy": "Greeting"}, {"more": ""}):
            changed = copy.deepcopy(row)
            changed["dialogue"][0] |= change
            assert problems(name, changed), change


def test_a_board_folder_fits(tmp_path):
    folder = write_example(tmp_path)
    for name, files in (
        ("board", [folder / "board.json"]),
        ("model-report", sorted((folder / "models").glob("*.json"))),
        ("samples-to-read", sorted((folder / "samples").glob("*.json"))),
    ):
        assert files
        for file in files:
            content = json.loads(file.read_text(encoding="utf-8"))
            assert problems(name, content) == [], file
            assert problems(name, content | {"more": 1}), file


def test_statistics_fit(tmp_path):
    assert main(["stats", "demo", "--json", str(tmp_path / "stats.json")]) == 0
    content = json.loads((tmp_path / "stats.json").read_text(encoding="utf-8"))
    assert problems("statistics", content) == []
    assert problems("statistics", content | {"format": "other"})


def test_a_manifest_fits():
    content = manifest_of(DEMO, "demo", {"csconv": ["test"], "qa": ["test"]}).to_json()
    content = json.loads(json.dumps(content))
    assert problems("manifest", content) == []
    content["splits"]["qa"]["test"][0].pop("sha256")
    assert problems("manifest", content)


def test_results_fit(tmp_path):
    corpus = conversations(3)
    result = conversation_result("csc_conv_ref", corpus, right(0.5))
    file = write_run(tmp_path, "org/model", [result])
    content = json.loads(file.read_text(encoding="utf-8"))
    assert problems("results", content) == []
    assert problems("results", {key: content[key] for key in content if key != "configs"})
    record = content["configs"]["csc_conv_ref"]["metadata"]["csc"]
    assert problems("task-record", record) == []
    assert problems("task-record", record | {"rows": "3"})


def test_records_fit_and_every_key_is_described():
    made = Conversation(
        "c", "en", "", "", (Turn("customer", "Hi."), Turn("supporter", "Hello.", "GT"))
    )
    sums = [-float(i) for i in range(12)]
    turns = [
        turn_record(made, 1, Reply("GT", "Hello."), None, False),
        turn_record(made, 1, Reply(None, ""), True, None, failure="no answer"),
        turn_record(made, 1, Reply(None, "Hello."), None, None, chooses=False),
        choice_record(made, 1, sums, False),
        choice_record(made, 1, None, False, "no answer"),
        forced_record(made, 1, Reply("GT", "Hello."), False, False, None, "[Greeting]"),
    ]
    answers = [
        answer_record(question(), "the answer", Reply(None, "Yes."), False, None),
        answer_record(question(), HELD_OUT, Reply(None, "$5"), False, None, passages=["None."]),
    ]
    for name, records in (("turn-record", turns), ("answer-record", answers)):
        for record in records:
            assert problems(name, json.loads(json.dumps(record))) == []
            assert set(record) <= set(SCHEMAS[name]["properties"])
        assert problems(name, turns[0] | {"reply": None})


def test_a_sweep_fits(tmp_path):
    point = Point("8", False, 0, 10, 12, 3, "8", "abc", 2.5, 2.4, 100, 1.0, {"rows": 12})
    base = Point("0", True, None, 0, 0, 0, None, "def")
    write_points(tmp_path, "lora_r", None, [base, point])
    content = json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    assert problems("sweep", content) == []
    content["points"][0]["steps"] = "none"
    assert problems("sweep", content)


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ({"conversation_id": "c", "turn": 3, "passages": ["a"]}, True),
        ({"conversation_id": "c", "passages": [], "more": 1}, True),
        ({"conversation_id": "c", "turn": None, "passages": ["a"]}, True),
        ({"conversation_id": 1, "passages": ["a"]}, False),
        ({"conversation_id": "c", "turn": "3", "passages": ["a"]}, False),
        ({"conversation_id": "c", "passages": "a"}, False),
        ({"passages": ["a"]}, False),
    ],
)
def test_a_file_of_passages_fits_where_it_is_read(line, fits, tmp_path):
    (tmp_path / "passages.jsonl").write_text(json.dumps(line) + "\n")
    try:
        read_evidence(tmp_path / "passages.jsonl")
        read = True
    except DataError:
        read = False
    assert read == fits == (problems("passages", line) == [])


def test_languages_and_papers_fit():
    for name, file in (("language", "language"), ("wording", "prompts"), ("asking", "asking")):
        files = sorted((ROOT / "csc_tasks" / "languages").glob(f"*/{file}.yaml"))
        assert len(files) >= 2
        for one in files:
            content = yaml.safe_load(one.read_text(encoding="utf-8"))
            assert problems(name, content) == [], one
            assert problems(name, content | {"more": 1}), one
    text = (Path(papers.__file__).parent / "papers.yaml").read_text(encoding="utf-8")
    assert problems("papers", yaml.safe_load(text)) == []
