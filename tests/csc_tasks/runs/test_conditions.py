"""Which runs are the same: those that differ in nothing but what is known to be harmless."""

import copy
import json
from pathlib import Path

import pytest

from csc_tasks.errors import DataError
from csc_tasks.runs.conditions import (
    HARMLESS,
    conditions,
    differing,
    public_copy,
    repeat_of,
    sampled,
    without_repeat,
    without_seed,
)
from csc_tasks.runs.finding import repeat_groups
from csc_tasks.runs.names import results_beside
from csc_tasks.runs.quarantine import Quarantine, read_newest
from csc_tasks.runs.results_file import read_results
from leaderboard.reading.comparable import newest, select
from tests.support.run_files import newest_runs

STORED = Path(__file__).parents[2] / "data" / "earlier_run"
TASK = "csc_conv_gen"
STAMP = "2026-11-28T21-21-52.021051"


def stored():
    results = json.loads((STORED / f"results_{STAMP}.json").read_text(encoding="utf-8"))
    results["config"]["model_args"] = {"pretrained": "org/one"}
    return results


def at(results, path):
    """The mapping that a path leads to."""
    for key in path:
        results = results[key]
    return results


CSC = ("configs", TASK, "metadata", "csc")
# Where it stands, its name, another value.
SETTINGS = [
    ((), "model_name", "org/two"),
    ((), "system_instruction", "Be brief."),
    ((), "system_instruction_sha", "abc"),
    ((), "chat_template", "{{ messages }}"),
    ((), "chat_template_sha", "abc"),
    ((), "fewshot_as_multiturn", True),
    ((), "model_source", "vllm"),
    ((), "max_length", 2048),
    ((), "a_key_of_a_later_version", 1),
    (("config",), "model", "vllm"),
    (("config",), "gen_kwargs", "temperature=0.7"),
    (("config",), "gen_kwargs", {"seed": 7}),
    (("config",), "model_sha", "0123abcd"),
    (("config",), "model_dtype", "torch.float16"),
    (("config",), "model_revision", "main"),
    (("config",), "model_num_parameters", 7),
    (("config",), "peft_sha", "abc"),
    (("config",), "a_key_of_a_later_version", 1),
    (("config", "model_args"), "pretrained", "org/other-base"),
    (("config", "model_args"), "peft", "org/adapter"),
    (("config", "model_args"), "dtype", "float16"),
    (("config", "model_args"), "revision", "v2"),
    (("config", "model_args"), "max_length", 2048),
    (("config", "model_args"), "add_bos_token", True),
    (("config", "model_args"), "seed", 7),
    (("config", "model_args"), "a_key_of_a_later_version", 1),
    (("configs", TASK), "generation_kwargs", {"max_gen_toks": 32}),
    (("configs", TASK), "repeats", 3),
    (("configs", TASK), "num_fewshot", 2),
    (("configs", TASK), "description", "Answer."),
    (("configs", TASK), "a_key_of_a_later_version", 1),
    (("configs", TASK, "metadata"), "version", 99.0),
    (("configs", TASK, "metadata"), "csc_a_setting_of_a_later_version", 1),
    (("n-samples", TASK), "effective", 1),
    (("n-samples", TASK), "original", 9),
    (("n-shot",), TASK, 1),
    (CSC, "config", "rolecs"),
    (CSC, "split", "validation"),
    (CSC, "revision", "v1"),
    (CSC, "content_hash", "0" * 16),
    (CSC, "rows", 3),
    (CSC, "languages", ["en"]),
    (CSC, "prompt", "chat"),
    (CSC, "format", "json"),
    (CSC, "reask", 1),
    (CSC, "date", "2025-01-31"),
    (CSC, "reference", "agent_answer"),
    (CSC, "left_out", ["seed"]),
    (CSC, "a_key_of_a_later_version", 1),
    ((*CSC, "thinking"), "tokens", 512),
    ((*CSC, "thinking"), "family", "qwen"),
    ((*CSC, "thinking"), "switched_off", {"enable_thinking": False}),
]
HARMLESS_ONES = [
    ((), "date", 1.0),
    ((), "total_evaluation_time_seconds", "7"),
    ((), "git_hash", "abc"),
    ((), "lm_eval_version", "0.4.14"),
    (("config",), "batch_size", 4),
    (("config",), "limit", 4),
    (("config",), "device", "cuda"),
    (("config",), "numpy_seed", 5),
    (("config", "model_args"), "batch_size", 4),
    (("config", "model_args"), "api_key", "sk-1234567890"),
    (("configs", TASK, "metadata"), "csc_play", "plain"),
    (("configs", TASK, "metadata"), "csc_corpus", "/elsewhere"),
    # What they resolve to stands in metadata.csc; the default does not.
    (("configs", TASK, "metadata"), "csc_format", "text"),
    (("configs", TASK, "metadata"), "csc_reask", 0),
    (CSC, "corpus", "/elsewhere"),
    (CSC, "project", "9.9.9"),
    (CSC, "reference", None),
    ((*CSC, "signatures"), "bertscore_en", "bertscore|model:m"),
    ((*CSC, "play"), "mode", "concurrent"),
]


