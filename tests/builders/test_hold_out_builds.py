"""From recordings to a board: `csc build qa` and `csc build csconv` with `--hold-out`, a run on
what they made, and what whoever holds the references makes of it.
"""

import json

import pyarrow.parquet
import pytest

from builders.scripted import roles
from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.llm.backends import register_scripted
from leaderboard.folder import load_board
from tests.support import csconv_builds
from tests.support.handed_in import hand_in
from tests.support.qa_recordings import recordings, write_source

TASK = {"qa": "csc_qa", "csconv": "csc_conv_ref"}
SETTING = {"qa": "csc_qa_corpus", "csconv": "csc_corpus"}
LED_BY = {"qa": "rouge_l_en", "csconv": "strategy_acc"}


@pytest.fixture(scope="module", autouse=True)
def the_judge_is_put_back():
    """The registry is one for the process."""
    yield
    register_scripted("judge", roles.judge)


def build(kind, source, out, *more) -> int:
    words = ["build", kind, "--source", str(source), "--llm", "scripted", "--out", str(out)]
    return main([*words, *map(str, more)])


@pytest.fixture(scope="module", params=["qa", "csconv"])
def built(request, tmp_path_factory):
    """(kind, folder with whole, public and the file of references)."""
    kind = request.param
    root = tmp_path_factory.mktemp(kind)
    if kind == "qa":
        source, more = write_source(root / "calls.jsonl", recordings(4)), ("--splits", "0,0,100")
    else:
        rows = [row for code in ("zh", "en") for row in csconv_builds.recorded(4, code)]
        source, more = csconv_builds.write(root / "calls.jsonl", rows), ()
    assert build(kind, source, root / "whole", *more) == 0
    held = ("--hold-out", root / "kept.parquet")
    assert build(kind, source, root / "public", *more, *held) == 0
    return kind, root


def reply(prompt: str) -> str:
    if "\u4e00" <= max(prompt) <= "\u9fff":
        return "[感谢与告别] 感谢您的来电，祝您生活愉快。"
    return "[Greeting] Hello, thank you for calling, how may I help you with your order?"


@pytest.fixture(scope="module")
def runs(built):
    kind, root = built
    return {
        name: hand_in(root / f"run_{name}", [TASK[kind]], reply, {SETTING[kind]: str(root / name)})
        for name in ("whole", "public")
    }


def numbers(file, kind):
    return json.loads(file.read_text(encoding="utf-8"))["results"][TASK[kind]]


def test_the_public_folder_has_the_rows_without_their_references(built):
    kind, root = built
    whole, public = (corpora.load(str(root / n), kind, "test").items for n in ("whole", "public"))
    assert len(whole) == len(public) > 3
    kept = pyarrow.parquet.read_table(root / "kept.parquet").to_pylist()
    assert len(kept) == len(whole)
    if kind == "csconv":
        gold = {one.dialogue[one.scored_turns()[-1]].text for one in whole}
    else:
        gold = {one.refined_agent_answer for one in whole}
    assert {row["reference"] for row in kept} == gold
    # Other rows may say the same by chance: the stand-ins have few phrases.
    alone = [text for text in gold if not said_elsewhere(kind, whole, text)]
    content = b"".join(file.read_bytes() for file in (root / "public").rglob("*.*"))
    assert alone and not [text for text in alone if text.encode() in content]


def said_elsewhere(kind, items, text) -> bool:
    rows = [json.dumps(one.to_row(), ensure_ascii=False) for one in items]
    if kind == "qa":
        rest = [(one.history_summary, one.client_question) for one in items]
        return any(text in part for parts in rest for part in parts)
    return sum(row.count(text) for row in rows) > 1


def test_who_holds_the_references_gets_the_numbers_of_the_whole(built, runs, capsys):
    kind, root = built
    words = ["verify", str(runs["public"]), "--corpus", str(root / "public" / "manifest.json")]
    words += ["--references", str(root / "kept.parquet"), "--json", str(root / "verified.json")]
    assert main(words) == 0
    assert "nothing is contradicted" in capsys.readouterr().out
    (verdict,) = json.loads((root / "verified.json").read_text(encoding="utf-8"))["runs"]
    assert (verdict["trust"], verdict["contradicted"]) == ("re-scored", False)
    true = numbers(runs["whole"], kind)
    measured = 0
    for name, number in verdict["numbers"].items():
        value = true[f"{name},none"]
        ours, _ = number["recomputed"]
        assert ours == (None if value == "N/A" else pytest.approx(value)), name
        measured += bool(ours)
    assert measured >= 2


def test_a_board_ranks_it_with_them_and_not_without(built, runs, tmp_path, capsys):
    kind, root = built
    words = ["collect", str(runs["public"]), "--corpus", str(root / "public"), "--no-fact-audit"]
    for name, more, trust in (
        ("with", ["--references", str(root / "kept.parquet")], "re-scored"),
        ("without", [], "claimed"),
    ):
        assert main([*words, *more, "--out", str(tmp_path / name)]) == 0
        (table,) = load_board(tmp_path / name).tables
        (row,) = table.rows
        assert row.badge == trust
        value = row.values[f"{TASK[kind]}/{LED_BY[kind]}"].value
        if trust == "re-scored":
            assert value == pytest.approx(numbers(runs["whole"], kind)[f"{LED_BY[kind]},none"])
        elif kind == "qa":
            assert value is None
    assert "--references" in capsys.readouterr().err
