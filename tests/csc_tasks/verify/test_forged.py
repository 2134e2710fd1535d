"""What somebody may hand in instead of an honest run, and how it is caught: what is named, and that
the number shown is the recomputed one.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from csc_tasks import corpora
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.verify import Trust, Trusted, Verified, trusted_corpora
from tests.support.fakes import gold_replies, sample_questions, write_corpus
from tests.support.handed_in import Forge, forged, hand_in, verdicts
from tests.support.made_results import conversations

TASKS = [
    "csc_conv_ref",
    "csc_qa",
    "cscx_conv_ref_vanilla",
    "cscx_strategy_choice",
    "cscx_conv_ref_forced",
]
SCORED = 60 * 4


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """60 conversations of four scored turns, in two languages."""
    made = [
        *conversations(40),
        *(
            type(one)(f"zh-{one.conversation_id}", "zh", one.topic, one.source, one.dialogue)
            for one in conversations(20)
        ),
    ]
    return write_corpus(tmp_path_factory.mktemp("corpus"), made, sample_questions())


@pytest.fixture(scope="module")
def trusted(corpus):
    return trusted_corpora([str(corpus)])


@pytest.fixture(scope="module")
def honest(corpus, tmp_path_factory):
    """Two of five replies are gold, one is unparsed, the others wrong."""
    gold = gold_replies(corpus)

    def reply(prompt: str) -> str:
        number = hashlib.sha256(prompt.encode()).digest()[0] % 5
        if prompt in gold and number < 2:
            return gold[prompt]
        return "no label" if number == 2 else "[Emotional Management] I am sorry about case 7"

    return hand_in(
        tmp_path_factory.mktemp("run"),
        TASKS,
        reply,
        {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)},
    )


@pytest.fixture
def caught(honest, trusted, tmp_path) -> Callable[..., Verified]:
    """Forges a task's files and returns the verdict, which must contradict `items`, and nothing
    else where `alone`.
    """

    def verdict(
        forge: Forge, *items: str, task: str = "csc_conv_ref", alone: bool = True
    ) -> Verified:
        (verified,) = verdicts(forged(honest, tmp_path, task, forge), trusted).values()
        named = {finding.item for finding in verified.findings if finding.contradicts}
        assert named >= set(items), [finding.line() for finding in verified.findings]
        assert not alone or named == set(items), [f.line() for f in verified.findings]
        return verified

    return verdict


def numbers(text: dict) -> dict:
    (own,) = text["results"].values()
    return own


def csc(text: dict) -> dict:
    (config,) = text["configs"].values()
    return config["metadata"]["csc"]


def accuracy(lines: list[dict]) -> float:
    """By hand, from the records."""
    turns = [turn for line in lines for turn in line["turns"]]
    return sum(turn["strategy"] == turn["gold_strategy"] for turn in turns) / len(turns)


@pytest.fixture(scope="module")
def truth(honest):
    file = next(honest.parent.glob("samples_csc_conv_ref_*"))
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert sum(len(line["turns"]) for line in lines) == SCORED
    return accuracy(lines)


def test_the_honest_run_is_rescored(honest, trusted, truth):
    for verified in verdicts(honest, trusted).values():
        assert verified.findings == () and verified.trust is Trust.RESCORED
    assert 0.2 < truth < 0.7


@pytest.mark.parametrize("value", [42, 1.0, "42", None, [1, 2], 10**300])
def test_items_set_to_something_better(value, caught, truth):
    def forge(text, lines):
        for line in lines:
            line["strategy_acc"][1] = [value] * 4
        numbers(text)["strategy_acc,none"] = value if isinstance(value, float) else 1.0

    verified = caught(forge, "strategy_acc items", "strategy_acc")
    assert verified.number("strategy_acc").shown.value == pytest.approx(truth)
    assert verified.number("strategy_acc").trust is Trust.RESCORED


def test_a_score_out_of_thin_air(caught, honest):
    def forge(text, lines):
        numbers(text)["bleu_4_en,none"] = 61.3

    verified = caught(forge, "bleu_4_en")
    true = json.loads(honest.read_text())["results"]["csc_conv_ref"]["bleu_4_en,none"]
    assert verified.number("bleu_4_en").shown.value == pytest.approx(true)
    (finding,) = verified.findings
    assert finding.claimed == "61.3" and finding.recomputed == f"{true:.6g}"


@pytest.mark.parametrize("samples", [True, False])
def test_an_impossible_value_with_and_without_samples(samples, honest, trusted, tmp_path):
    def forge(text, lines):
        numbers(text)["strategy_acc,none"] = 7.5
        numbers(text)["strategy_acc_stderr,none"] = -0.02

    results = forged(honest, tmp_path, "csc_conv_ref", forge)
    if not samples:
        next(tmp_path.glob("samples_*")).unlink()
    (verified,) = verdicts(results, trusted).values()
    named = [finding.item for finding in verified.findings if finding.contradicts]
    assert {"strategy_acc", "strategy_acc stderr"} == set(named)
    assert verified.trust is (Trust.RESCORED if samples else Trust.CLAIMED)
    assert any("range" in finding.sentence for finding in verified.findings)
    assert any("negative" in finding.sentence for finding in verified.findings)


def keep(lines: list[dict], wanted: Callable[[dict], bool]) -> None:
    lines[:] = [line for line in lines if wanted(line)]


def consistent(text: dict, lines: list[dict]) -> None:
    """What a careful forger also changes: counts, rows, languages and the corpus's hash."""
    csc(text)["rows"] = len(lines)
    csc(text)["languages"] = sorted({line["doc"]["language"] for line in lines})
    csc(text)["content_hash"] = corpora.content_hash(
        [type("Row", (), {"to_row": lambda self, doc=line["doc"]: doc})() for line in lines]
    )
    numbers(text)["turns,none"] = sum(len(line["turns"]) for line in lines)
    for entry in text["n-samples"].values():
        entry |= {"original": len(lines), "effective": len(lines)}