def changed(path, name, value):
    results = stored()
    at(results, path)[name] = value
    return results


def labelled(cases):
    return [
        pytest.param(*case, id="-".join([*(path if (path := case[0]) else ["file"]), case[1]]))
        for case in cases
    ]


def two_runs(folder, other):
    """Samples and results of the stored run, and of another that was made later."""
    files = []
    for name, results, later in (("one", stored(), 0), ("two", other, 60)):
        results = copy.deepcopy(results)
        results["date"] += later
        own = folder / name
        own.mkdir()
        for key in ("results", "configs"):
            results[key] = {TASK: results[key][TASK]}
        (own / f"results_{STAMP}.json").write_text(json.dumps(results), encoding="utf-8")
        file = own / f"samples_{TASK}_{STAMP}.jsonl"
        file.write_bytes((STORED / file.name).read_bytes())
        files.append(file)
    return files


@pytest.mark.parametrize(("path", "name", "value"), labelled(SETTINGS))
def test_runs_that_differ_in_one_setting_are_never_one_run(path, name, value, tmp_path):
    other = changed(path, name, value)
    assert differing(conditions(stored(), TASK), conditions(other, TASK))
    files = two_runs(tmp_path, other)
    assert newest_runs(files) == files
    notes = []
    measurements = [m for file in files for m in read_results(results_beside(file), notes)]
    assert len(newest(measurements, notes)) == 2 and notes == []


@pytest.mark.parametrize(("path", "name", "value"), labelled(HARMLESS_ONES))
def test_runs_that_differ_in_something_harmless_are_one_run_and_the_newest_is_taken(
    path, name, value, tmp_path, capsys
):
    files = two_runs(tmp_path, changed(path, name, value))
    if name != "date":
        assert newest_runs(files) == files[1:]
        assert f"left out: {files[0]}" in capsys.readouterr().err
    notes = []
    measurements = [m for file in files for m in read_results(results_beside(file), notes)]
    (kept,) = newest(measurements, notes)
    assert kept.file == results_beside(files[name != "date"]) and len(notes) == 1


def test_every_key_that_the_stored_run_records_is_a_condition_or_named_as_harmless():
    """A key that nobody thought of counts, wherever it stands."""
    results = stored()
    plain = conditions(results, TASK)
    for part, path in (
        ("file", ()),
        ("config", ("config",)),
        ("metadata", ("configs", TASK, "metadata")),
        ("csc", CSC),
    ):
        for name in at(results, path):
            if name in ("config", "configs", "versions", "n-shot", "n-samples", "model_args"):
                continue
            if (part, name) in (("metadata", "csc"), ("csc", "config")):
                continue
            other = changed(path, name, "something else")
            assert (conditions(other, TASK) == plain) == (name in HARMLESS[part]), (part, name)


def test_a_run_of_before_the_task_record_is_the_same_as_one_with_it():
    old = stored()
    for key in ("unit", "generated", "variant", "places"):
        at(old, CSC).pop(key, None)
    new = copy.deepcopy(old)
    at(new, CSC).update(unit="turns", generated=True, variant="predict", places=[])
    assert conditions(old, TASK) == conditions(new, TASK)
    at(new, CSC).update(variant="vanilla")
    assert differing(conditions(old, TASK), conditions(new, TASK)) == ["csc.variant"]


def test_two_runs_of_one_model_in_one_table_are_an_error_that_names_what_differs(tmp_path):
    """What a row's label does not say must not be lost either."""
    files = two_runs(tmp_path, changed(("config",), "model_dtype", "torch.float16"))
    measurements = [m for file in files for m in read_results(results_beside(file), [])]
    with pytest.raises(
        DataError, match="org/one has two runs of csc_conv_gen that differ in model_dtype: "
    ):
        select(newest(measurements, []))


SAMPLING = {"do_sample": True, "temperature": 0.7}


