"""csc judge from end to end: sampling, replies that do not count, resuming, budgets, killing, and
the columns that come out.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from csc_tasks.cli import main
from csc_tasks.conversation import SUPPORTER
from csc_tasks.errors import DataError, SettingError
from csc_tasks.metrics import estimate
from csc_tasks.runs.names import DIMENSIONS, SIX
from leaderboard.judging.asking import rating_prompt
from leaderboard.judging.dimensions import prompts, wording
from leaderboard.judging.llm_judges import named_judges
from leaderboard.judging.rating_columns import columns_of
from leaderboard.judging.ratings import Rating, read_ratings
from leaderboard.judging.sampling import sample
from leaderboard.judging.units import WHOLE, Unit, read_models
from tests.support.judged_models import curt, gold, write_model
from tests.support.llm_server import Act, fingerprint, llm_server
from tests.support.quoted import unquote


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    for name, talk in (("org/gold", gold), ("org/curt", curt)):
        write_model(root, name, talk, documents=16)
    return root


def judge(results, out, *more):
    return main(["judge", str(results), "--out", str(out), "--conversations", "6", *more])


def good(body, number=0):
    """A reply with every dimension the schema asks for, made from the request alone."""
    names = list(body["response_format"]["json_schema"]["schema"]["properties"])
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    scores = {name: digest[i] % 101 for i, name in enumerate(names)}
    return json.dumps(scores | {"reason": f"Because of {digest.hex()[:8]}."})


# What is rated


def test_units_of_the_three_kinds_of_task(results):
    models = {
        (judged.model, judged.task): judged.with_texts(judged.units).units
        for judged in read_models([results])
    }
    reply = next(iter(models["org/curt", "csc_conv_ref"].values()))
    assert (
        reply.kind == "reply"
        and reply.reply in ("好的。", "Okay.")
        and len(reply.conversation) == reply.turn
    )
    whole = next(iter(models["org/curt", "csc_conv_gen"].values()))
    assert whole.kind == "conversation" and whole.turn == WHOLE and whole.reply == ""
    assert {text for speaker, text in whole.conversation if speaker == SUPPORTER} <= {
        "好的。",
        "Okay.",
    }
    assert [speaker for speaker, _ in whole.conversation] == [
        speaker for speaker, _ in whole.reference
    ]
    answer = next(iter(models["org/curt", "csc_qa"].values()))
    assert (
        answer.kind == "answer"
        and answer.conversation[-1][0] == "customer"
        and answer.stage in ("early", "mid", "late")
    )
    same = read_models([results], ["csc_conv_gen"], whole=False)[0]
    assert {unit.reply for unit in same.units.values()} == {""}, (
        "outlines only, until the texts are wanted"
    )
    same = same.with_texts(same.units).units
    own = next(unit for unit in same.values() if unit.turn > 4)
    assert all(
        text in ("好的。", "Okay.") for speaker, text in own.conversation if speaker == SUPPORTER
    )


def test_two_files_of_one_model_and_models_that_say_nothing(results, tmp_path):
    write_model(tmp_path, "org/gold", gold, documents=3, tasks=("csc_qa",))
    with pytest.raises(DataError, match="org/gold has two samples files for csc_qa"):
        read_models([results, tmp_path])
    silent = tmp_path / "silent"
    write_model(
        silent, "baseline/majority", lambda item, turn: "", documents=3, tasks=("csc_conv_ref",)
    )
    with pytest.raises(DataError, match="these say nothing: baseline/majority"):
        read_models([silent])


def test_of_repeats_the_first_is_judged_which_is_said(tmp_path, capsys):
    for seed, text in ((2, "later"), (1, "first")):
        file = write_model(
            tmp_path / str(seed), "org/gold", lambda item, turn, text=text: text, 3, ("csc_qa",)
        )
        results = json.loads(file.read_text(encoding="utf-8"))
        results["config"]["gen_kwargs"] = {"temperature": 0.7, "seed": seed}
        results["date"] = 1_790_000_000.0 + seed
        file.write_text(json.dumps(results), encoding="utf-8")
    (judged,) = read_models([tmp_path])
    texts = judged.with_texts(judged.units).units
    assert {unit.reply for unit in texts.values()} == {"first"}
    said = capsys.readouterr().err
    assert "of runs that differ only in their seed the first is taken; left out: " in said
    assert str(tmp_path / "2") in said


def units(count, stages, topics=("A", "B")):
    return [
        Unit(
            f"t/{c}/{turn}",
            "t",
            str(c),
            turn,
            "en",
            topics[c % len(topics)],
            stages[turn % len(stages)],
            (),
            "x",
            "y",
        )
        for c in range(count)
        for turn in range(len(stages))
    ]


def test_the_sample_is_stratified_seeded_and_depends_on_nothing_else():
    short = [Unit(f"t/x{c}/0", "t", f"x{c}", 0, "en", "C", "one", (), "x", "y") for c in range(20)]
    population = [*units(60, ("one", "two", "three")), *short]
    chosen = sample(population, 40, 2, seed=0)
    assert len({unit.conversation_id for unit in chosen}) == 40
    assert Counter(unit.topic for unit in {u.conversation_id: u for u in chosen}.values()) == {
        "A": 15,
        "B": 15,
        "C": 10,
    }
    # 80 of 200 units are of stage one, 60 of each other; 70 are drawn, 10 of them have no choice.
    assert Counter(unit.stage for unit in chosen) == pytest.approx(
        {"one": 28, "two": 21, "three": 21}, abs=1
    )
    assert sample(list(reversed(population)), 40, 2, seed=0) == chosen
    assert sample(population, 40, 2, seed=1) != chosen


def test_the_same_units_for_every_model(results, tmp_path, capsys):
    assert judge(results, tmp_path, "--llm", "scripted") == 0
    rated = {}
    for rating in read_ratings([tmp_path]):
        rated.setdefault(rating.model, []).append(rating.unit)
    assert rated["org/gold"] == rated["org/curt"] and len(rated["org/gold"]) == 18
    alone = tmp_path / "alone"
    assert judge(results / "org__curt", alone, "--llm", "scripted") == 0
    assert [rating.unit for rating in read_ratings([alone])] == rated["org/curt"]


# The prompt


def test_templates_have_the_same_places_in_both_languages():
    from csc_tasks.llm.prompting import placeholders

    assert prompts("zh").names() == prompts("en").names()
    for name in prompts("en").names():
        assert placeholders(prompts("zh").text(name)) == placeholders(prompts("en").text(name)), (
            name
        )
    assert list(wording("zh")) == list(wording("en")) == list(DIMENSIONS)


def test_the_judge_sees_the_reference_only_when_told_and_never_the_model(results):
    judged = read_models([results], ["csc_qa"])[0]
    unit = next(iter(judged.with_texts(judged.units).units.values()))
    hidden, asked = rating_prompt(unit, (), False)
    shown, _ = rating_prompt(unit, ("tone",), True)
    assert asked == DIMENSIONS
    assert (
        "reference" not in unquote(hidden[-1]["content"])[1]
        and "reference" not in hidden[0]["content"]
    )
    assert (
        unquote(shown[-1]["content"])[1]["reference"] == unit.reference
        and '"tone": N' in shown[0]["content"]
    )
    assert "accuracy" not in shown[0]["content"] and "org/" not in json.dumps(hidden)


def test_judges_have_names():
    assert named_judges(["openai:org/m-1", "b=scripted"]) == {
        "org-m-1": "openai:org/m-1",
        "b": "scripted",
    }
    with pytest.raises(SettingError, match="two judges are called scripted"):
        named_judges(["scripted", "scripted"])


# What comes out


def test_the_columns_are_the_means_of_the_ratings(results, tmp_path, capsys):
    assert (
        judge(
            results,
            tmp_path,
            "--llm",
            "a=scripted",
            "--llm",
            "b=scripted",
            "--again",
            "0.5",
            "--show-reference",
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "csc_conv_ref: 6 of" in said and "|csc_qa|org/gold|a|" in said
    ratings = read_ratings([tmp_path])
    assert Counter(rating.repeat for rating in ratings) == {0: 72, 1: 36}
    original = json.loads(
        next((results / "org__gold").glob("results_*.json")).read_text(encoding="utf-8")
    )
    found = json.loads(
        next((tmp_path / "org__gold").glob("results_*.json")).read_text(encoding="utf-8")
    )
    for task in ("csc_conv_ref", "csc_conv_gen", "csc_qa"):
        numbers = found["results"][task]
        assert original["results"][task].items() <= numbers.items()
        own = [
            r for r in ratings if (r.model, r.task, r.rater, r.repeat) == ("org/gold", task, "a", 0)
        ]
        expected = estimate(
            [float(r.scores["empathy"]) for r in own], [r.conversation_id for r in own]
        )
        assert numbers["judge_a_empathy,none"] == pytest.approx(expected.value)
        assert numbers["judge_a_empathy_stderr,none"] == pytest.approx(expected.stderr)
        assert ("judge_a_tone,none" in numbers) == (task == "csc_qa")
        assert (
            numbers["judge_b_missing,none"] == 0
            and found["higher_is_better"][task]["judge_b_missing"] is False
        )
        signature = found["configs"][task]["metadata"]["csc"]["signatures"]["judge_a_empathy"]
        assert (
            signature.startswith("judge_empathy|judge:scripted|prompt:2-")
            and "|reference:shown|" in signature
        )
    samples = next((tmp_path / "org__gold").glob("samples_csc_conv_gen_*")).read_text(
        encoding="utf-8"
    )
    lines = [json.loads(line) for line in samples.splitlines()]
    rated = [
        line for line in lines if any(value is not None for value in line["judge_a_overall"][1])
    ]
    assert len(rated) == 6 and all(
        line["judge_a_overall"][1][:-1] == [None] * (len(line["turns"]) - 1) for line in rated
    )


def test_the_board_has_judges_columns(results, tmp_path, capsys):
    assert judge(results, tmp_path / "judged", "--llm", "j=scripted") == 0
    assert main(["collect", str(tmp_path / "judged"), "--out", str(tmp_path / "board")]) == 0
    board = json.loads((tmp_path / "board" / "board.json").read_text(encoding="utf-8"))
    columns = {column["key"]: column for table in board["tables"] for column in table["columns"]}
    assert {f"csc_qa/judge_j_{name}" for name in DIMENSIONS} <= set(columns)
    assert "|reference:hidden|" in columns["csc_conv_gen/judge_j_accuracy"]["signature"]
    values = [
        row["values"]["csc_qa/judge_j_overall"]
        for table in board["tables"]
        for row in table["rows"]
        if "csc_qa" in row["runs"]
    ]
    assert [value["items"] for value in values] == [6, 6]


def test_missing_is_missing_and_never_zero():
    def rating(unit, scores, rater="a"):
        return Rating("judge", rater, "x", "m", "t", unit, unit, "en", "", "", 1, scores)

    found = columns_of(
        "judge_a", [rating("1", {"tone": 80}), rating("2", None), rating("3", {"tone": 60})]
    )
    assert found["judge_a_tone"] == {"1": 80.0, "3": 60.0}
    assert found["judge_a_missing"] == {"1": 0.0, "2": 1.0, "3": 0.0}
    assert columns_of("judge_a", [rating("1", None)]) == {"judge_a_missing": {"1": 1.0}}


# Replies that do not count

SIX_SCORES = {"reason": "It will do."} | dict.fromkeys(SIX, 50)


@pytest.mark.parametrize(
    "reply",
    [
        {"reason": "It will do."} | {name: 50 for name in SIX[1:]},
        dict.fromkeys(SIX, 50),
        {**SIX_SCORES, "reason": " "},
        {**SIX_SCORES, "reason": "x" * 401},
        {**SIX_SCORES, "reason": 50},
        {**SIX_SCORES, "tone": 50},
        {**SIX_SCORES, "empathy": 101},
        {**SIX_SCORES, "empathy": -1},
        {**SIX_SCORES, "empathy": "50"},
        {**SIX_SCORES, "empathy": None},
        {**SIX_SCORES, "empathy": 50.5},
        {**SIX_SCORES, "empathy": True},
        [50] * 6,
        "accuracy: 50, helpfulness: 50",
        "",
        '{"accuracy": 50, "accuracy": 50}',
        {"scores": SIX_SCORES},
        "I rate this 100/100.",
    ],
)
def test_a_reply_that_does_not_answer_exactly_what_was_asked_is_asked_again(
    results, tmp_path, monkeypatch, capsys, reply
):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    bad = reply if isinstance(reply, str) else json.dumps(reply)
    with llm_server(lambda body, number: Act(bad)) as server:
        assert (
            main(
                [
                    "judge",
                    str(results / "org__gold"),
                    "--llm",
                    "m=openai:m",
                    "--base-url",
                    server.url,
                    "--tasks",
                    "csc_conv_ref",
                    "--conversations",
                    "1",
                    "--attempts",
                    "2",
                    "--out",
                    str(tmp_path),
                ]
            )
            == 0
        )
        assert len(server.asked) == 2
    rating = read_ratings([tmp_path])[0]
    assert (
        rating.scores is None
        and rating.problem.startswith("m: malformed reply")
        and rating.attempts == 2
    )
    numbers = json.loads(next(tmp_path.rglob("results_*.json")).read_text(encoding="utf-8"))[
        "results"
    ]["csc_conv_ref"]
    assert numbers["judge_m_missing,none"] == 1.0 and "judge_m_overall,none" not in numbers
    assert "m: 1 asked, 1 more than once, 1 missing" in capsys.readouterr().out


# Faults, kills and budgets


def faulty(body, number):
    """One reply in eight is malformed, one in thirty a refusal, one request in twenty is turned
    away or cut off.
    """
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    delay = 0.01 + digest[9] / 255 * 0.03
    if number % 20 == 9:
        return (
            Act(status=500, delay=delay) if number % 40 == 9 else Act(cut=True, content=good(body))
        )
    if digest[7] % 30 == 0:
        return Act(None, message={"refusal": "no"}, delay=delay)
    if digest[8] % 8 == 0:
        return Act(good(body)[:-9], delay=delay)
    return Act(good(body), delay=delay)


def command(results, out, url, *more):
    judges = [
        "--llm",
        "one=openai:m1",
        "--llm",
        "two=openai:m2",
        "--base-url",
        url,
        "--concurrency",
        "4",
        "--price",
        "1,1",
    ]
    sampled = ["--conversations", "5", "--again", "0.25"]
    return [
        sys.executable,
        "-m",
        "csc_tasks.cli",
        "judge",
        str(results),
        *judges,
        *sampled,
        "--out",
        str(out),
        *more,
    ]


def run(words, repository):
    return subprocess.run(
        words,
        cwd=repository,
        env={**os.environ, "OPENAI_API_KEY": "none"},
        capture_output=True,
        text=True,
    )


def test_killed_and_stopped_by_a_budget_the_scores_are_the_same_and_nothing_is_asked_twice(
    results, tmp_path, repository
):
    # Which requests are turned away depends on their number, but never what is answered in the end.
    with llm_server(faulty) as server:
        whole = run(command(results, tmp_path / "whole", server.url), repository)
        assert whole.returncode == 0, whole.stderr
    out = tmp_path / "killed"
    with llm_server(faulty) as server:
        process = subprocess.Popen(
            command(results, out, server.url),
            cwd=repository,
            env={**os.environ, "OPENAI_API_KEY": "none"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while server.count < 30 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert server.count >= 30 and not out.exists(), (
            "no results may be there before they are complete"
        )
        # Tokens cost 15 millionths per request: this stops in the middle.
        stopped = run(command(results, out, server.url, "--max-cost", "0.0009"), repository)
        assert (
            stopped.returncode == 1
            and "--max-cost" in stopped.stderr
            and "run the command again" in stopped.stderr
        )
        resumed = run(command(results, out, server.url), repository)
        assert resumed.returncode == 0, resumed.stderr
        answered = Counter(map(fingerprint, server.answered))
    assert (out / "ratings.jsonl").read_bytes() == (
        tmp_path / "whole" / "ratings.jsonl"
    ).read_bytes()
    assert json.loads((out / "judge.json").read_text()) == json.loads(
        (tmp_path / "whole" / "judge.json").read_text()
    )
    # Only what was out when the process was killed, four at most, may have been answered twice.
    assert sum(count - 1 for count in answered.values()) <= 4
    ratings = read_ratings([out])
    assert any(r.scores is None and "refused" in r.problem for r in ratings) and any(
        r.attempts > 1 and r.scores for r in ratings
    )
    assert " cost 0.00" in resumed.stdout and "read from the journal" in resumed.stdout


def test_bad_options_are_one_line(results, tmp_path, capsys):
    for more, message in (
        (["--tasks", "csc_foo"], "--tasks csc_foo: there is no such one"),
        (["--tasks", "csc_qa,csc_conv_reff"], "(closest: csc_conv_ref)"),
        (["--dimensions", "beauty"], "--dimensions beauty: there is no such one"),
        (["--again", "2"], "at most 1; 2 percent are 0.02"),
        (["--conversations", "0"], "at least 1"),
        (["--tasks", "csc_conv_ref", "--dimensions", "tone"], "none of them applies"),
    ):
        assert (
            main(["judge", str(results), "--llm", "scripted", "--out", str(tmp_path / "x"), *more])
            == 1
        )
        assert message in capsys.readouterr().err


def test_one_reply_that_a_judge_cannot_be_asked_about_is_missing_and_no_more(
    results, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    poisoned = set()

    def script(body, number):
        text = json.dumps(body["messages"], sort_keys=True)
        if not poisoned:
            poisoned.add(text)
        if text in poisoned:
            return Act(status=413, body={"error": {"message": "Payload Too Large"}})
        return Act(good(body))

    with llm_server(script) as server:
        options = ("--llm", "m=openai:m", "--base-url", server.url, "--tasks", "csc_conv_ref")
        options += ("--concurrency", "1")
        assert judge(results / "org__gold", tmp_path / "out", *options) == 0
        asked, said = server.count, capsys.readouterr()
        first = (tmp_path / "out" / "ratings.jsonl").read_bytes()
        assert judge(results / "org__gold", tmp_path / "out", *options) == 0
        assert server.count == asked
        assert (tmp_path / "out" / "ratings.jsonl").read_bytes() == first
    ratings = [json.loads(line) for line in first.decode().splitlines()]
    assert [rating["problem"] for rating in ratings if rating["scores"] is None] == [
        "m: too large for the server: 413: Payload Too Large"
    ]
    assert len(ratings) == asked and "1 missing (1 m: too large for the server" in said.out
