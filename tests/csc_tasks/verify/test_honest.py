"""Honest runs are never accused: whatever the settings, whoever played them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from csc_tasks import corpora
from csc_tasks.cli import main
from csc_tasks.metrics import METRICS
from csc_tasks.runs.names import task_of
from csc_tasks.verify import Trust, Trusted, Verified, trust_of_run, trusted_corpora
from tests.support.fakes import gold_replies, sample_questions, write_corpus
from tests.support.handed_in import forged, hand_in, verdicts
from tests.support.made_results import conversations

EARLIER = Path(__file__).resolve().parents[2] / "data" / "earlier_run"
TASKS = [
    "csc_conv_ref",
    "csc_conv_gen",
    "csc_qa",
    "cscx_conv_ref_vanilla",
    "cscx_conv_ref_oracle",
    "cscx_strategy_choice",
    "cscx_conv_ref_forced",
    "cscx_conv_gen_forced",
    "cscx_qa_full",
    "cscx_qa_early",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def mixed(corpus):
    """A reply of every kind: gold, unlabelled, empty, thought aloud, cut in a thought, as JSON."""
    gold = gold_replies(corpus)

    def reply(prompt: str) -> str | None:
        said = gold.get(prompt, "[Greeting] Thank you, 三个工作日")
        kinds = (
            said,
            said,
            "just text without a label",
            "",
            None,
            f"<think>what to say?</think>{said}",
            "<think>what to say",
            '{"strategy": "Greeting", "response": "hello there"}',
            f"**{said}**\n",
        )
        return kinds[sum(map(ord, prompt)) % len(kinds)]

    return reply


def settings(corpus: Path, **more) -> dict:
    return {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | more


def assert_rescored(results: Path, trusted: Trusted, count: int) -> None:
    assert_all_rescored(verdicts(results, trusted), count)


def assert_all_rescored(found: Mapping[str, Verified], count: int) -> None:
    assert len(found) == count
    for verified in found.values():
        assert [finding.line() for finding in verified.findings] == [], verified.task
        assert verified.trust is Trust.RESCORED
        assert verified.numbers
        for number in verified.numbers:
            assert number.recomputed is not None
            for ours, theirs in (
                (number.claimed.value, number.shown.value),
                (number.claimed.stderr, number.shown.stderr),
            ):
                assert (ours is None) == (theirs is None)
                assert ours is None or math.isclose(ours, theirs, abs_tol=1e-9)


@pytest.fixture(scope="module")
def whole(corpus, mixed, tmp_path_factory):
    return hand_in(tmp_path_factory.mktemp("whole"), TASKS, mixed, settings(corpus))


def test_every_task_is_rescored(whole, corpus):
    assert_rescored(whole, trusted_corpora([str(corpus)]), len(TASKS))


def test_the_replies_were_of_every_kind(whole):
    """Else the test above would show less than it says."""
    results = json.loads(whole.read_text(encoding="utf-8"))["results"]["csc_conv_ref"]
    for name in ("strategy_acc", "unparsed", "empty", "thinking_cut"):
        assert 0 < results[f"{name},none"] < 1, name


@pytest.mark.parametrize(
    ("more", "limit"),
    [
        ({"csc_subset": 3}, None),
        ({}, 2),
        ({"csc_subset": 3}, 1),
        ({"csc_language": "zh"}, None),
        ({"csc_language": "en", "csc_subset": 2}, 1),
        ({"csc_subset": "2", "csc_qa_reference": "agent_answer", "csc_prompt": "chat"}, None),
        ({"csc_metrics": ["strategy_acc", "rouge_l"]}, None),
    ],
)
def test_a_part_of_the_corpus_is_rescored(more, limit, corpus, mixed, tmp_path):
    tasks = ["csc_conv_ref", "csc_qa"]
    results = hand_in(tmp_path, tasks, mixed, settings(corpus, **more), limit)
    assert_rescored(results, trusted_corpora([str(corpus)]), 2)


def test_settings_from_the_environment_are_not_in_the_file(corpus, mixed, tmp_path, monkeypatch):
    monkeypatch.setenv("CSC_LANGUAGE", "en")
    monkeypatch.setenv("CSC_SUBSET", "2")
    results = hand_in(tmp_path, ["csc_conv_ref"], mixed, settings(corpus))
    metadata = json.loads(results.read_text())["configs"]["csc_conv_ref"]["metadata"]
    assert "csc_subset" not in metadata and metadata["csc"]["rows"] == 2
    assert_rescored(results, trusted_corpora([str(corpus)]), 1)


def test_a_run_scored_again_is_rescored(whole, corpus, tmp_path):
    assert main(["score", str(whole.parent), "--out", str(tmp_path)]) == 0
    files = sorted(tmp_path.rglob("results_*.json"))
    assert len(files) == len(TASKS)
    for file in files:
        assert_rescored(file, trusted_corpora([str(corpus)]), 1)


def test_a_limited_run_scored_again_is_rescored(corpus, mixed, tmp_path):
    """Of one conversation there is one language left, and names without it."""
    results = hand_in(tmp_path / "run", ["csc_conv_ref"], mixed, settings(corpus), 1)
    assert main(["score", str(results.parent), "--out", str(tmp_path / "again")]) == 0
    (again,) = (tmp_path / "again").rglob("results_*.json")
    names = json.loads(again.read_text(encoding="utf-8"))["results"]["csc_conv_ref"]
    assert "bleu_4,none" in names and "bleu_4_zh,none" in names
    assert_rescored(again, trusted_corpora([str(corpus)]), 1)


def test_the_run_of_an_earlier_version_is_rescored(tmp_path):
    for task, name in (("csc_conv_gen", "csconv"), ("csc_qa", "qa")):
        file = next(EARLIER.glob(f"samples_{task}_*.jsonl"))
        assert task_of(file) == task
        docs = [json.loads(line)["doc"] for line in file.read_text(encoding="utf-8").splitlines()]
        (tmp_path / name).mkdir()
        (tmp_path / name / "test.jsonl").write_text(
            "".join(json.dumps(doc) + "\n" for doc in docs), encoding="utf-8"
        )
    found = verdicts(next(EARLIER.glob("results_*")), trusted_corpora([str(tmp_path)]))
    moved = found.pop("cscx_strategy_choice")
    assert_all_rescored(found, 2)
    # Its version has moved since, and no other.
    assert moved.trust is Trust.CLAIMED and not moved.contradicted
    assert [finding.line() for finding in moved.findings] == [
        "note: cscx_strategy_choice version: made with task version 2.0; this is 2.1"
    ]


def test_a_failed_turn_is_no_lie(whole, corpus, tmp_path):
    """As play books it: no reply, and why; its metrics by csc score."""

    def fail(text: dict, lines: list[dict]) -> None:
        lines[0]["resps"][0] = [""]
        lines[0]["turns"][0] |= {
            "reply": "",
            "strategy": None,
            "stages": [],
            "unparsed": True,
            "empty": True,
            "thinking_cut": False,
            "failed": True,
            "failure": "HTTP 500",
        }

    results = forged(whole, tmp_path / "failed", "csc_conv_ref", fail)
    assert main(["score", str(results.parent), "--out", str(tmp_path / "again")]) == 0
    (again,) = (tmp_path / "again").rglob("results_*.json")
    (verified,) = verdicts(again, trusted_corpora([str(corpus)])).values()
    assert verified.findings == ()
    assert verified.number("failed").shown.value == pytest.approx(1 / 22)


def test_ranks_may_leave_lines_in_any_order(whole, corpus, tmp_path):
    results = forged(whole, tmp_path, "csc_conv_ref", lambda text, lines: lines.reverse())
    assert_rescored(results, trusted_corpora([str(corpus)]), 1)


def test_a_real_model_on_the_demo_needs_no_corpus(tmp_path):
    """lm_eval's hf backend with a chat template; the demo is always trusted."""
    pytest.importorskip("transformers")
    from lm_eval.models.huggingface import HFLM

    from tests.support.play_models import random_model

    model = HFLM(
        pretrained=str(random_model(tmp_path / "model", positions=8192)), device="cpu", batch_size=4
    )
    tasks = ["csc_conv_gen", "csc_qa"]
    more = {"csc_subset": 2, "csc_corpus": "demo", "csc_qa_corpus": "demo"}
    results = hand_in(tmp_path / "out", tasks, str, more, model=model)
    assert_rescored(results, Trusted(), 2)


