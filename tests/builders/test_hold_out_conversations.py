"""`csc build hold-out` of conversations: the folder lacks the turns, runs on it have no numbers
against them, and whoever holds them computes the numbers of the whole corpus.
"""

import json

import pyarrow.parquet
import pytest

from builders.cards.render import Card
from builders.dataset import write_folder
from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.errors import DataError
from csc_tasks.prompts import TurnPrompt
from csc_tasks.verify import Trust, trusted_corpora
from csc_tasks.verify.copied import at_most, check_copied
from csc_tasks.verify.references import read_references
from leaderboard.folder import load_board
from tests.support.fakes import sample_conversations
from tests.support.handed_in import forged, hand_in, verdicts

HELD_OUT = "[held out]"
CARD = Card("Support", "Sample.", "other", ("en", "zh"), "Somewhere.", "By hand.", ("Small.",))
TASKS = {
    "whole": ["csc_conv_ref", "csc_conv_gen", "cscx_conv_ref_vanilla", "cscx_strategy_choice"],
    "last": ["csc_conv_ref", "csc_conv_gen", "cscx_conv_ref_vanilla", "cscx_strategy_choice"],
    "all": ["csc_conv_gen"],
}
SCORED = {one.conversation_id: one.scored_turns() for one in sample_conversations()}
LAST = {
    (one.dialogue[turns[-1]].text, one.dialogue[turns[-1]].strategy)
    for one in sample_conversations()
    for turns in [SCORED[one.conversation_id]]
}
ALL = {
    (turn.text, turn.strategy)
    for one in sample_conversations()
    for turn in one.dialogue
    if turn.strategy
}


def held_out(whole, out, file, *more: str) -> int:
    words = ["build", "hold-out", str(whole), "--out", str(out), "--hold-out", str(file)]
    return main([*words, *more])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A whole dataset, and what the command makes of it twice: whole, last, all, kept/."""
    root = tmp_path_factory.mktemp("held_out")
    rows = [conversation.to_row() for conversation in sample_conversations()]
    counts = {"conversations": len(rows), "strategies": {"GT": 5, "AC": 3}}
    write_folder(root / "whole", {"csconv": {"test": rows}}, CARD, {"counts": counts}, {})
    assert held_out(root / "whole", root / "last", root / "kept" / "last.parquet") == 0
    more = ("--hold-out-turns", "all")
    assert held_out(root / "whole", root / "all", root / "kept" / "all.parquet", *more) == 0
    return root


def reply(prompt: str) -> str:
    """Right at times: after a second customer's turn a goodbye."""
    zh = "客户" in prompt
    if prompt.count("(3)") + prompt.count("（3）"):
        return "[感谢与告别] 感谢您的来电" if zh else "[AC] Thank you for your patience, goodbye"
    return "[礼貌问候] 您好，请问" if zh else "[Greeting] hello, thank you for calling"


@pytest.fixture(scope="module")
def runs(root, tmp_path_factory):
    """Corpus -> the same model's run on it."""
    out = tmp_path_factory.mktemp("runs")
    return {
        name: hand_in(out / name, tasks, reply, {"csc_corpus": str(root / name)})
        for name, tasks in TASKS.items()
    }


def kept(root, turns):
    return pyarrow.parquet.read_table(root / "kept" / f"{turns}.parquet").to_pylist()


def numbers(file, task):
    return json.loads(file.read_text(encoding="utf-8"))["results"][task]


def samples(file, task):
    (found,) = file.parent.glob(f"samples_{task}_2*")
    return [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]


# The folder and the file


@pytest.mark.parametrize(("turns", "out"), [("last", LAST), ("all", ALL)])
def test_the_folder_lacks_what_the_file_has(turns, out, root):
    references = kept(root, turns)
    assert {(row["reference"], row["strategy"]) for row in references} == out
    rows = [one.to_row() for one in corpora.load(str(root / turns), "csconv", "test").items]
    places = {(row["conversation_id"], row["turn"]) for row in references}
    whole = {one.conversation_id: one for one in sample_conversations()}
    originals = {row["conversation_id"]: row["original_id"] for row in references}
    for row in rows:
        before = whole[originals[row["conversation_id"]]].to_row()["dialogue"]
        for position, (turn, own) in enumerate(zip(row["dialogue"], before, strict=True)):
            if (row["conversation_id"], position) in places:
                assert turn == {"speaker": "supporter", "strategy": HELD_OUT, "text": HELD_OUT}
            else:
                assert turn == own
        scored = SCORED[originals[row["conversation_id"]]]
        gone = [turn for id_, turn in sorted(places) if id_ == row["conversation_id"]]
        assert gone == (scored if turns == "all" else scored[-1:])
    texts = {file.name: file.read_bytes() for file in (root / turns).rglob("*") if file.is_file()}
    assert len(texts) == 5
    for name, content in texts.items():
        assert not [text for text, _ in out if text.encode() in content], name