@pytest.mark.parametrize("careful", [False, True])
def test_only_the_easiest_conversations(careful, caught):
    def forge(text, lines):
        lines.sort(key=lambda line: -sum(line["strategy_acc"][1]))
        del lines[20:]
        if careful:
            consistent(text, lines)

    verified = caught(forge, "documents", alone=False)
    assert verified.trust is Trust.CLAIMED


@pytest.mark.parametrize("rows", [-1, 0, 59, 61, 10**300])
def test_a_number_of_rows_that_is_not_theirs(rows, caught):
    def forge(text, lines):
        csc(text)["rows"] = rows

    assert caught(forge, "documents").trust is Trust.CLAIMED


@pytest.mark.parametrize("careful", [False, True])
def test_only_the_easiest_called_a_limit(careful, caught):
    def forge(text, lines):
        lines.sort(key=lambda line: -sum(line["strategy_acc"][1]))
        del lines[20:]
        for entry in text["n-samples"].values():
            entry["effective"] = 20
        numbers(text)["turns,none"] = 80
        if careful:
            text["config"]["limit"] = 20

    assert caught(forge, "documents", alone=False).trust is Trust.CLAIMED


def test_only_the_right_turns(caught):
    def forge(text, lines):
        for line in lines:
            right = [i for i, item in enumerate(line["strategy_acc"][1]) if item]
            for name in ("turns", "resps"):
                line[name] = [line[name][i] for i in right]
            for name in line["metrics"]:
                if name != "turns":
                    line[name][1] = [line[name][1][i] for i in right]
        keep(lines, lambda line: line["turns"])
        numbers(text)["turns,none"] = sum(len(line["turns"]) for line in lines)

    assert caught(forge, "turns", "documents", alone=False).trust is Trust.CLAIMED


def test_a_turn_given_twice(caught):
    def forge(text, lines):
        best = max(lines, key=lambda line: sum(line["strategy_acc"][1]))
        for name in ("turns", "resps"):
            best[name].append(best[name][0])

    assert caught(forge, "turns", alone=False).trust is Trust.CLAIMED


def test_a_conversation_given_twice(caught):
    def forge(text, lines):
        lines[0] = lines[1]

    verified = caught(forge, "documents", alone=False)
    assert any("more than once" in finding.sentence for finding in verified.findings)
    assert verified.trust is Trust.CLAIMED


def test_references_replaced_by_replies(caught, honest):
    def forge(text, lines):
        for line in lines:
            for turn in line["turns"]:
                turn["reference"] = turn["reply"]
                turn["gold_strategy"] = turn["strategy"] or turn["gold_strategy"]

    verified = caught(forge, "reference", "gold_strategy")
    true = json.loads(honest.read_text())["results"]["csc_conv_ref"]["rouge_l_en,none"]
    assert verified.number("rouge_l_en").shown.value == pytest.approx(true)


def test_references_of_questions_replaced_by_replies(caught):
    def forge(text, lines):
        for line in lines:
            line["answers"][0]["reference"] = line["answers"][0]["reply"]

    caught(forge, "reference", task="csc_qa")


def test_another_reference_column_than_there_is(caught):
    def forge(text, lines):
        csc(text)["reference"] = "client_question"

    caught(forge, "reference", task="csc_qa")


