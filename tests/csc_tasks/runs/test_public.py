"""What may leave the machine of each kind of value, and of a whole results file."""

import copy
import hashlib
import json
import re
from pathlib import Path

import pytest

from csc_tasks.runs import public_values as kinds
from csc_tasks.runs.conditions import conditions, other_settings, public_copy
from csc_tasks.runs.model_arguments import HOW_IT_RAN
from csc_tasks.runs.public import LeftOut, distinct_names, public_name, public_results
from csc_tasks.runs.public_lists import MODEL_ARGUMENTS, OTHER, QUIET, SETTINGS
from csc_tasks.settings import HELP

STORED = next((Path(__file__).parents[2] / "data" / "earlier_run").glob("results_*.json"))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("org/model-7b", "org/model-7b"),
        ("org/model:free", "org/model:free"),
        ("模型/七", "模型/七"),
        ("gpt-4o", "gpt-4o"),
        ("baseline/bigram", "baseline/bigram"),
        ("/home/anna/models/final", "final"),
        ("/home/anna/models/final/", "final"),
        ("~/final", "final"),
        ("./final", "final"),
        ("../anna/final", "final"),
        ("models/anna/final", "final"),
        ("C:\\Users\\anna\\final", "final"),
        ("file:///home/anna/final", "unnamed"),
        ("https://user:word@host.example:8000/v1?api-key=1", "host.example"),
        ("http://[broken", "unnamed"),
        ("/cache/models--org--base-7b/snapshots/0123abcd", "org/base-7b"),
        ("org/hf_" + "Q7x" * 12, "unnamed"),
        ("..", "unnamed"),
        ("", "unnamed"),
    ],
)
def test_a_name_is_a_hub_id_or_the_last_component(given, name):
    assert public_name(given) == name
    assert public_name(name) == name


def test_names_that_are_alike_without_their_folders_are_numbered():
    names = ["/b/final", "org/final", "/a/final", "/a/final"]
    assert distinct_names(names) == {
        "/a/final": "final (1)",
        "/b/final": "final (2)",
        "org/final": "org/final",
    }


LEFT = kinds.LEFT_OUT


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        (kinds.scalar, "bfloat16", "bfloat16"),
        (kinds.scalar, "cuda:0", "cuda:0"),
        (kinds.scalar, True, True),
        (kinds.scalar, 0.5, 0.5),
        (kinds.scalar, "-1", "-1"),
        (kinds.scalar, "/home/anna", LEFT),
        (kinds.scalar, "two words", LEFT),
        (kinds.scalar, "x" * 33, LEFT),
        (kinds.scalar, {"a": 1}, LEFT),
        (kinds.scalar, "ghp_" + "a1B2" * 9, LEFT),
        (kinds.number, True, LEFT),
        (kinds.number, "1e-3", "1e-3"),
        (kinds.number, float("inf"), LEFT),
        (kinds.revision, "refs/pr/7", "refs/pr/7"),
        (kinds.revision, "/home/anna", LEFT),
        (kinds.digest, "0123abcd", "0123abcd"),
        (kinds.digest, "", ""),
        (kinds.digest, "no hash", LEFT),
        (kinds.texts, ["\n客户：", "</s>"], ["\n客户：", "</s>"]),
        (kinds.texts, ["\n", "/home/anna/notes"], LEFT),
        (kinds.texts, "see https://host.example", LEFT),
        (kinds.switches, {"enable_thinking": False}, {"enable_thinking": False}),
        (kinds.switches, {"key": {"deep": "secret"}}, LEFT),
        (kinds.switches, "text", LEFT),
        (kinds.names, "overlap,bertscore", "overlap,bertscore"),
        (kinds.names, ["bleu_4"], ["bleu_4"]),
        (kinds.names, "overlap,/home/anna", LEFT),
        (kinds.signature, "bleu|tok:13a|version:2.6.0", "bleu|tok:13a|version:2.6.0"),
        (kinds.signature, "b|model:/home/anna/scorer|idf:no", "b|model:scorer|idf:no"),
        (kinds.signature, "b|model:org/scorer@0123abcd", "b|model:org/scorer@0123abcd"),
        (kinds.signature, "b|model:https://u:p@h.example/x", "b|model:h.example"),
        (kinds.signature, "judge_a|judge:openai:/srv/anna/m|n:1", "judge_a|judge:openai:m|n:1"),
        (kinds.signature, 'j|sampling:{"a":"C:\\\\b\\\\c"}', 'j|sampling:{"a":"c"}'),
        (kinds.places, [{"table": "a", "heading": "A b", "order": 1}], ...),
        (kinds.places, [{"table": "a", "heading": "A b", "order": 1, "more": "x"}], LEFT),
        (kinds.counts, {"ids made from content": 3}, ...),
        (kinds.counts, {"rows": "three"}, LEFT),
    ],
)
def test_what_becomes_of_a_value(kind, value, made):
    assert kind(value) == (value if made is ... else made)