@pytest.mark.parametrize("turns", ["last", "all"])
def test_ids_record_card_and_manifest_tell_nothing(turns, root):
    public = root / turns
    # An id is made of the content, so the old one would confirm a guess.
    rows = corpora.load(str(public), "csconv", "test").items
    assert not {one.conversation_id for one in rows} & set(SCORED)
    record = json.loads((public / "build.json").read_text(encoding="utf-8"))
    assert record["held_out"] == {
        "rows": len(kept(root, turns)),
        "columns": ["dialogue.text", "dialogue.strategy"],
        "turns": turns,
    }
    assert record["counts"] == {"conversations": 5}
    described = record["splits"]["csconv"]["test"]
    assert described["supporter_turns_labelled"] == 22
    assert sum(described["strategies"].values()) == (17 if turns == "last" else 0)
    assert "csc verify --references" in (public / "README.md").read_text(encoding="utf-8")
    # What the card names can be run.
    text = (public / "README.md").read_text(encoding="utf-8")
    assert "csc_conv_gen" in text and ("csc_conv_ref" in text) == (turns == "last")
    entries = json.loads((public / "manifest.json").read_text())["splits"]["csconv"]["test"]
    assert sorted(entry["scored"] for entry in entries) == sorted(map(len, SCORED.values()))


def test_the_same_again_is_the_same_to_the_byte(root, tmp_path):
    assert held_out(root / "whole", tmp_path / "last", tmp_path / "again.parquet") == 0
    for file in (root / "last").rglob("*"):
        if file.is_file() and file.name != "run.json":
            own = (tmp_path / "last" / file.relative_to(root / "last")).read_bytes()
            assert own == file.read_bytes(), file
    again = pyarrow.parquet.read_table(tmp_path / "again.parquet").to_pylist()
    assert again == kept(root, "last")


@pytest.mark.parametrize(
    ("folder", "file", "words"),
    [
        ("last", "x.parquet", "holds its references out already"),
        ("whole", "new/x.parquet", "which is published"),
        ("whole", "x.csv", "ends in .parquet"),
        ("nowhere", "x.parquet", "is no folder"),
    ],
)
def test_what_cannot_be_held_out_is_one_line(folder, file, words, root, tmp_path, capsys):
    assert held_out(root / folder, tmp_path / "new", tmp_path / file) == 1
    printed = capsys.readouterr().err
    assert words in printed and printed.count("\n") == 1
    assert not (tmp_path / "new").exists() and not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("renamed", [False, True])
def test_a_conversation_that_is_trained_on_cannot_be_held_out(renamed, root, tmp_path, capsys):
    first, *rest = [one.to_row() for one in sample_conversations()]
    again = first | {"profile": "", "scenario": "", "goal": ""}
    again |= {"conversation_id": "other"} if renamed else {"topic": "Product Consultation"}
    rows = {"csconv": {"test": [first, *rest]}, "rolecs": {"train": [again]}}
    write_folder(tmp_path / "both", rows, CARD, {"counts": {"rows": 6}}, {})
    assert held_out(tmp_path / "both", tmp_path / "new", tmp_path / "x.parquet") == 1
    assert "rolecs/train is a conversation of the test split too" in capsys.readouterr().err


def test_turns_that_are_held_out_are_read_only_as_such():
    row = sample_conversations()[0].to_row()
    row["dialogue"][1]["text"] = HELD_OUT
    with pytest.raises(DataError, match=r"turn 1: text and strategy are both \[held out\]"):
        type(sample_conversations()[0]).from_row(row, "row")


# Running