@pytest.mark.parametrize("hash_too", [False, True])
def test_edited_dialogues(hash_too, caught):
    """The replies become the references, in the documents as well."""

    def forge(text, lines):
        for line in lines:
            for turn in line["turns"]:
                turn["reference"] = turn["reply"] or "nothing"
                line["doc"]["dialogue"][turn["turn"]]["text"] = turn["reference"]
        if hash_too:
            consistent(text, lines)

    verified = caught(forge, alone=False)
    assert any("not those of the trusted corpus" in f.sentence for f in verified.findings)
    assert verified.trust is Trust.CLAIMED and verified.contradicted


def test_a_corpus_of_ones_own_called_the_demo(honest, tmp_path):
    def forge(text, lines):
        csc(text)["corpus"] = "demo"

    results = forged(honest, tmp_path, "csc_conv_ref", forge)
    (verified,) = verdicts(results, Trusted()).values()
    assert verified.trust is Trust.CLAIMED and verified.contradicted


@pytest.mark.parametrize(
    ("task", "name", "words"),
    [
        ("csc_qa", "strategy_acc", "answers"),
        ("cscx_conv_ref_vanilla", "strategy_acc", "no strategy"),
        ("cscx_conv_ref_vanilla", "unparsed", "no strategy"),
        ("cscx_strategy_choice", "rouge_l_en", "no reply"),
        ("csc_conv_ref", "bleu_4_es", "no document"),
        ("csc_conv_ref", "strategy_acc_norm", "normalised"),
        ("csc_conv_ref", "strategy_acc_en", "by language"),
    ],
)
def test_measured_what_was_not_there(task, name, words, caught):
    def forge(text, lines):
        numbers(text)[f"{name},none"] = 0.9
        numbers(text)[f"{name}_stderr,none"] = 0.01

    verified = caught(forge, name, task=task)
    assert words in verified.findings[0].sentence
    assert verified.number(name).shown.value is None


def test_the_other_way_up(caught):
    def forge(text, lines):
        text["higher_is_better"]["csc_conv_ref"]["strategy_acc"] = False

    caught(forge, "strategy_acc higher_is_better")


def test_more_turns_than_there_are(caught):
    def forge(text, lines):
        numbers(text)["turns,none"] = 1e30

    caught(forge, "turns")


@pytest.mark.parametrize("flag", ["unparsed", "empty", "thinking_cut"])
@pytest.mark.parametrize("value", ["no", 7, None])
def test_a_flag_that_is_none(flag, value, caught):
    def forge(text, lines):
        lines[0]["turns"][0][flag] = value

    caught(forge, flag)


@pytest.mark.parametrize("flag", ["truncated", "history_truncated"])
@pytest.mark.parametrize("value", ["no", 7, -1, [True]])
def test_a_flag_that_only_the_backend_sees(flag, value, caught):
    def forge(text, lines):
        lines[0]["turns"][0][flag] = value

    caught(forge, flag)


def test_a_wrong_turn_called_failed(caught, truth):
    def forge(text, lines):
        turn = next(t for line in lines for t in line["turns"] if t["strategy"] == "EM")
        turn["failed"] = True

    assert caught(forge, "failed").number("strategy_acc").shown.value == pytest.approx(truth)


def test_a_strategy_other_than_the_reply_says(caught, truth):
    def forge(text, lines):
        for line in lines:
            for turn in line["turns"]:
                turn["strategy"] = turn["gold_strategy"]
                turn["stages"] = turn["gold_stages"]
                turn["unparsed"] = False

    verified = caught(forge, "strategy", "stages", "unparsed")
    assert verified.number("strategy_acc").shown.value == pytest.approx(truth)
    assert verified.number("strategy_acc").trust is Trust.RESCORED


def test_a_choice_other_than_its_likelihoods_say(caught):
    def forge(text, lines):
        for line in lines:
            for turn in line["turns"]:
                turn["strategy"] = turn["gold_strategy"]
                turn["stages"] = turn["gold_stages"]

    caught(forge, "strategy", "stages", task="cscx_strategy_choice")


@pytest.mark.parametrize(
    "likelihoods", [None, {}, {"GT": -1.0}, "all", dict.fromkeys(STRATEGY_IDS, "low")]
)
def test_likelihoods_that_are_missing(likelihoods, caught):
    def forge(text, lines):
        lines[0]["turns"][0]["loglikelihoods"] = likelihoods

    verified = caught(forge, "loglikelihoods", task="cscx_strategy_choice")
    assert verified.trust is Trust.CLAIMED


