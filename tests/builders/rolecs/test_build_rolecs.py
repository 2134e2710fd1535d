"""csc build rolecs from end to end with the scripted stand-in: the folder, subsets, resuming,
killing, and models that answer garbage.
"""

import contextlib
import json
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest

from builders.review.judged import read_judged
from builders.rolecs import filters
from builders.rolecs.pool import read_pool
from builders.scripted import roles as scripted_roles
from builders.scripted.phrases import bank
from builders.scripted.player import begin
from builders.scripted.reading import read_back
from csc_tasks.cli import main
from csc_tasks.conversation import SUPPORTER, Conversation
from csc_tasks.errors import DataError
from csc_tasks.framework import TOPICS
from csc_tasks.llm.backends import register_scripted
from csc_tasks.llm.client import LLM
from csc_tasks.llm.exchange import Request
from tests.support.llm_server import Act, fingerprint, first_asked, llm_server

ROOT = Path(__file__).resolve().parents[3]
PARQUET = "rolecs/train-00000-of-00001.parquet"

LANGUAGES = ("zh", "en")


def build(out, *options, llm="scripted"):
    """Run the command in this process; returns its exit status."""
    return main(["build", "rolecs", "--llm", llm, "--out", str(out), *map(str, options)])


def rows_of(out):
    return pyarrow.parquet.read_table(out / PARQUET, partitioning=None).to_pylist()


def record_of(out):
    return json.loads((out / "build.json").read_text(encoding="utf-8"))


def files_of(out):
    """Everything but run.json, which may differ."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != "run.json"
    }


def journal_rows(path, where="1"):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as database:
        return database.execute(
            f"SELECT key, state, tries, last_sent, stage FROM requests WHERE {where}"
        ).fetchall()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build of 30 conversations in both languages."""
    out = tmp_path_factory.mktemp("rolecs") / "set"
    assert build(out, "--limit", 30) == 0
    return out


def test_the_folder_holds_sound_role_played_conversations(built):
    rows = rows_of(built)
    assert len(rows) == 30 and {row["language"] for row in rows} == {"zh", "en"}
    for row in rows:
        conversation = Conversation.from_row(row, "row")
        assert filters.first_reason(conversation) is None
        assert conversation.profile and conversation.scenario and conversation.goal
        used = [turn.strategy for turn in conversation.dialogue if turn.speaker == SUPPORTER]
        assert (
            used[:2] == ["GT", "IV"]
            and used[-1] == "AC"
            and conversation.dialogue[-1].speaker == SUPPORTER
        )
    assert [row["conversation_id"] for row in rows] == sorted(
        {row["conversation_id"] for row in rows}
    )


def test_what_was_made_is_in_build_json_and_on_the_card(built):
    record = record_of(built)
    assert record["counts"]["conversations_tried"] == record["counts"]["conversations_kept"] == 30
    assert record["counts"]["pairs_of_topic_and_profile"] == 7 * 40 * 2
    assert sum(record["counts"]["conversations_ended_by"].values()) == 30
    assert set(record["models"]) == {
        "planner",
        "supporter_assistant",
        "supporter",
        "customer_assistant",
        "customer",
        "judge",
    }
    assert set(record["models"].values()) == {"scripted"}
    assert len(record["prompts"]) == 12 and all(
        re.fullmatch("[0-9a-f]{16}", digest) for digest in record["prompts"].values()
    )
    assert "seconds" in json.loads(
        (built / "run.json").read_text()
    ) and "seconds" not in json.dumps(record)
    card = (built / "README.md").read_text(encoding="utf-8")
    assert (
        "license: other" in card
        and "offline stand-ins" in card
        and "conversations tried: 30" in card
    )


def test_the_set_loads_as_a_corpus(built):
    from csc_tasks.corpora import load

    corpus = load(str(built), "rolecs", "train")
    assert len(corpus.items) == 30 and not corpus.counts
    assert {item.topic for item in corpus.items} <= set(TOPICS) - {"Others"}


