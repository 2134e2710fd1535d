"""A report of an audit is believed where it is made again from its runs and a trusted corpus; every
kind of forgery is refused in its own words. Each is signed again, as a forger would.
"""

import json
import random

import pytest

from benchmarks.planted_customers import planted
from csc_tasks.cli import main
from csc_tasks.corpora import load
from csc_tasks.errors import DataError
from csc_tasks.live import LiveDialogue
from csc_tasks.live.briefs import brief_by_rule
from leaderboard.audit import believing
from leaderboard.audit.believing import believe
from leaderboard.audit.turns import recorded_dialogue
from leaderboard.customer_audit import CustomerAudit, load_audit
from leaderboard.folder import load_board
from leaderboard.reading.audits import CLAIMED, REFUSED, REPEATED
from tests.support.live_runs import write_live

ITEMS = [item for item in load("demo", "csconv", "test").items if item.language == "en"]


def run(root, kind=None, model="org/a"):
    """A live run whose customer says what was recorded, or is planted; its samples file."""
    generator = random.Random(1)
    dialogues = []
    for item in ITEMS:
        one = recorded_dialogue(item, brief_by_rule(item))
        one = planted(kind, one, generator) if kind else one
        dialogues.append(LiveDialogue.from_json(one.to_json() | {"customer": "openai:x"}, "x"))
    (samples,) = write_live(root, model, dialogues, ITEMS).parent.glob("samples_*.jsonl")
    return samples


def audited(samples, out):
    words = ["--simulated", str(samples), "--recorded", "demo", "--out", str(out)]
    assert main(["audit-customer", *words]) == 0
    return load_audit(out)


@pytest.fixture(scope="module")
def human(tmp_path_factory):
    """A run whose customer is like people, and its audit."""
    root = tmp_path_factory.mktemp("human")
    return (samples := run(root / "run")), audited(samples, root / "audit")


@pytest.fixture(scope="module")
def polite(tmp_path_factory):
    """A run whose customer is too polite, and its audit."""
    root = tmp_path_factory.mktemp("polite")
    return (samples := run(root / "run", "polite")), audited(samples, root / "audit")


def forged(audit, **changes):
    """A report with other contents, made to agree with itself."""
    content = audit.model_dump(mode="json") | changes
    return CustomerAudit.model_validate_json(json.dumps(content)).signed()


def passing(audit):
    """The dimensions as if the customer failed on none."""
    good = {"p": 1.0, "adjusted": 1.0, "failed": False}
    return [dimension.model_dump(mode="json") | good for dimension in audit.dimensions]


def report(audit, *samples):
    (made,) = believe([audit], samples, [])
    return made


def test_an_honest_audit_is_made_again_and_stands(human, tmp_path):
    samples, audit = human
    assert (audit.verdict, audit.failed) == ("pass", ())
    made = report(audit, samples)
    assert (made.standing, made.why, made.files) == (REPEATED, "", {samples})
    # The run is known by its content, wherever it lies; what others said is no part of it.
    again = run(tmp_path / "elsewhere")
    assert report(audit, again).files == {again}


def test_a_verdict_that_was_turned_round_is_refused(polite, tmp_path):
    samples, audit = polite
    assert audit.verdict == "fail"
    lie = forged(audit, verdict="pass", failed=(), dimensions=passing(audit))
    # Nothing in the file itself gives it away.
    (tmp_path / "lie.json").write_text(lie.model_dump_json())
    assert load_audit(tmp_path / "lie.json") == lie
    made = report(lie, samples)
    assert made.standing == REFUSED
    assert made.why == (
        f"it says pass, and its conversations give fail on {', '.join(audit.failed)}"
    )
    words = ["collect", str(samples.parent), "--out", str(tmp_path / "board"), "--jobs", "1"]
    assert main([*words, "--audit", str(tmp_path / "lie.json")]) == 0
    board = load_board(tmp_path / "board")
    setting = board.tables[0].setting
    assert setting.audit.startswith("audit refused: it says pass, and its conversations give fail")
    assert setting.audit_page is None and not list((tmp_path / "board").glob("audits/*"))
    assert not any(column.ranked for column in board.tables[0].columns)
    assert any("refused" in note and "it ranks nothing" in note for note in board.notes)


def shorter(audit):
    first, *rest = [dimension.model_dump(mode="json") for dimension in audit.dimensions]
    return [first | {"distance": first["distance"] + 0.3}, *rest]