def drawn(generation=SAMPLING, **seeds):
    results = stored()
    results["config"] |= {"gen_kwargs": generation, **seeds}
    results["configs"][TASK]["generation_kwargs"] = {"max_gen_toks": 256}
    return results


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (drawn(SAMPLING | {"seed": 1}), drawn(SAMPLING | {"seed": 2}), "seed=2"),
        (drawn(SAMPLING), drawn(SAMPLING | {"seed": 2}), "seed=2"),
        (drawn("temperature=0.7,seed=1"), drawn("temperature=0.7,seed=2"), "seed=2"),
        (drawn(torch_seed=1), drawn(torch_seed=2), "torch_seed=2"),
        (drawn(random_seed=1), drawn(random_seed=2), "random_seed=2"),
        (drawn({"seed": 1}), drawn({"seed": 2}), "seed=2"),
        (
            changed(("config", "model_args"), "seed", 1),
            changed(("config", "model_args"), "seed", 2),
            "model_args.seed=2",
        ),
    ],
)
def test_runs_that_differ_only_in_their_seed_are_repeats(one, other, told):
    assert conditions(one, TASK) != conditions(other, TASK)
    assert without_repeat(conditions(one, TASK)) == without_repeat(conditions(other, TASK))
    name, _, value = told.partition("=")
    assert repeat_of(conditions(other, TASK))[name] == value


def test_the_seed_that_a_task_was_configured_with_counts_like_the_given_one():
    one, other = drawn(), drawn()
    one["configs"][TASK]["generation_kwargs"]["seed"] = 1
    other["configs"][TASK]["generation_kwargs"]["seed"] = 2
    assert differing(conditions(one, TASK), conditions(other, TASK)) == ["repeat.seed"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (drawn(SAMPLING), drawn(SAMPLING | {"temperature": 0.8})),
        (drawn(SAMPLING), drawn(SAMPLING | {"top_p": 0.9, "seed": 1})),
        (drawn("temperature=0.7,seed=1"), drawn("temperature=0.8,seed=2")),
    ],
)
def test_runs_that_differ_in_how_they_sample_are_no_repeats(one, other):
    assert without_repeat(conditions(one, TASK)) != without_repeat(conditions(other, TASK))


def test_without_sampling_lm_evals_seeds_move_nothing():
    one, other = (drawn({"do_sample": False}, torch_seed=seed) for seed in (1, 2))
    assert conditions(one, TASK) == conditions(other, TASK)


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        (None, False),
        ({}, False),
        ({"do_sample": False, "temperature": 0.0}, False),
        ("do_sample=False,temperature=0", False),
        ({"do_sample": True}, True),
        ("do_sample=True", True),
        ({"temperature": 0.7}, True),
        ("temperature=0.7,top_p=0.9", True),
    ],
)
def test_whether_replies_were_sampled(generation, expected):
    assert sampled(drawn(generation), TASK) == expected
    results = drawn(None)
    results["configs"][TASK]["generation_kwargs"] = generation
    assert sampled(results, TASK) == expected


def test_what_was_given_goes_over_what_the_task_has():
    results = drawn({"do_sample": False, "temperature": 0.0})
    results["configs"][TASK]["generation_kwargs"] = SAMPLING
    assert not sampled(results, TASK)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"seed": 1, "top_p": 0.9}, {"top_p": 0.9}),
        ("seed=1,top_p=0.9", "top_p=0.9"),
        ("top_p=0.9, seed=1", "top_p=0.9"),
        ("my_seed=1", "my_seed=1"),
        (None, None),
    ],
)
def test_a_seed_is_taken_out_in_the_form_that_settings_have(given, left):
    assert without_seed(given) == left


def test_of_repeats_the_first_can_be_taken_which_is_said(tmp_path, capsys):
    files = two_runs(tmp_path, changed(("config",), "gen_kwargs", {"seed": 7}))
    assert newest_runs(files) == files
    assert repeat_groups(files) == [[files[:1], files[1:]]]

    def taken() -> list[Path]:
        return list(read_newest(files, Quarantine([tmp_path]), _whole, repeats=False))

    assert taken() == files[:1]
    assert f"differ only in their seed the first is taken; left out: {files[1]}" in (
        capsys.readouterr().err
    )
    assert list(read_newest(files, Quarantine([tmp_path]), _whole)) == files
    files[0].write_text("broken", encoding="utf-8")
    assert taken() == files[1:]
    assert "set aside: " in capsys.readouterr().err
    (files[1].parent / f"results_{STAMP}.json").write_text("broken", encoding="utf-8")
    assert repeat_groups(files) == [[files[:1]], [files[1:]]]


def _whole(file: Path) -> Path:
    if file.read_text(encoding="utf-8") == "broken":
        raise DataError(f"{file}: broken")
    return file


def test_a_public_copy_is_the_same_repeat():
    """Whatever of a run is not published, its seed is, and its other settings count by a hash."""
    hidden = SAMPLING | {"a_setting_of_a_later_version": "secret"}
    one, other = (drawn(hidden | {"seed": seed}, torch_seed=seed) for seed in (1, 2))
    for results in (one, other):
        assert conditions(public_copy(results), TASK) == conditions(results, TASK)
    assert without_repeat(conditions(one, TASK)) == without_repeat(conditions(other, TASK))
    assert differing(conditions(one, TASK), conditions(other, TASK)) == [
        "repeat.seed",
        "repeat.torch_seed",
    ]