def test_a_second_run_asks_nothing_and_changes_nothing(built, capsys):
    before, sent = files_of(built), journal_rows(built.with_name("set.journal.sqlite"))
    assert build(built, "--limit", 30) == 0
    assert files_of(built) == before
    assert journal_rows(built.with_name("set.journal.sqlite")) == sent
    assert json.loads((built / "run.json").read_text())["requests_sent"] == 0


def test_a_smaller_limit_is_a_part_of_a_larger_one(built, tmp_path):
    assert build(tmp_path / "small", "--limit", 10) == 0
    small, large = (
        {json.dumps(row, sort_keys=True) for row in rows_of(out)}
        for out in (tmp_path / "small", built)
    )
    assert len(small) == 10 and small < large


def test_the_limit_counts_what_is_kept(tmp_path, monkeypatch, capsys):
    """A third of the conversations is dropped; the limit is reached all the same, and the smaller
    set is a part of the larger.
    """
    judge = scripted_roles.judge

    def stern(request):
        return (
            judge(request).replace('"natural": true', '"natural": false')
            if int(request.item_id[-1], 16) % 3 == 0
            else judge(request)
        )

    monkeypatch.setattr(scripted_roles, "judge", stern)
    register_scripted("judge", stern)
    try:
        for limit in (8, 16):
            assert build(tmp_path / str(limit), "--limit", limit, "--language", "en") == 0
    finally:
        register_scripted("judge", judge)
    found = {
        limit: {row["conversation_id"] for row in rows_of(tmp_path / str(limit))}
        for limit in (8, 16)
    }
    assert len(found[8]) == 8 and len(found[16]) == 16 and found[8] < found[16]
    counts = record_of(tmp_path / "16")["counts"]
    dropped = counts["conversations_dropped"]["judge: not all five criteria hold"]
    assert dropped > 0 and counts["conversations_tried"] == 16 + dropped
    assert counts["judge_said_no_to"] == {"natural": dropped}
    assert (
        f"conversations dropped: {dropped} judge: not all five criteria hold"
        in capsys.readouterr().out
    )


def test_a_limit_that_cannot_be_reached_says_so(tmp_path, capsys):
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"language": "en", "profile": "The customer is a nurse."}) + "\n")
    assert build(tmp_path / "set", "--limit", 99, "--language", "en", "--profiles", pool) == 0
    assert (
        "Only 7 of the 99 asked for: all 7 pairs of topic and profile were tried."
        in capsys.readouterr().out
    )
    assert Counter(row["topic"] for row in rows_of(tmp_path / "set")) == {
        topic: 1 for topic in TOPICS if topic != "Others"
    }
    assert {row["profile"] for row in rows_of(tmp_path / "set")} == {"The customer is a nurse."}


def test_another_seed_makes_other_conversations_of_the_same_pairs(built, tmp_path):
    assert build(tmp_path / "set", "--limit", 10, "--seed", 1) == 0
    first, other = rows_of(built), rows_of(tmp_path / "set")
    assert not {row["conversation_id"] for row in first} & {row["conversation_id"] for row in other}
    assert {(row["topic"], row["profile"]) for row in other} < {
        (row["topic"], row["profile"]) for row in first
    }


@pytest.mark.parametrize(
    ("roles", "stages"),
    [
        ("no-assistant", {"planner", "supporter", "customer_assistant", "customer", "judge"}),
        ("none", {"writer", "judge"}),
    ],
)
def test_the_baselines_of_table_7(tmp_path, roles, stages):
    assert (
        build(
            tmp_path / "set",
            "--limit",
            12,
            "--roles",
            roles,
            *(["--examples", "demo"] if roles == "none" else []),
        )
        == 0
    )
    record = record_of(tmp_path / "set")
    assert set(record["models"]) == stages and record["settings"]["roles"] == roles
    assert {stage for *_, stage in journal_rows(tmp_path / "set.journal.sqlite")} == stages
    assert len(rows_of(tmp_path / "set")) == 12
    assert len(record["settings"].get("examples", ())) == (4 if roles == "none" else 0)