def test_metrics_against_what_is_held_out_are_not_available(runs):
    own = numbers(runs["all"], "csc_conv_gen")
    for name in ("strategy_acc", "strategy_macro_f1", "stage_overlap", "bleu_4_en", "rouge_l_zh"):
        assert own[f"{name},none"] == own[f"{name}_stderr,none"] == "N/A"
    assert (own["turns,none"], own["unparsed,none"], own["empty,none"]) == (22, 0.0, 0.0)


def test_the_other_turns_are_scored_as_ever(root, runs):
    """Accuracy over the 17 turns that everybody has, counted from the whole run's records."""
    for task in ("csc_conv_ref", "csc_conv_gen"):
        right = [
            turn["strategy"] == turn["gold_strategy"]
            for line in samples(runs["whole"], task)
            for turn in line["turns"][:-1]
        ]
        assert len(right) == 17 and any(right)
        accuracy = numbers(runs["last"], task)["strategy_acc,none"]
        assert accuracy == pytest.approx(sum(right) / 17)
        assert accuracy != numbers(runs["whole"], task)["strategy_acc,none"]
        results = json.loads(runs["last"].read_text(encoding="utf-8"))
        assert results["configs"][task]["metadata"]["csc"]["held_out"] == 5


@pytest.mark.parametrize(("corpus", "out"), [("last", LAST), ("all", ALL)])
def test_nothing_that_is_held_out_is_in_prompts_or_samples(corpus, out, root, runs):
    for task in TASKS[corpus]:
        for line in samples(runs[corpus], task):
            text = json.dumps(line, ensure_ascii=False)
            assert not [gold for gold, _ in out if gold in text]
            hidden = {i for i, t in enumerate(line["doc"]["dialogue"]) if t["text"] == HELD_OUT}
            assert hidden
            for turn in line["turns"]:
                if turn["turn"] in hidden:
                    assert (turn["reference"], turn["gold_strategy"]) == ("", "")
                    assert turn["gold_stages"] == []
            # What the model saw: never the marker.
            sent = json.dumps(line["arguments"], ensure_ascii=False)
            assert HELD_OUT not in sent


def test_a_run_sees_the_same_prompts_as_on_the_whole_corpus(runs):
    for corpus in ("last", "all"):
        for task in TASKS[corpus]:
            prompts = [
                sorted(
                    json.dumps(sent["arg_0"], ensure_ascii=False)
                    for line in samples(runs[name], task)
                    for sent in line["arguments"].values()
                )
                for name in ("whole", corpus)
            ]
            assert prompts[0] == prompts[1] and prompts[0]


@pytest.mark.parametrize(
    ("corpus", "task", "words"),
    [
        (
            "all",
            "csc_conv_ref",
            "in 5 of 5 conversations.*csc_conv_ref cannot be run; csc_conv_gen",
        ),
        ("all", "cscx_conv_ref_vanilla", "cscx_conv_ref_vanilla cannot be run"),
        ("all", "cscx_strategy_choice", "cscx_strategy_choice cannot be run"),
        ("all", "cscx_conv_ref_oracle", "cscx_conv_ref_oracle cannot be run"),
        ("last", "cscx_conv_ref_oracle", "strategies of 5 turns out, so cscx_conv_ref_oracle"),
    ],
)
def test_a_task_that_cannot_be_run_without_says_so(corpus, task, words, root, tmp_path):
    with pytest.raises(DataError, match=words) as error:
        hand_in(tmp_path, [task], reply, {"csc_corpus": str(root / corpus)})
    assert "\n" not in str(error.value)


def test_no_prompt_is_made_of_a_turn_that_is_held_out(root):
    one = corpora.load(str(root / "all"), "csconv", "test").items[0]
    with pytest.raises(DataError, match="is held out, so it cannot stand in a history"):
        TurnPrompt(one, one.scored_turns()[-1]).messages()


# Verifying


@pytest.mark.parametrize("corpus", ["last", "all"])
def test_whoever_holds_the_turns_gets_the_numbers_of_the_whole_corpus(corpus, root, runs):
    references = read_references(root / "kept" / f"{corpus}.parquet")
    trusted = trusted_corpora([str(root / corpus / "manifest.json")])
    for task, verified in verdicts(runs[corpus], trusted, references).items():
        assert verified.findings == () and verified.trust is Trust.RESCORED
        true = numbers(runs["whole"], task)
        for number in verified.numbers:
            for ours, key in (
                (number.shown.value, f"{number.name},none"),
                (number.shown.stderr, f"{number.name}_stderr,none"),
            ):
                assert ours == (None if true[key] == "N/A" else pytest.approx(true[key])), key