def test_learned_metrics_are_claimed_and_the_rest_rescored(whole, corpus, tmp_path):
    """A learned metric whose value is the mean of its items."""

    def add(text: dict, lines: list[dict]) -> None:
        items = []
        for line in lines:
            own = [0.25 if record["reply"] else 0.75 for record in line["answers"]]
            line["bertscore_en"] = [line["doc"]["conversation_id"], own]
            items += own
        made = METRICS["bertscore"].estimate(
            items, [line["doc"]["conversation_id"] for line in lines]
        )
        text["results"]["csc_qa"] |= {
            "bertscore_en,none": made.value,
            "bertscore_en_stderr,none": made.stderr,
        }

    results = forged(whole, tmp_path, "csc_qa", add)
    (verified,) = verdicts(results, trusted_corpora([str(corpus)])).values()
    assert verified.findings == () and verified.trust is Trust.PARTLY
    assert verified.number("bertscore_en").trust is Trust.CLAIMED
    assert verified.number("rouge_l_en").trust is Trust.RESCORED
    assert trust_of_run([verified]) is Trust.PARTLY


def test_without_a_trusted_corpus_or_samples_a_run_is_claimed_and_not_accused(
    whole, corpus, tmp_path
):
    other = write_corpus(tmp_path / "other", conversations(3), sample_questions()[:1])
    for trusted in (Trusted(), trusted_corpora([str(other / "csconv" / "test.jsonl")])):
        verified = verdicts(whole, trusted)["csc_conv_ref"]
        assert verified.trust is Trust.CLAIMED and not verified.contradicted
        assert all(number.recomputed is not None for number in verified.numbers)
    bare = forged(whole, tmp_path / "bare", "csc_conv_ref", lambda text, lines: None)
    next(bare.parent.glob("samples_*")).unlink()
    verified = verdicts(bare, trusted_corpora([str(corpus)]))["csc_conv_ref"]
    assert verified.trust is Trust.CLAIMED and not verified.contradicted
    assert [finding.item for finding in verified.findings] == ["samples"]
    assert {number.recomputed for number in verified.numbers} == {None}