def test_the_stand_in_chooses_worse_without_an_assistant_and_worst_without_roles(built, tmp_path):
    """The opening is a greeting and an identity check; a greeting later on fits nothing that a
    customer says.
    """
    found = {"full": rows_of(built)}
    for roles, *options in (("no-assistant",), ("none", "--examples", "demo")):
        assert build(tmp_path / roles, "--limit", 40, "--roles", roles, *options) == 0
        found[roles] = rows_of(tmp_path / roles)
    later = {
        roles: [
            turn["strategy"]
            for row in rows
            for turn in row["dialogue"][1:]
            if turn["speaker"] == "supporter"
        ]
        for roles, rows in found.items()
    }
    greets = {roles: used.count("GT") / len(used) for roles, used in later.items()}
    assert greets["full"] == 0 < greets["no-assistant"] < greets["none"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--roles", "none"], "--roles none needs --examples CORPUS"),
        (["--examples", "demo"], "--examples belongs to --roles none"),
        (["--roles", "none", "--examples", "demo", "--shots", "0"], "--shots 0: at least 1"),
        (["--topics", "Complaints"], "there is no topic 'Complaints'"),
        (["--limit", "0"], "--limit 0: at least 1"),
        (["--profiles", "missing.jsonl"], "missing.jsonl: there is no such file"),
        (["--llm", "writer=scripted:"], "there is no stage 'writer'"),
    ],
)
def test_misuse_is_one_line(tmp_path, capsys, options, said):
    assert build(tmp_path / "set", *options) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: broken JSON"),
        ('{"language": "xx", "profile": "x"}', "line 2: found"),
        ('{"language": "zh"}', "line 2: found"),
        ('{"language": "zh", "profile": " "}', "line 2: found"),
        ("[1]", "line 2: found"),
    ],
)
def test_a_line_that_is_no_profile_is_named(tmp_path, line, said):
    pool = tmp_path / "pool.jsonl"
    pool.write_text(
        json.dumps({"language": "zh", "profile": "她是护士。"}) + f"\n{line}\n", encoding="utf-8"
    )
    with pytest.raises(DataError, match=said):
        read_pool(str(pool), ["zh"], Counter())


def test_a_pool_is_read_once_each_and_needs_every_language(tmp_path):
    pool = tmp_path / "profiles.jsonl"
    lines = [
        json.dumps({"language": "zh", "profile": text})
        for text in ("她是护士。", "她是护士。", "他是  司机。")
    ]
    pool.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert [profile.text for profile in read_pool(str(tmp_path), ["zh"], Counter())] == [
        "她是护士。",
        "他是 司机。",
    ]
    with pytest.raises(DataError, match="holds no profile in 'en'"):
        read_pool(str(pool), LANGUAGES, Counter())


def pool_of(folder, *texts):
    pool = folder / "pool.jsonl"
    pool.write_text(
        "".join(json.dumps({"language": "en", "profile": text}) + "\n" for text in texts)
    )
    return pool


def test_profiles_in_the_second_person_are_left_out_and_counted(tmp_path, capsys):
    pool = pool_of(tmp_path, "You are a nurse.", "The customer drives a taxi.", "Your son calls.")
    assert build(tmp_path / "set", "--language", "en", "--profiles", pool) == 0
    assert "profiles left out: 2 in the second person" in capsys.readouterr().out
    assert {row["profile"] for row in rows_of(tmp_path / "set")} == {"The customer drives a taxi."}
    record = record_of(tmp_path / "set")
    assert record["counts"]["profiles_left_out"] == {"in the second person": 2}
    assert record["profiles"]["count"] == 1


def test_a_pool_in_the_second_person_alone_is_refused(tmp_path, capsys):
    pool = pool_of(tmp_path, "You are a nurse.")
    assert build(tmp_path / "set", "--language", "en", "--profiles", pool) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {pool}: every profile in 'en' is in the second person (the first says 'You': 'You"
        " are a nurse.'); csc build profiles writes them in the third person"
    )