FORCED = "cscx_conv_ref_forced"


def test_a_forced_strategy_other_than_its_likelihoods_say(caught):
    def forge(text, lines):
        for line in lines:
            for turn in line["turns"]:
                turn["strategy"] = turn["gold_strategy"]
                turn["stages"] = turn["gold_stages"]

    caught(forge, "strategy", "stages", task=FORCED)


def test_likelihoods_of_another_choice_than_the_reply_was_begun_with(caught):
    def forge(text, lines):
        for line in lines:
            for turn in line["turns"]:
                turn["strategy"] = gold = turn["gold_strategy"]
                turn["stages"] = turn["gold_stages"]
                turn["loglikelihoods"] = dict.fromkeys(STRATEGY_IDS, -900.0) | {gold: -1.0}

    verified = caught(forge, "prompt", task=FORCED, alone=False)
    words = "the reply is not begun with the strategy that was chosen"
    assert any(words in finding.line() for finding in verified.findings)


@pytest.mark.parametrize("likelihoods", [None, {"GT": -1.0}, "all"])
def test_likelihoods_of_a_forced_choice_that_are_missing(likelihoods, caught):
    def forge(text, lines):
        lines[0]["turns"][0]["loglikelihoods"] = likelihoods

    verified = caught(forge, "strategy", task=FORCED)
    assert verified.trust is Trust.CLAIMED


def test_a_format_rate_where_no_format_decides(caught):
    def forge(text, lines):
        text["results"][FORCED] |= {"format_rate,none": 1.0, "format_rate_stderr,none": 0.0}
        for line in lines:
            line["format_rate"] = [line["doc"]["conversation_id"], [1.0] * len(line["turns"])]

    verified = caught(forge, "format_rate", task=FORCED)
    assert verified.number("format_rate").shown.value is None


@pytest.mark.parametrize("raw", [None, [], [["a"]], "text", [[1], [2], [3], [4]]])
def test_raw_replies_that_are_missing(raw, caught):
    def forge(text, lines):
        for line in lines:
            line["resps"] = raw

    verified = caught(forge, "raw reply")
    assert verified.trust is Trust.CLAIMED


def test_another_corpus_state_or_language_than_the_documents_have(caught):
    def forge(text, lines):
        csc(text)["content_hash"] = "0" * 16
        csc(text)["languages"] = ["en"]

    caught(forge, "content_hash", "languages")


def test_learned_items_out_of_range_or_of_another_mean(caught):
    def forge(text, lines):
        for line in lines:
            count = len(line["turns"])
            line["bertscore_en"] = [line["doc"]["conversation_id"], [42] * count]
            line["bleurt_en"] = [line["doc"]["conversation_id"], [0.5] * count]
        numbers(text)["bertscore_en,none"] = numbers(text)["bleurt_en,none"] = 0.99

    verified = caught(forge, "bertscore_en items", "bleurt_en", "bleurt_en stderr", alone=True)
    assert verified.number("bleurt_en").trust is Trust.CLAIMED
    assert verified.trust is Trust.PARTLY


def test_a_task_that_is_described_as_another(caught):
    def forge(text, lines):
        csc(text)["variant"] = "vanilla"

    assert caught(forge, "task").trust is Trust.CLAIMED


@pytest.mark.parametrize(
    ("key", "value"), [("config", "rolecs"), ("config", "qa"), ("split", "train")]
)
def test_another_split_than_the_task_reads(key, value, caught):
    """Models train on those."""

    def forge(text, lines):
        csc(text)[key] = value

    verified = caught(forge, "corpus")
    assert verified.trust is Trust.CLAIMED and "does not read" in verified.findings[0].sentence


def test_samples_that_cannot_be_read(honest, trusted, tmp_path):
    results = forged(honest, tmp_path, "csc_conv_ref", lambda text, lines: None)
    next(tmp_path.glob("samples_*")).write_text("{broken", encoding="utf-8")
    (verified,) = verdicts(results, trusted).values()
    assert verified.contradicted and verified.trust is Trust.CLAIMED


def test_what_is_shown_in_the_place_of_a_lie_is_in_the_json(caught, truth):
    def forge(text, lines):
        numbers(text)["strategy_acc,none"] = 0.99

    written = json.loads(json.dumps(caught(forge, "strategy_acc").to_json()))
    entry = written["numbers"]["strategy_acc"]
    assert (entry["trust"], entry["claimed"][0]) == ("re-scored", 0.99)
    assert entry["recomputed"][0] == pytest.approx(truth)
    assert Path(written["file"]).name.startswith("results_")
