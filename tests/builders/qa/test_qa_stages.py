"""csc build qa-stages: stages of any QA corpus, by a model that sees no answer."""

import json

import pyarrow.parquet
import pytest

from builders.scripted import answerer
from csc_tasks.cli import main
from csc_tasks.conversation import Turn
from csc_tasks.corpora import load
from csc_tasks.question import Question
from tests.support.built_folders import files_of, journal_rows, record_of
from tests.support.fakes import sample_questions, write_corpus
from tests.support.llm_server import Act, llm_server
from tests.support.qa_builds import rows_of
from tests.support.qa_recordings import played


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def label(corpus, out, *options, llm="scripted"):
    return main(
        ["build", "qa-stages", str(corpus), "--llm", llm, "--out", str(out), *map(str, options)]
    )


def published(folder, each=4):
    """The published schema: strings only, no stage, language or index; the answers are marked."""
    folder.mkdir()
    for split in ("train", "validation", "test"):
        rows = []
        for i in range(each):
            lines = [
                f"{('Client', 'Agent')[k % 2]}: Line {k} of talk {i} in {split}."
                for k in range(2 * i)
            ]
            rows.append(
                {
                    "conversation_id": f"{split}{i}",
                    "instruction": "You are an agent.",
                    "conversation_history": "\n".join(lines),
                    "history_summary": f"A summary of talk {i}.",
                    "client_question": f"And what now, in talk {i}?",
                    "agent_answer": f"SECRET answer {i}",
                    "refined_agent_answer": f"SECRET refined answer {i}",
                }
            )
        (folder / f"{split}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )
    return folder


def test_the_published_schema_gets_stages_and_no_answer_is_shown(tmp_path, capsys):
    corpus, out = published(tmp_path / "corpus"), tmp_path / "set"
    with llm_server(lambda body, number: Act(played(body["messages"]))) as server:
        assert label(corpus, out, "--base-url", server.url, llm="openai:m") == 0
    assert len(server.asked) == 12
    for body in server.asked:
        assert (
            "SECRET" not in json.dumps(body)
            and "And what now, in talk" in body["messages"][1]["content"]
        )
    rows = rows_of(out)
    assert {split: len(found) for split, found in rows.items()} == {
        "train": 4,
        "validation": 4,
        "test": 4,
    }
    # Talks 0 and 1 have at most one agent turn before the question, 2 and 3 more; without turns the
    # summary is shown.
    assert [row["stage"] for row in rows["test"]] == ["mid", "early", "mid", "mid"]
    assert (
        sum("A summary of talk 0." in body["messages"][1]["content"] for body in server.asked) == 3
    )
    assert not any(
        "A summary of talk 1." in body["messages"][1]["content"] for body in server.asked
    )
    for split, found in rows.items():
        before = {
            item.conversation_id: item.to_row() for item in load(str(corpus), "qa", split).items
        }
        assert all(
            row == {**before[row["conversation_id"]], "stage": row["stage"]} for row in found
        )
    counts = record_of(out)["counts"]
    assert counts == {
        "rows_read": 12,
        "rows_labelled": 12,
        "rows_dropped": {},
        "rows_by_stage": {"early": 3, "mid": 9},
    }
    assert "rows labelled: 12" in capsys.readouterr().out


def test_the_demo_is_labelled_and_compared_with_its_own_stages(tmp_path):
    out = tmp_path / "set"
    assert label("demo", out, "--split", "test") == 0
    (row, *_), items = rows_of(out)["test"], load("demo", "qa", "test").items
    record = record_of(out)
    assert Question.from_row(row, "row").stage and len(rows_of(out)["test"]) == len(items)
    assert (
        record["counts"]["rows_labelled"]
        == len(items)
        == sum(record["counts"]["stages_before_to_stages_now"].values())
    )
    assert record["corpus"]["name"] == "demo" and list(record["corpus"]["content_hash"]) == ["test"]
    assert record["models"] == {"stage": "scripted"} and set(record["prompts"]) == {
        "en/qa_stage",
        "zh/qa_stage",
    }
    for request in requests(tmp_path / "set.journal.sqlite"):
        item = next(
            item
            for item in items
            if f"{item.conversation_id}/{item.turn_index}" == request["item_id"]
        )
        prompt = json.dumps(request["request"]["messages"], ensure_ascii=False)
        said = " ".join(turn.text for turn in item.conversation_history)
        assert item.refined_agent_answer not in prompt and (
            item.agent_answer in said or item.agent_answer not in prompt
        )


def requests(journal):
    from csc_tasks.llm.journal.reading import read_rows

    return list(read_rows(journal))


def test_a_larger_limit_adds_rows_and_a_second_run_asks_nothing(tmp_path):
    found = {}
    for limit in (5, 12):
        assert label("demo", tmp_path / str(limit), "--limit", limit) == 0
        found[limit] = {
            split: {row["conversation_id"] for row in rows}
            for split, rows in rows_of(tmp_path / str(limit)).items()
        }
    assert all(
        len(found[5][split]) == 5 and found[5][split] < found[12][split]
        for split in ("train", "validation", "test")
    )
    before, sent = files_of(tmp_path / "5"), journal_rows(tmp_path / "5.journal.sqlite")
    assert label("demo", tmp_path / "5", "--limit", 5) == 0
    assert (
        files_of(tmp_path / "5") == before and journal_rows(tmp_path / "5.journal.sqlite") == sent
    )


def test_what_cannot_be_labelled_is_dropped_and_counted(tmp_path):
    """A row without a stage would make the tasks of one stage refuse the corpus."""

    def script(body, number):
        question = body["messages"][1]["content"]
        bad = {
            "talk 1?": Act('{"reason": "Why.", "stage": "middle"}'),
            "talk 2?": Act(None, message={"refusal": "no"}),
        }
        return next(
            (act for end, act in bad.items() if question.endswith(end)),
            Act('{"reason": "Why.", "stage": "late"}'),
        )

    with llm_server(script) as server:
        assert (
            label(
                published(tmp_path / "corpus"),
                tmp_path / "set",
                "--base-url",
                server.url,
                llm="openai:m",
            )
            == 0
        )
    counts = record_of(tmp_path / "set")["counts"]
    assert counts["rows_dropped"] == {"stage: malformed reply": 3, "stage: refused": 3} and counts[
        "rows_by_stage"
    ] == {"late": 6}


def test_a_model_that_labels_nothing_leaves_nothing(tmp_path, capsys):
    with llm_server(lambda body, number: Act("mid")) as server:
        assert (
            label(
                published(tmp_path / "corpus"),
                tmp_path / "set",
                "--base-url",
                server.url,
                llm="openai:m",
            )
            == 1
        )
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error == "error: none of the 12 rows could be labelled, so nothing was written; dropped: 12"
        " stage: malformed reply"
    )
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nowhere/at/all"], "nowhere/at/all"),
        (["demo", "--limit", "0"], "--limit 0: at least 1"),
        (["demo", "--llm", "summary=scripted:"], "there is no stage 'summary'"),
    ],
)
def test_misuse_is_one_line(tmp_path, capsys, options, said):
    assert label(options[0], tmp_path / "set", *options[1:]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1


def test_rows_that_could_not_be_written_are_refused_before_anybody_is_asked(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "corpus", questions=sample_questions())
    (corpus / "qa" / "train.jsonl").write_bytes((corpus / "qa" / "test.jsonl").read_bytes())
    assert label(corpus, tmp_path / "set") == 1
    assert "a conversation belongs to one split" in capsys.readouterr().err
    assert not (tmp_path / "set.journal.sqlite").exists()


def test_a_single_file_is_one_split(tmp_path):
    corpus = published(tmp_path / "corpus")
    assert label(corpus / "train.jsonl", tmp_path / "set", "--split", "train") == 0
    assert list(rows_of(tmp_path / "set")) == ["train"]


def test_the_labelled_corpus_has_tasks_of_one_stage(tmp_path):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from csc_tasks import TASKS_DIR
    from tests.support.fakes import FakeLM

    out = tmp_path / "set"
    assert label(published(tmp_path / "corpus"), out) == 0
    manager = TaskManager(
        include_path=str(TASKS_DIR),
        include_defaults=False,
        metadata={"csc_qa_corpus": str(out), "csc_corpus": "demo"},
    )
    results = simple_evaluate(
        FakeLM(lambda prompt: "x"),
        tasks=["cscx_qa_early", "cscx_qa_mid"],
        task_manager=manager,
        bootstrap_iters=0,
    )
    assert [
        results["results"][task]["answers,none"] for task in ("cscx_qa_early", "cscx_qa_mid")
    ] == [1, 3]


@pytest.mark.parametrize(
    ("turns", "question", "stage"),
    [
        (0, "My card is gone.", "early"),
        (2, "It ends in 0012.", "early"),
        (4, "It ends in 0012.", "mid"),
        (6, "Thanks, goodbye.", "late"),
        (2, "Thanks, goodbye.", "early"),
    ],
)
def test_the_stand_in_goes_by_what_was_said(turns, question, stage):
    from builders.transcript import history
    from builders.wording import templates
    from csc_tasks.llm.exchange import Request

    before = history(
        [Turn(("customer", "supporter")[i % 2], f"Line {i}.") for i in range(turns)],
        "en",
        strategies=False,
    )
    messages = templates("en").messages("qa_stage", history=before, question=question)
    verdict = json.loads(answerer.stage(Request("stage", "x", 0, 0, messages)))
    assert verdict.pop("reason") and verdict == {"stage": stage}


def test_the_parquet_is_a_qa_config(tmp_path):
    assert label("demo", tmp_path / "set", "--split", "validation") == 0
    table = pyarrow.parquet.read_table(
        tmp_path / "set" / "qa" / "validation-00000-of-00001.parquet", partitioning=None
    )
    assert table.column_names == list(Question.__dataclass_fields__)