def test_what_the_judge_said_lies_beside_the_set(tmp_path, capsys):
    def judge(request):
        verdict = json.loads(scripted_roles.judge(request))
        odd = int(request.item_id[-1], 16) % 2
        return json.dumps(verdict | {"natural": not odd, "reason": f"REASON {request.item_id}"})

    pool = pool_of(tmp_path, "The customer drives a taxi.", "The customer is a nurse.")
    register_scripted("judge", judge)
    try:
        assert build(tmp_path / "set", "--language", "en", "--profiles", pool) == 0
    finally:
        register_scripted("judge", scripted_roles.judge)
    assert f"what the judge said in {tmp_path / 'set'}.judged.jsonl" in capsys.readouterr().out
    judged = read_judged(tmp_path / "set")
    kept = {row["conversation_id"] for row in rows_of(tmp_path / "set")}
    assert kept and kept == {one.conversation_id for one in judged if not one.failed}
    dropped = [one for one in judged if one.failed]
    counts = record_of(tmp_path / "set")["counts"]
    assert len(dropped) == counts["conversations_dropped"]["judge: not all five criteria hold"] > 0
    for one in dropped:
        assert one.stage == "judge" and "natural" in one.failed and len(one.turns) > 7
        assert int(one.reason[-1], 16) % 2 and one.reason.startswith("REASON rolecs-")
    assert all(
        one.reason.startswith("REASON ") and one.turns == () for one in judged if not one.failed
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_stand_in_has_words_for_everything_its_customers_do(language):
    """Each act of the scripted customer has one direction, and each direction means one act."""
    directions = scripted_roles.words(language)["directions"]
    assert len(set(directions.values())) == len(directions)
    scenarios = [
        scripted_roles.plan(f"{number}", language, problem)
        for problem in bank(language).problems
        for number in range(40)
    ]
    assert {act for scenario in scenarios for act in begin(scenario).agenda} <= directions.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_stand_in_finds_its_case_again_and_plays_the_profile(language):
    """The supporter's side never sees the profile; it must speak of the same customer all the
    same.
    """
    for number, profile in enumerate(read_pool("demo", [language], Counter())):
        customer = scripted_roles.who(language, profile.text, "profile")
        topic = TOPICS[number % 7]
        found = scripted_roles.case(f"item{number}", language, topic, 0, customer)
        again = scripted_roles.case_behind(
            f"item{number}", language, scripted_roles.case_text(found)
        )
        assert scripted_roles.case_text(again) == scripted_roles.case_text(found)
        assert (
            again.slots["title"] == customer["title"]
            and again.topic == topic
            and customer["title"] in profile.text
        )


def test_garbage_at_one_stage_drops_that_conversation_and_no_other(tmp_path, capsys):
    customer = scripted_roles.customer

    def sometimes(request):
        return (
            "Sure! Here is what I would say."
            if request.item_id[-1] in "0123"
            else customer(request)
        )

    register_scripted("customer", sometimes)
    try:
        assert build(tmp_path / "set", "--language", "zh", "--topics", "产品咨询") == 0
    finally:
        register_scripted("customer", customer)
    counts = record_of(tmp_path / "set")["counts"]
    assert (
        counts["conversations_tried"] == 40
        and 0 < counts["conversations_dropped"]["customer: malformed reply"] < 40
    )
    assert (
        counts["conversations_kept"]
        == 40 - sum(counts["conversations_dropped"].values())
        == len(rows_of(tmp_path / "set"))
    )


GARBAGE = [
    "lorem ipsum 的的的 <|im_end|>",
    "",
    '{"scenario": "cut',
    "[1, 2",
    "{}",
    '```json\n{"reply": 1}\n```',
    "<think>endless",
    "null",
]


def test_a_server_that_answers_garbage_leaves_nothing_and_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"language": "en", "profile": "The customer is a nurse."}) + "\n")
    with llm_server(lambda body, number: Act(GARBAGE[number % len(GARBAGE)])) as server:
        status = build(
            tmp_path / "set",
            "--base-url",
            server.url,
            "--language",
            "en",
            "--profiles",
            pool,
            llm="openai:tiny",
        )
    error = capsys.readouterr().err.splitlines()[-1]
    assert status == 1
    assert (
        error
        == "error: none of the 7 conversations can be used, so nothing was written; dropped: 7"
        " planner: malformed reply"
    )
    assert server.count == 7 * 3 and not (tmp_path / "set").exists()
    states = journal_rows(tmp_path / "set.journal.sqlite")
    assert len(states) == 21 and {state for _, state, *_ in states} == {"done"}