FORGERIES = {
    "distances": (
        lambda audit: {"dimensions": shorter(audit)},
        "number of turns, distance: it says {:.3g}, and its conversations give {:.3g}",
    ),
    "another customer": (
        lambda audit: {"customer": "openai:good"},
        "it is about openai:good, and its runs were played with openai:x",
    ),
    "more conversations": (
        lambda audit: {"conversations": 60},
        "it says 60 conversations, and its runs have 30",
    ),
    "briefs": (
        lambda audit: {"briefs": "f" * 16},
        "briefs: it says ffffffffffffffff, and its runs have 0123456789abcdef",
    ),
    "prompt": (
        lambda audit: {"customer_prompt": "better"},
        "prompt of the customer: it says better, and its runs have 0123456789abcdef",
    ),
    "corpus": (
        lambda audit: {"corpus": "f" * 16},
        "content of the corpus: it says ffffffffffffffff, and its runs have {corpus}",
    ),
    "endings": (
        lambda audit: {"endings": {"satisfied": 30}},
        "endings: not what its conversations give",
    ),
    "fewer dimensions": (
        lambda audit: {"dimensions": [one.model_dump(mode="json") for one in audit.dimensions[1:]]},
        "it has other dimensions than an audit has",
    ),
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forged_report_is_refused_in_its_own_words(kind, human, monkeypatch):
    samples, audit = human
    # What the audit of these conversations gives is the other tests' matter.
    monkeypatch.setattr(believing, "audit", lambda *_: audit)
    change, sentence = FORGERIES[kind]
    made = report(forged(audit, **change(audit)), samples)
    distance = audit.dimensions[0].distance
    assert (made.standing, made.why) == (
        REFUSED,
        sentence.format(distance + 0.3, distance, corpus=audit.corpus),
    )


def test_conversations_that_were_left_out_are_missed(human, tmp_path, monkeypatch):
    """An audit of the best 12 conversations says so, or is of another run than the whole."""
    samples, audit = human
    few = tmp_path / samples.name
    few.write_text("".join(samples.read_text().splitlines(keepends=True)[:12]))
    (results,) = samples.parent.glob("results_*.json")
    (tmp_path / results.name).write_bytes(results.read_bytes())
    own = audited(few, tmp_path / "own")
    assert own.conversations == 12 and own.verdict == "undecided"
    made = report(own, samples)
    assert (made.standing, made.why) == (CLAIMED, "1 of its 1 runs are not here with their samples")
    monkeypatch.setattr(believing, "audit", lambda *_: audit)
    lie = forged(audit, runs=[run.model_dump() for run in own.runs])
    assert report(lie, few).why == "it says 30 conversations, and its runs have 12"


def test_what_is_not_here_is_claimed(human, tmp_path):
    samples, audit = human
    other = run(tmp_path / "other", "polite")
    made = report(audit, other)
    assert (made.standing, made.why) == (CLAIMED, "1 of its 1 runs are not here with their samples")
    made = report(forged(audit, recorded="f" * 16), samples)
    assert made.standing == CLAIMED
    assert made.why == "no corpus that is trusted here (--corpus) has its recorded conversations"
    assert made.note.startswith(
        "the audit of openai:x: audit claimed, not recomputed: it says audit passed, but no corpus"
    )


def test_a_pass_is_of_its_own_runs_alone(human, tmp_path):
    """The same customer's name, corpus, prompt and briefs, and another run of it."""
    samples, audit = human
    second = run(tmp_path / "second", "polite", "org/b")
    (tmp_path / "audit.json").write_text(audit.model_dump_json())
    words = ["collect", str(samples.parent), str(second.parent), "--out", str(tmp_path / "board")]
    assert main([*words, "--audit", str(tmp_path / "audit.json"), "--jobs", "1"]) == 0
    table = load_board(tmp_path / "board").tables[0]
    assert table.setting.audit == (
        "audit of other runs, passed: it is not of those of org/b; audit them too"
    )
    assert not any(column.ranked for column in table.columns)


@pytest.mark.parametrize("version", [1, 3, "2", None])
def test_an_audit_of_another_version_is_refused(version, human, tmp_path):
    file = tmp_path / "customer_audit.json"
    file.write_text(json.dumps(human[1].model_dump(mode="json") | {"format": version}))
    with pytest.raises(DataError, match=f"made by version {version!r} of the audit; this is versi"):
        load_audit(file)