def test_a_run_of_named_turns_is_no_measurement_and_not_accused(corpus, mixed, tmp_path):
    item = corpora.load(str(corpus), "csconv", "test").items[0]
    named = [f"{item.conversation_id}/{turn}" for turn in item.scored_turns()[1:3]]
    more = settings(corpus, csc_turns=named)
    results = hand_in(tmp_path, ["csc_conv_ref"], mixed, more)
    (verified,) = verdicts(results, trusted_corpora([str(corpus)])).values()
    assert verified.trust is Trust.CLAIMED and not verified.contradicted
    assert json.loads(results.read_text())["results"]["csc_conv_ref"]["turns,none"] == 2


def test_baselines_are_rescored_from_their_replies_and_older_ones_not_accused(corpus, tmp_path):
    assert main(["baselines", str(corpus), "--train", "demo", "--out", str(tmp_path)]) == 0
    files = sorted(tmp_path.rglob("results_*.json"))
    for file in files:
        for verified in verdicts(file, trusted_corpora([str(corpus)])).values():
            assert verified.trust is Trust.RESCORED and verified.proven and not verified.findings
    # Baselines of earlier versions logged no replies.
    for samples in tmp_path.rglob("samples_*.jsonl"):
        lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
        for line in lines:
            del line["resps"]
        samples.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    names = set()
    for file in files:
        for verified in verdicts(file, trusted_corpora([str(corpus)])).values():
            assert verified.trust is Trust.CLAIMED
            assert [f.item for f in verified.findings if f.item != "baseline"] == []
            assert all(number.recomputed is not None for number in verified.numbers)
            names.add(verified.model)
    assert names == {
        f"baseline/{name}"
        for name in ("majority", "bigram", "position", "share", "customer", "combined", "echo")
    }


def test_another_task_version_is_claimed_and_not_accused(whole, corpus, tmp_path):
    def older(text: dict, lines: list[dict]) -> None:
        text["configs"]["csc_conv_ref"]["metadata"]["version"] = 1.0
        lines[0]["turns"][0]["strategy"] = "GT"

    results = forged(whole, tmp_path, "csc_conv_ref", older)
    (verified,) = verdicts(results, trusted_corpora([str(corpus)])).values()
    assert verified.trust is Trust.CLAIMED and not verified.contradicted