@pytest.mark.parametrize("corpus", ["last", "all"])
def test_without_them_a_run_is_claimed_and_not_accused(corpus, root, runs):
    trusted = trusted_corpora([str(root / corpus)])
    for verified in verdicts(runs[corpus], trusted).values():
        assert verified.trust is Trust.CLAIMED and not verified.contradicted
        (note,) = verified.findings
        assert "--references" in note.sentence
        if corpus == "last":
            assert "5 references are held out" in note.sentence


def test_a_file_that_lacks_some_is_said(root, runs, tmp_path):
    table = pyarrow.parquet.read_table(root / "kept" / "all.parquet")
    pyarrow.parquet.write_table(table.slice(3), tmp_path / "some.parquet")
    trusted = trusted_corpora([str(root / "all")])
    references = read_references(tmp_path / "some.parquet")
    (verified,) = verdicts(runs["all"], trusted, references).values()
    assert verified.trust is Trust.CLAIMED and not verified.contradicted
    assert "3 references are held out and not in --references" in verified.findings[-1].sentence


@pytest.mark.parametrize(
    ("copied", "of", "others", "told"),
    [
        (20, 20, 0, True),
        (19, 40, 0, False),  # less than half: there are replies of its own
        (20, 20, 3, False),  # more than half as many of the others
        (8, 8, 0, False),  # 1 / C(13, 5) = 1 / 1287: too few to tell
    ],
)
def test_replies_copied_from_what_everybody_has_are_told_by_what_is_held_out(
    copied, of, others, told
):
    def records(hits, count, own):
        return [
            {"reply": f"gold {i:04}" if i < hits else "my own words", "reference": f"gold {i:04}"}
            | ({} if own else {"held": True})
            for i in range(count)
        ]

    whole = records(copied, of, True) + records(others, 5, False)
    as_run = [record | ({"reference": ""} if "held" in record else {}) for record in whole]
    found = check_copied("csc_conv_ref", whole, as_run)
    assert [finding.sentence for finding in found] == (
        [
            "20 of 20 are the reference to the letter where everybody has it, and 0 of 5 where it"
            " is held out"
        ]
        if told
        else []
    )
    assert all(finding.contradicts for finding in found)


def test_the_chance_of_so_few_is_that_of_the_hypergeometric_distribution():
    # 5 of 22, none of them among 17 marked: 1 / C(22, 5).
    assert at_most(0, 5, 17, 22) == pytest.approx(1 / 26334)
    # Of 2 marked among 4, at most one is among 2 drawn: 5 of the 6 pairs.
    assert at_most(1, 2, 2, 4) == pytest.approx(5 / 6)
    assert at_most(2, 2, 2, 4) == 1


def test_numbers_on_what_is_held_out_are_contradicted(root, runs, tmp_path):
    def forge(text, lines):
        text["results"]["csc_conv_gen"]["strategy_acc,none"] = 1.0

    file = forged(runs["all"], tmp_path, "csc_conv_gen", forge)
    references = read_references(root / "kept" / "all.parquet")
    (verified,) = verdicts(file, trusted_corpora([str(root / "all")]), references).values()
    assert "strategy_acc" in {finding.item for finding in verified.findings if finding.contradicts}
    true = numbers(runs["whole"], "csc_conv_gen")["strategy_acc,none"]
    assert verified.number("strategy_acc").shown.value == pytest.approx(true)


def test_a_verdict_quotes_nothing_that_is_held_out(root, runs, tmp_path, capsys):
    def forge(text, lines):
        for line in lines:
            for turn in line["turns"]:
                turn |= {"reference": "made up", "gold_strategy": "EM"}

    file = forged(runs["all"], tmp_path / "forged", "csc_conv_gen", forge)
    words = ["verify", str(file), "--corpus", str(root / "all")]
    words += ["--references", str(root / "kept" / "all.parquet")]
    assert main([*words, "--json", str(tmp_path / "verified.json")]) == 1
    printed = capsys.readouterr().out + (tmp_path / "verified.json").read_text(encoding="utf-8")
    assert "claimed made up, recomputed [held out]" in printed
    assert not [text for text, _ in ALL if text in printed]


# The board


