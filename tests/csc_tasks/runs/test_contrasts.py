"""Which two runs are a contrast: those that differ in one recorded condition and in what follows
from it, and in no other.
"""

import pytest

from csc_tasks.runs.contrasts import FAMILIES, difference, model_key
from csc_tasks.runs.results_file import read_results
from csc_tasks.runs.task_record import SHIPPED
from tests.support.made_results import (
    conversation_result,
    conversations,
    csc_of,
    right,
    write_run,
)

ITEMS = conversations(2)
REF, GEN = "csc_conv_ref", "csc_conv_gen"
VANILLA, ORACLE = "cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"


def measured(root, task=REF, name="org/one", change=None, chooses=True, **arguments):
    """What is read of a run of one task."""
    result = conversation_result(task, ITEMS, right(0.5), chooses=chooses)
    (run,) = read_results(write_run(root, name, [result], change, **arguments), [])
    return run


@pytest.fixture
def plain(tmp_path):
    return measured(tmp_path / "plain")


def prompt(style, task=REF):
    return lambda results: csc_of(results, task).update(prompt=style)


def generation(**settings):
    return lambda results: results["config"].update(gen_kwargs=settings)


def of_csc(**values):
    return lambda results: csc_of(results).update(values)


def without_template(results):
    del results["chat_template"]


@pytest.mark.parametrize(
    ("other", "family", "levels"),
    [
        ({"task": VANILLA, "chooses": False}, "strategies", ("Predict", "Vanilla")),
        ({"task": ORACLE, "chooses": False}, "strategies", ("Oracle", "Predict")),
        ({"task": GEN}, "context", ("Reference context", "Generated context")),
        ({"peft": "org/its-adapter"}, "adapter", ("org/its-adapter", "base")),
        ({"change": prompt("chat")}, "prompt", ("Single prompt", "Chat")),
        ({"change": of_csc(format="json")}, "format", ("JSON", "Text")),
        (
            {"change": of_csc(format="json", left_out=["json_schema"])},
            "format",
            ("JSON", "Text"),
        ),
        ({"change": of_csc(reask=1)}, "reask", ("Asked again", "Asked once")),
        ({"dtype": "float16"}, "model_args.dtype", ("float16", "not given")),
        (
            {"change": generation(do_sample=True, temperature=0.7)},
            "generation.temperature",
            ("0.7", "not given"),
        ),
        ({"change": generation(top_p=0.9)}, "generation.top_p", ("0.9", "not given")),
        (
            {"change": of_csc(thinking={"family": "think", "thinks": True, "tokens": 32})},
            "thinking",
            ("up to 32 tokens", "off"),
        ),
    ],
)
def test_a_pair_that_differs_in_one_condition_is_a_contrast(tmp_path, plain, other, family, levels):
    found = difference(plain, measured(tmp_path / "other", **other))
    assert (found.family, found.in_order) == (family, levels)
    turned = difference(measured(tmp_path / "again", **other), plain)
    assert turned.in_order == levels, "whichever comes first"
    assert turned.turned is not found.turned


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"task": VANILLA, "chooses": False, "change": prompt("chat", VANILLA)},
        {"task": GEN, "peft": "org/its-adapter"},
        {"task": GEN, "change": lambda results: csc_of(results, GEN).update(variant="vanilla")},
        {"dtype": "float16", "change": prompt("chat")},
        {"change": generation(top_p=0.9, temperature=0.7, do_sample=True)},
        {"change": of_csc(variant="a-variant-of-tomorrow")},
        {"name": "org/two"},
        {"change": lambda results: results["config"].update(model_sha="0123abcd")},
        {"change": of_csc(split="validation")},
        {"change": of_csc(format="json", reask=1)},
    ],
    ids=[
        *("the same", "two tasks' difference and a prompt", "context and adapter"),
        *("context and strategies", "type and prompt", "two generation settings"),
        *("a variant of tomorrow", "another model", "another state of it", "another split"),
        "format and asking again",
    ],
)
def test_one_that_differs_in_none_or_in_two_or_in_the_model_is_not(tmp_path, plain, other):
    assert difference(plain, measured(tmp_path / "other", **other)) is None


def test_two_adapters_are_two_models(tmp_path):
    runs = [measured(tmp_path / name, peft=f"org/{name}") for name in ("a", "b")]
    assert difference(*runs) is None
    assert model_key(runs[0]) == model_key(runs[1])


def test_a_chat_template_brings_its_date_with_it(tmp_path, plain):
    def change(results):
        without_template(results)
        results["fewshot_as_multiturn"] = False
        csc_of(results)["date"] = "2026-11-20"
        csc_of(results)["thinking"] = {"family": None, "thinks": False, "tokens": 0}

    found = difference(plain, measured(tmp_path / "other", change=change))
    assert found.family == "chat_template"
    assert found.in_order[1] == "not applied"

    def thinks(results):
        change(results)
        csc_of(results)["thinking"] = {"family": "think", "thinks": True, "tokens": 32}

    assert difference(plain, measured(tmp_path / "two", change=thinks)) is None


def test_which_documents_were_asked_and_how_often_is_no_condition(tmp_path, plain):
    def change(results):
        results["n-samples"][VANILLA]["effective"] = 1
        csc_of(results, VANILLA).update(rows=1, content_hash="0123456789abcdef")

    run = measured(tmp_path / "other", VANILLA, change=change, chooses=False)
    assert difference(plain, run).family == "strategies"


def test_a_long_value_is_cut_and_still_told_from_another(tmp_path):
    runs = [measured(tmp_path / end, eos_string="x" * 70 + end) for end in "ab"]
    levels = difference(*runs).levels
    assert levels == (f"{'x' * 59}… (1)", f"{'x' * 59}… (2)")


def test_what_may_not_be_published_is_compared_and_not_shown(tmp_path, plain):
    home = "/home/somebody/secret-folder"
    local = measured(tmp_path / "local", cache_dir=home)
    found = difference(plain, local)
    assert (found.family, found.levels) == ("other settings", ("not given", "not published"))
    two = measured(tmp_path / "two", cache_dir=home, another="secret")
    assert difference(plain, two) is None, "their one hash hides that they are two"
    adapter = measured(tmp_path / "adapter", peft=f"{home}/adapter")
    assert difference(plain, adapter).in_order == ("adapter", "base")


def test_the_families_name_variants_that_there_are():
    variants = {about.variant for about in SHIPPED.values()}
    for family in FAMILIES:
        if family.condition == "csc.variant":
            assert {*family.levels} <= variants
