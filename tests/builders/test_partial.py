"""What a stopped build leaves: a dataset folder of rows that the whole has too."""

import json

import pyarrow.parquet
import pytest

from builders.dataset import read_folder
from csc_tasks.cli import main
from csc_tasks.corpora import load
from csc_tasks.llm.backends import _SCRIPTED
from csc_tasks.llm.journal.reading import read_totals
from tests.support.csconv_builds import recorded, write
from tests.support.llm_server import Act, llm_server
from tests.support.qa_recordings import played, recordings, write_source


def rolecs(tmp_path):
    return ["rolecs", "--limit", "8"]


def csconv(tmp_path):
    calls = write(tmp_path / "calls.jsonl", recorded(14, "en"))
    return ["csconv", "--source", str(calls), "--per-topic", "2"]


def qa(tmp_path):
    calls = write_source(tmp_path / "calls.jsonl", recordings(5))
    variant = ["--variant", "short=tokens:64"]
    return ["qa", "--source", str(calls), *variant, "--splits", "0,0,100"]


def stages(tmp_path):
    rows = [
        {
            "conversation_id": f"talk{i}",
            "instruction": "You are an agent.",
            "conversation_history": "",
            "history_summary": f"A summary of talk {i}.",
            "client_question": f"And what now, in talk {i}?",
            "agent_answer": f"Answer {i}.",
            "refined_agent_answer": f"Refined answer {i}.",
        }
        for i in range(24)
    ]
    return ["qa-stages", str(write(tmp_path / "test.jsonl", rows))]


def build(words, out, *options):
    return main(["build", *words, "--llm", "scripted", "--out", str(out), *map(str, options)])


def rows_of(out):
    """Config/split -> rows as JSON text, in their order."""
    return {
        str(path.relative_to(out)): [
            json.dumps(row)
            for row in pyarrow.parquet.read_table(path, partitioning=None).to_pylist()
        ]
        for path in out.rglob("*.parquet")
    }


def sent(out):
    return sum(part.tries for part in read_totals(out.with_name(f"{out.name}.journal.sqlite")))


@pytest.mark.parametrize("words", [rolecs, csconv, qa, stages])
def test_what_a_stopped_build_leaves_is_a_part_of_the_whole(words, tmp_path, capsys):
    words = words(tmp_path)
    whole, out = tmp_path / "whole", tmp_path / "set"
    partial = tmp_path / "set.partial"
    assert build(words, whole) == 0
    rows, requests = rows_of(whole), sent(whole)
    sizes = []
    for part in (0.02, 0.6, 0.8, 0.95):
        assert build(words, out, "--max-requests", int(part * requests)) == 1
        stderr = capsys.readouterr().err
        assert "--max-requests is" in stderr and not out.exists()
        if not partial.exists():
            assert "No row is complete yet" in stderr
            continue
        left = rows_of(partial)
        for name, some in left.items():
            assert set(some) <= set(rows[name])
        sizes.append(sum(map(len, left.values())))
        # A dataset folder like any other, that says what it is and how far it goes.
        record, _ = read_folder(partial)
        for config, splits in record["splits"].items():
            for split, content in splits.items():
                assert len(load(f"{partial}", config, split).items) == content["rows"]
        assert record["partial"]["done"] < record["partial"]["of"]
        card = (partial / "README.md").read_text(encoding="utf-8")
        assert "(partial)" in card and f"{record['partial']['done']:,} of" in card
        assert f"{partial} (" in stderr
    # There was one, it grew, and it is not the whole.
    assert sizes == sorted(sizes) and 0 < sizes[-1] < sum(map(len, rows.values()))
    # Not published, not even to be looked at.
    assert main(["push", str(partial), "--repo-id", "a/b"]) == 1
    assert "is a partial dataset" in capsys.readouterr().err
    assert build(words, out) == 0
    assert rows_of(out) == rows and not partial.exists() and sent(out) == requests


def gone(body, number):
    return Act(played(body["messages"])) if number < 9 else Act(drop=True)


def prose(body, number):
    return Act(played(body["messages"]) if number < 9 else "Let me think about that.")


@pytest.mark.parametrize(
    ("script", "options", "why"),
    [
        (gone, ["--retries", "0"], "run the same command again when the server is back"),
        (prose, ["--stop-after-failures", "5", "--attempts", "1"], "malformed"),
    ],
)
def test_so_does_one_whose_server_is_gone_or_fails(
    script, options, why, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    out = tmp_path / "set"
    words = ["build", *stages(tmp_path), "--llm", "openai:m", "--out", str(out), *options]
    with llm_server(script) as server:
        assert main([*words, "--base-url", server.url, "--concurrency", "1"]) == 1
    assert why in capsys.readouterr().err
    assert len(rows_of(tmp_path / "set.partial")["qa/test-00000-of-00001.parquet"]) == 9


def test_so_does_ctrl_c(tmp_path, capsys, monkeypatch):
    out, script = tmp_path / "set", _SCRIPTED["stage"]
    asked = []

    def interrupted(request):
        asked.append(request)
        if len(asked) == 8:
            raise KeyboardInterrupt
        return script(request)

    monkeypatch.setitem(_SCRIPTED, "stage", interrupted)
    assert build(stages(tmp_path), out, "--concurrency", "1") == 130
    (rows,) = rows_of(tmp_path / "set.partial").values()
    assert len(rows) == 7
    assert "7 rows are complete" in capsys.readouterr().err


def test_what_is_held_out_is_not_in_the_partial_either(tmp_path, capsys):
    words, out, references = qa(tmp_path), tmp_path / "set", tmp_path / "references.parquet"
    whole = [*words, "--hold-out", str(tmp_path / "of_whole.parquet")]
    assert build(whole, tmp_path / "whole") == 0
    most = int(0.9 * sent(tmp_path / "whole"))
    words += ["--hold-out", str(references)]
    assert build(words, out, "--max-requests", most) == 1
    left, rows = rows_of(tmp_path / "set.partial"), rows_of(tmp_path / "whole")
    for name, some in left.items():
        assert some and all("[held out]" in row for row in some) and set(some) <= set(rows[name])
    assert not references.exists()
    assert build(words, out) == 0 and references.exists()


def test_conversations_that_are_held_out_have_their_names_from_the_whole(tmp_path, capsys):
    words = [*csconv(tmp_path), "--hold-out", str(tmp_path / "references.parquet")]
    assert build(words, tmp_path / "set", "--max-requests", 30) == 1
    assert "no partial result: the names of conversations are made" in capsys.readouterr().err
    assert not (tmp_path / "set.partial").exists()


def test_profiles_say_why_there_is_no_partial_pool(tmp_path, capsys):
    assert build(["profiles", "demo"], tmp_path / "pool", "--max-requests", 9) == 1
    assert "near-duplicate profiles stays is decided over all of them" in capsys.readouterr().err
    assert not (tmp_path / "pool.partial").exists()


def test_a_partial_that_cannot_be_written_hides_nothing(tmp_path, capsys):
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial" / "mine.txt").write_text("mine")
    assert build(stages(tmp_path), tmp_path / "set", "--max-requests", 9) == 1
    stderr = capsys.readouterr().err
    assert "no partial dataset was written" in stderr and "--max-requests is 9" in stderr
    assert (tmp_path / "set.partial" / "mine.txt").read_text() == "mine"