def board_of(root, runs, corpus, out, *more):
    words = ["collect", str(runs[corpus]), "--corpus", str(root / corpus), "--out", str(out)]
    assert main([*words, *more]) == 0
    return load_board(out)


@pytest.mark.parametrize(("corpus", "gold"), [("last", LAST), ("all", ALL)])
def test_a_board_with_the_turns_ranks_and_shows_none_of_them(corpus, gold, root, runs, tmp_path):
    references = str(root / "kept" / f"{corpus}.parquet")
    board = board_of(root, runs, corpus, tmp_path, "--references", references)
    for table in board.tables:
        (row,) = table.rows
        assert row.badge == "re-scored"
        for key, value in row.values.items():
            task, _, name = key.partition("/")
            true = numbers(runs["whole"], task)[f"{name},none"]
            assert value.value == (None if true == "N/A" else pytest.approx(true))
        shown = json.loads((tmp_path / "samples" / f"{table.id}.json").read_text("utf-8"))
        for one in shown["conversations"]:
            for turn in one["turns"]:
                if one["dialogue"][turn["turn"]]["text"] == HELD_OUT:
                    assert (turn["reference"], turn["strategy"]) == ("", None)
                    # Its score beside the strategy that the model chose would tell the gold one.
                    for replies in turn["replies"].values():
                        assert {tuple(own["scores"]) for own in replies.values()} == {()}
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            for text, _ in gold:
                assert text.encode() not in content, file
                escaped = json.dumps(text).strip('"').encode()
                assert escaped not in content, file


@pytest.mark.parametrize("corpus", ["last", "all"])
def test_a_board_without_them_has_the_row_and_says_why(corpus, root, runs, tmp_path, capsys):
    board = board_of(root, runs, corpus, tmp_path)
    table = next(table for table in board.tables if table.kind == "conversations")
    (row,) = table.rows
    assert row.badge == "claimed" and not table.best
    assert any("--references" in note for note in board.notes)
    value = row.values["csc_conv_gen/strategy_acc"].value
    if corpus == "all":
        assert value is None and "without such a number: org/fake" in capsys.readouterr().out
    else:
        assert value == pytest.approx(numbers(runs["last"], "csc_conv_gen")["strategy_acc,none"])


def test_diagnosis_counts_known_turns_alone(root, runs, tmp_path):
    board_of(root, runs, "last", tmp_path)
    report = json.loads(next((tmp_path / "models").glob("*.json")).read_text("utf-8"))
    own = next(one for one in report["diagnoses"] if one["task"] == "csc_conv_ref")
    assert sum(map(sum, own["confusion"]["counts"])) == 17
    assert sum(map(sum, own["transitions"]["gold"])) == 17
    assert own["stage_order"]["gold"]["value"] is None
    assert min(length["reference"][1] for length in own["lengths"]) > 0


# What else reads such a corpus


def test_baselines_say_what_they_leave_out(root, tmp_path, capsys):
    words = ["baselines", str(root / "all"), "--train", "demo", "--out", str(tmp_path)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert f"csc_conv_ref is left out: {root / 'all'} holds out turns" in printed
    assert "|majority|csc_conv_gen|strategy_acc|N/A|N/A|" in printed
    assert "|csc_conv_ref|" not in printed
    assert main(["baselines", "demo", "--train", str(root / "all" / "csconv")]) == 1


def test_scoring_again_leaves_them_not_available(root, runs, tmp_path):
    assert main(["score", str(runs["all"].parent), "--out", str(tmp_path)]) == 0
    own = numbers(next(tmp_path.rglob("results_*.json")), "csc_conv_gen")
    assert own["strategy_acc,none"] == own["rouge_l_en,none"] == "N/A"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["review", "export"], "give the dataset that they were held out of"),
        (["build", "hold-out"], "holds its references out already"),
    ],
)
def test_a_verb_that_needs_the_turns_says_so(words, said, root, tmp_path, capsys):
    more = ["--hold-out", str(tmp_path / "x.parquet")] if words[0] == "build" else []
    assert main([*words, str(root / "all"), "--out", str(tmp_path / "out"), *more]) == 1
    assert said in capsys.readouterr().err


def test_statistics_leave_them_out(root, capsys):
    assert main(["stats", str(root / "all")]) == 0
    assert HELD_OUT not in capsys.readouterr().out