def stored():
    return json.loads(STORED.read_text(encoding="utf-8"))


def test_a_public_file_stays_as_it_is():
    once = public_results(stored())
    left = LeftOut()
    assert public_results(once, left) == once and left.count == 0


def test_an_ordinary_run_loses_nothing_that_anybody_reads():
    """What stays of a run by lm_eval itself is known: reasons, source files, the machine."""
    left = LeftOut()
    results = stored()
    made = public_results(results, left)
    assert left.names == [] and left.count > 0
    for name in ("results", "versions", "n-shot", "n-samples", "higher_is_better", "task_hashes"):
        assert made[name] == results[name]
    for task, config in results["configs"].items():
        csc = config["metadata"]["csc"]
        expected = csc | {"play": {"mode": csc["play"]["mode"]}}
        assert made["configs"][task]["metadata"]["csc"] == expected
    assert made["model_name"] == "org/one" and made["date"] == results["date"]


def test_a_run_of_a_hub_model_has_no_other_settings():
    """As lm_eval records one with a tokenizer without a first token, a template and settings."""
    results = stored() | {
        "tokenizer_bos_token": [None, "None"],
        "tokenizer_eos_token": ["<|im_end|>", "151645"],
        "eot_token_id": 151645,
        "max_length": 32768,
        "chat_template": "{{ messages }}" * 100,
        "chat_template_sha": hashlib.sha256(("{{ messages }}" * 100).encode()).hexdigest(),
    }
    results["config"] |= {
        "model": "hf",
        "model_args": {"pretrained": "org/one", "dtype": "bfloat16", "api_key": "one"},
        "model_dtype": "torch.bfloat16",
        "model_revision": "main",
        "model_sha": "0123456789abcdef0123456789abcdef01234567",
        "gen_kwargs": {"max_gen_toks": 8, "until": ["\n"]},
        "use_cache": "/home/anna/cache",
    }
    stated = conditions(results, "csc_qa")
    assert other_settings(stated) == "" and not any(OTHER in name for name, _ in stated)
    results["config"]["model_args"]["pretrained"] = "/home/anna/one"
    other = other_settings(conditions(results, "csc_qa"))
    assert re.fullmatch("[0-9a-f]{8}", other)
    copied = public_copy(results)
    assert "anna" not in json.dumps(copied) and copied["config"][OTHER] == other
    assert conditions(copied, "csc_qa") == conditions(results, "csc_qa")
    assert public_copy(copied) == copied


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("config",),
        ("config", "model_args"),
        ("configs", "csc_qa"),
        ("configs", "csc_qa", "generation_kwargs"),
        ("configs", "csc_qa", "metadata"),
        ("configs", "csc_qa", "metadata", "csc"),
        ("configs", "csc_qa", "metadata", "csc", "thinking"),
        ("configs", "csc_qa", "metadata", "csc", "play"),
        ("results", "csc_qa"),
        ("results",),
    ],
    ids="-".join,
)
def test_a_key_on_no_list_stays_wherever_it_stands(path):
    results = stored()
    results["config"]["model_args"] = {"pretrained": "org/one"}
    plain, left = public_results(results), LeftOut()
    other = copy.deepcopy(results)
    place = other
    for key in path:
        place = place[key]
    place["a_key_of_a_later_version"] = {"deep": ["hidden"]}
    assert public_results(other, left) == plain
    assert any("a_key_of_a_later_version" in name or "no number" in name for name in left.names)
    assert "hidden" not in left.line()


@pytest.mark.parametrize("as_text", [False, True])
def test_arguments_keep_the_form_they_were_written_in(as_text):
    given = {"pretrained": "/home/anna/base", "add_bos_token": True, "api_key": "k-1"}
    results = stored()
    results["config"]["model_args"] = (
        ",".join(f"{name}={value}" for name, value in given.items()) if as_text else given
    )
    made = public_results(results)["config"]["model_args"]
    expected = {"pretrained": "base", "add_bos_token": True}
    assert made == ("pretrained=base,add_bos_token=True" if as_text else expected)


@pytest.mark.parametrize(
    "name", ["sk-in-a-name-00112233", "AKIA0123456789", "correct horse", "Bearer", "x" * 41]
)
def test_a_key_whose_name_may_be_a_secret_is_not_said(name):
    left = LeftOut()
    results = stored() | {name: 1}
    results["config"]["model_args"] = {name: "value"}
    assert name not in json.dumps(public_results(results, left))
    assert left.count and name not in left.line() and "not shown" in left.line()


def test_every_setting_of_ours_and_every_way_to_run_has_its_place():
    # An address and a path of this machine stay here.
    stays = {"csc_customer_url", "csc_customer_journal"}
    assert {f"csc_{name}" for name in HELP} - stays <= set(SETTINGS)
    assert {f"metadata.{name}" for name in stays} <= QUIET
    # An address is no setting.
    assert HOW_IT_RAN - set(MODEL_ARGUMENTS) == {"base_url"}
