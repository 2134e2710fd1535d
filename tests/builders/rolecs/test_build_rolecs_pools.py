"""Pools of profiles, what the judge said of conversations, and the stand-in that plays them."""

import json
from collections import Counter

import pytest

from builders.review.judged import read_judged
from builders.rolecs.pool import read_pool
from builders.scripted import roles as scripted_roles
from builders.scripted.phrases import bank
from builders.scripted.player import begin
from csc_tasks.errors import DataError
from csc_tasks.framework import TOPICS
from csc_tasks.llm.backends import register_scripted
from tests.support.built_folders import record_of
from tests.support.rolecs_builds import LANGUAGES, build, rows_of


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