def test_a_server_that_refuses_everything_is_counted_too(tmp_path, capsys):
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"language": "en", "profile": "The customer is a nurse."}) + "\n")
    with llm_server(
        lambda body, number: Act(None, message={"refusal": "I cannot help with that."})
    ) as server:
        status = build(
            tmp_path / "set",
            "--base-url",
            server.url,
            "--language",
            "en",
            "--profiles",
            pool,
            llm="openai:tiny",
        )
    assert status == 1 and "dropped: 7 planner: refused" in capsys.readouterr().err


STAND_INS = {  # stage -> its prompts
    "planner": ("rolecs_planner",),
    "supporter_assistant": ("rolecs_supporter_assistant",),
    "supporter": ("rolecs_supporter",),
    "customer_assistant": ("rolecs_customer_assistant",),
    "customer": ("rolecs_customer",),
    "judge": ("rolecs_judge",),
}
FAULTS = (
    lambda right: Act(status=500),
    lambda right: Act(drop=True),
    lambda right: Act(right, cut=True),
    lambda right: Act(status=429, headers={"Retry-After": "0"}),
    lambda right: Act(right[: len(right) // 2]),
    lambda right: Act(f"Certainly! {right} I hope this helps."),
    lambda right: Act(
        right.replace("false", '"false"').replace("true", "1").replace('": "', '": ["')
    ),
    lambda right: Act(None, choices=[]),
    lambda right: Act(f"<think>Hm, {{</think>\n```json\n{right}\n```"),
)


def over_http(faulty):
    """A server that plays every role by the stand-in; `faulty`: for every third prompt something
    goes wrong when it comes first.
    """
    seen = set()

    def script(body, number):
        messages = first_asked(body["messages"])
        for stage, names in STAND_INS.items():
            with contextlib.suppress(DataError):
                read_back(messages, *names)
                right = getattr(scripted_roles, stage)(
                    Request(stage, "one id for all", 0, 0, messages)
                )
        asked = fingerprint(messages)
        first = asked not in seen
        seen.add(asked)
        draw = int(asked[:8], 16)
        return (
            FAULTS[draw // 3 % len(FAULTS)](right)
            if faulty and first and draw % 3 == 0
            else Act(right)
        )

    return script


def test_a_server_with_faults_gives_the_same_set_as_one_without(tmp_path, capsys, monkeypatch):
    """Real sockets: storms, dropped connections, cut bodies, prose around JSON, wrong types;
    nothing of it is in the data.
    """
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setitem(LLM.__init__.__kwdefaults__, "first_pause", 0.01)
    pool = tmp_path / "pool.jsonl"
    pool.write_text(
        "".join(
            json.dumps({"language": p.language, "profile": p.text}) + "\n"
            for p in read_pool("demo", LANGUAGES, Counter())[::40]
        )
    )
    for name, faulty in (("plain", False), ("faulty", True)):
        with llm_server(over_http(faulty)) as server:
            assert (
                build(tmp_path / name, "--base-url", server.url, "--profiles", pool, llm="openai:m")
                == 0
            )
    counts = record_of(tmp_path / "plain")["counts"]
    assert counts["conversations_tried"] == 14 and counts["conversations_kept"] >= 10
    run = json.loads((tmp_path / "faulty" / "run.json").read_text())
    assert {"server", "transport", "busy"} <= run["failures"].keys() and sum(
        stage["malformed"] for stage in run["stages"].values()
    ) > 20
    assert files_of(tmp_path / "plain") == files_of(tmp_path / "faulty")


def test_a_wrong_key_stops_the_build_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    with llm_server(lambda body, number: Act(status=401)) as server:
        assert (
            build(tmp_path / "set", "--base-url", server.url, "--concurrency", 2, llm="openai:m")
            == 1
        )
        assert server.count <= 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ") and "401" in error and "secret" not in error
    assert not (tmp_path / "set").exists()


def test_a_stopped_build_goes_on_in_the_middle_of_a_dialogue(tmp_path, capsys):
    """Stopped twice by the request limit, then finished: the same bytes, and every request sent
    once.
    """
    options = ["--limit", 6, "--language", "en"]
    assert build(tmp_path / "whole", *options) == 0
    for most in (40, 120):
        assert build(tmp_path / "set", *options, "--max-requests", most) == 1
        assert f"--max-requests is {most}" in capsys.readouterr().err
        assert not (tmp_path / "set").exists()
        stages = Counter(stage for *_, stage in journal_rows(tmp_path / "set.journal.sqlite"))
        assert stages["judge"] < 6 and sum(stages.values()) == most
    assert build(tmp_path / "set", *options) == 0
    assert files_of(tmp_path / "set") == files_of(tmp_path / "whole")
    assert {tries for _, _, tries, *_ in journal_rows(tmp_path / "set.journal.sqlite")} == {1}


def start(out, limit):
    """The build in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "builders.rolecs.build",
        "--llm",
        "scripted",
        "--out",
        out,
        "--limit",
        limit,
        "--concurrency",
        4,
    ]
    return subprocess.Popen(
        list(map(str, command)),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def done_rows(journal):
    """key -> (tries, last sent) of the requests that are answered; {} before the journal is
    there.
    """
    try:
        return {
            key: (tries, sent) for key, _, tries, sent, _ in journal_rows(journal, "state = 'done'")
        }
    except sqlite3.OperationalError:
        return {}


def killed_and_finished(tmp_path, limit, moments):
    """Kill the build at each moment (a function that waits, given the process and the journal),
    then let it end; check the promises.
    """
    whole, out = tmp_path / "whole", tmp_path / "killed" / "set"
    out.parent.mkdir()
    journal = out.with_name("set.journal.sqlite")
    assert build(whole, "--limit", limit) == 0
    answered, alive = {}, 0
    for wait in moments:
        process = start(out, limit)
        wait(process, journal)
        alive += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = done_rows(journal)
        assert answered.items() <= now.items(), "a request that was answered was asked again"
        answered = now
    process = start(out, limit)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    final = done_rows(journal)
    assert answered.items() <= final.items()
    assert (
        len(final)
        == len(journal_rows(journal))
        == len(journal_rows(tmp_path / "whole.journal.sqlite"))
    )
    # Only what was in flight at a kill, four requests at most, is asked a second time.
    assert sum(tries - 1 for tries, _ in final.values()) <= 4 * len(moments)
    assert files_of(out) == files_of(whole)
    return alive


def until_rows(count):
    """Wait until the journal holds so many answers."""

    def wait(process, journal):
        deadline = time.monotonic() + 30
        while (
            process.poll() is None
            and time.monotonic() < deadline
            and len(done_rows(journal)) < count
        ):
            time.sleep(0.005)

    return wait


def test_a_killed_build_ends_with_the_same_bytes(tmp_path):
    rng = random.Random(20250806)
    moments = sorted(rng.sample(range(20, 900), 5))
    assert killed_and_finished(tmp_path, 24, [until_rows(count) for count in moments]) >= 3


@pytest.mark.slow
def test_a_build_killed_at_twenty_random_moments_ends_with_the_same_bytes(tmp_path):
    rng = random.Random(7)
    pauses = [rng.uniform(0.2, 4.0) for _ in range(20)]
    killed_and_finished(
        tmp_path, 300, [lambda process, journal, pause=pause: time.sleep(pause) for pause in pauses]
    )
