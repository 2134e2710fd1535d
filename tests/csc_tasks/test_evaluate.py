"""A run that cannot work is one line, before its model is loaded: in lm_eval's own process, through
`csc evaluate` and from Python.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from lm_eval import evaluator
from lm_eval.tasks import TaskManager

from csc_tasks import TASKS_DIR, autoload, checks, cli
from csc_tasks.errors import CscError, DataError, MissingSplit, ModelError, SettingError
from tests.support.fakes import FakeLM, write_corpus
from tests.support.models import make_model
from tests.support.quick_lm_eval import AT_START

ROOT = TASKS_DIR.parent

# What Python runs at the start of a process of these tests: the start-up hook, as installed, too.
SITECUSTOMIZE = "import csc_tasks_autoload\n" + AT_START


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model without weights: whatever loads it fails with an error of transformers."""
    folder = make_model(tmp_path_factory.mktemp("model"))
    (folder / "model.safetensors").unlink()
    return folder


@pytest.fixture(scope="module")
def bare(model, tmp_path_factory):
    """The same without a chat template."""
    folder = tmp_path_factory.mktemp("bare")
    shutil.copytree(model, folder, dirs_exist_ok=True)
    (folder / "chat_template.jinja").unlink()
    return folder


@pytest.fixture(autouse=True)
def once():
    checks.warn_about_plain_chat.cache_clear()


@pytest.fixture
def run(corpus, model):
    """lm_eval's `simple_evaluate` as `check_first` makes it, on a model that cannot be loaded."""
    changed = SimpleNamespace(simple_evaluate=evaluator.simple_evaluate)
    autoload.check_first(changed)

    def run(tasks, metadata=None, pretrained=model, **options):
        settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | (metadata or {})
        manager = TaskManager(
            include_path=str(TASKS_DIR), include_defaults=False, metadata=settings
        )
        options = {
            "model": "hf",
            "model_args": {"pretrained": str(pretrained)},
            "device": "cpu",
            "bootstrap_iters": 0,
        } | options
        return changed.simple_evaluate(tasks=tasks, task_manager=manager, **options)

    return run


@pytest.mark.parametrize(
    ("kind", "tasks", "metadata", "options", "text"),
    [
        (
            SettingError,
            ["csc_qa"],
            {"csc_corpsu": "demo"},
            {},
            "unknown setting 'csc_corpsu' (closest: csc_corpus)",
        ),
        (
            SettingError,
            ["csc_qa"],
            {"csc_window": 0},
            {},
            "csc_window=0: must be a whole number of at least 1",
        ),
        (
            DataError,
            ["csc_qa"],
            {"csc_qa_corpus": "./nowhere"},
            {},
            "./nowhere: no such file or folder here",
        ),
        (
            MissingSplit,
            ["csc_qa"],
            {"csc_qa_corpus": "QA"},
            {},
            "all its questions are in train (csc build qa --splits 0,0,100",
        ),
        (MissingSplit, ["csc_qa"], {"csc_qa_variant": "short"}, {}, "no qa_short/test found"),
        (
            DataError,
            ["cscx_qa_early"],
            {"csc_qa_corpus": "UNSTAGED"},
            {},
            "its rows carry no stage; label them with: csc build qa-stages",
        ),
        (
            CscError,
            ["csc_conv_ref"],
            {"csc_metrics": "bleurt", "csc_bleurt_model": "/no/model"},
            {},
            "/no/model",
        ),
        (
            SettingError,
            ["csc_conv_ref"],
            {},
            {"limit": 0},
            "--limit 0 asks nothing; give a number of conversations",
        ),
        (SettingError, ["csc_conv_ref"], {}, {"limit": -2.0}, "--limit -2 asks nothing"),
        (SettingError, ["csc_conv_ref"], {}, {"limit": float("nan")}, "--limit nan asks nothing"),
        (
            SettingError,
            ["csc_qa"],
            {},
            {"samples": {"csc_qa": []}},
            "--samples names no document of csc_qa; give some of 0 to 5",
        ),
        (
            SettingError,
            ["csc_qa"],
            {},
            {"samples": {"csc_qa": [0, 6]}},
            "--samples names document 6 of csc_qa; there are 0 to 5",
        ),
        (
            SettingError,
            ["csc_qa"],
            {},
            {"model": "local-chat-completions"},
            "takes chat messages only; add --apply_chat_template",
        ),
        (
            ModelError,
            ["cscx_strategy_choice"],
            {},
            {"model": "openai-chat-completions", "apply_chat_template": True},
            (
                "cscx_strategy_choice needs log-likelihoods, which --model openai-chat-completions"
                " cannot give"
            ),
        ),
        (
            ModelError,
            ["csc"],
            {},
            {"pretrained": "BARE", "apply_chat_template": True},
            "its tokenizer has no chat template; leave out",
        ),
    ],
)
def test_what_is_wrong_is_known_before_the_model(
    kind, tasks, metadata, options, text, run, corpus, bare, tmp_path
):
    if metadata.get("csc_qa_corpus") == "QA":
        (tmp_path / "qa").mkdir()
        shutil.copy(corpus / "qa" / "test.jsonl", tmp_path / "qa" / "train.jsonl")
        metadata = {"csc_qa_corpus": str(tmp_path)}
    if metadata.get("csc_qa_corpus") == "UNSTAGED":
        rows = [
            json.loads(line)
            for line in (corpus / "qa" / "test.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        (tmp_path / "qa").mkdir()
        text_of_rows = "".join(
            json.dumps(row | {"stage": None}, ensure_ascii=False) + "\n" for row in rows
        )
        (tmp_path / "qa" / "test.jsonl").write_text(text_of_rows, encoding="utf-8")
        metadata = {"csc_qa_corpus": str(tmp_path)}
    if options.get("pretrained") == "BARE":
        options = options | {"pretrained": bare}
    with pytest.raises(kind) as caught:
        run(tasks, metadata, **options)
    assert text in str(caught.value)


def test_a_variable_that_looks_like_a_setting_is_refused(run, monkeypatch):
    monkeypatch.setenv("CSC_CORPSU", "demo")
    with pytest.raises(
        SettingError,
        match=(
            r"unknown environment variable 'CSC_CORPSU': rename or unset it \(closest: CSC_CORPUS\)"
        ),
    ):
        run(["csc_qa"])


def test_a_template_among_several_is_named(run, model, tmp_path):
    shutil.copytree(model, tmp_path, dirs_exist_ok=True)
    (tmp_path / "chat_template.jinja").unlink()
    configuration = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    configuration["chat_template"] = [
        {"name": "rag", "template": "{% for m in messages %}{{ m['content'] }}{% endfor %}"},
        {"name": "tools", "template": "says nothing"},
    ]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    with pytest.raises(
        ModelError,
        match="no chat template 'default'; choose with --apply_chat_template: rag, tools",
    ):
        run(["csc_qa"], pretrained=tmp_path, apply_chat_template=True)
    with pytest.raises(ModelError, match="no chat template 'rage'"):
        run(["csc_qa"], pretrained=tmp_path, apply_chat_template="rage")
    with pytest.raises(OSError, match=r"model\.safetensors"):
        run(["csc_qa"], pretrained=tmp_path, apply_chat_template="rag")
    with pytest.raises(ModelError, match="chat template does not show what the user says"):
        run(["csc_qa"], pretrained=tmp_path, apply_chat_template="tools")


def test_what_only_lm_eval_can_judge_is_left_to_it(run):
    """A model without weights, with everything else in order, and one that is nowhere."""
    with pytest.raises(OSError, match=r"model\.safetensors"):
        run(["csc"], apply_chat_template=True, limit=0.001)
    with pytest.raises(OSError, match="connect"):
        run(["csc_qa"], pretrained="no-such-model", apply_chat_template=True)


def test_loaded_tasks_are_handed_on_and_loaded_once(run, monkeypatch):
    read = []
    load = checks.SupportTask.download
    monkeypatch.setattr(
        checks.SupportTask,
        "download",
        lambda self, *a, **k: (read.append(self.config.task), load(self, *a, **k)),
    )
    results = run(
        ["csc", "cscx_qa_none"],
        model=FakeLM(lambda prompt: "[Greeting] Hello"),
        model_args=None,
        limit=2,
    )
    assert sorted(read) == ["csc_conv_gen", "csc_conv_ref", "csc_qa", "cscx_qa_none"]
    assert {
        name: counts["effective"] for name, counts in results["n-samples"].items()
    } == dict.fromkeys(read, 2)


def test_the_smallest_share_is_one_conversation(run):
    results = run(["csc_conv_ref"], model=FakeLM(lambda prompt: "x"), model_args=None, limit=0.001)
    assert results["n-samples"]["csc_conv_ref"]["effective"] == 1


def test_options_of_lm_eval_keep_their_meaning(run, caplog):
    """--num_fewshot has no effect and says so; --system_instruction opens the prompt;
    --predict_only logs replies without metrics.
    """
    asked = []
    options = {
        "num_fewshot": 3,
        "system_instruction": "Answer like a pirate.",
        "predict_only": True,
        "limit": 1,
    }
    results = run(
        ["csc_qa"],
        model=FakeLM(lambda prompt: asked.append(prompt) or "Arr."),
        model_args=None,
        **options,
    )
    assert "--num_fewshot 3 has no effect on the csc tasks" in caplog.text
    assert results["n-shot"]["csc_qa"] == 0
    assert all(prompt.startswith("Answer like a pirate.\n\n") for prompt in asked)
    assert results["samples"]["csc_qa"][0]["answers"][0]["reply"] == "Arr."
    assert {name for name in results["results"]["csc_qa"] if "rouge" in name} == set()


def test_the_chat_style_without_a_template_warns_once(run, caplog):
    for _ in range(2):
        with pytest.raises(OSError, match=r"model\.safetensors"):
            run(["csc"], {"csc_prompt": "chat"})
    assert (
        caplog.text.count(
            "csc_prompt=chat without --apply_chat_template: the turns are sent as plain text"
        )
        == 1
    )
    caplog.clear()
    checks.warn_about_plain_chat.cache_clear()
    for metadata, templated in (({"csc_prompt": "chat"}, True), ({}, False)):
        with pytest.raises(OSError, match=r"model\.safetensors"):
            run(["csc"], metadata, apply_chat_template=templated)
    assert "csc_prompt" not in caplog.text


def test_tasks_that_are_not_ours_are_not_looked_at(run, tmp_path, monkeypatch):
    """Nor is a run of them: its limit is lm_eval's business, its tasks reach lm_eval as names."""
    (tmp_path / "other.yaml").write_text(
        "task: other\ndataset_path: json\noutput_type: generate_until\n"
    )
    own = (
        "task: own",
        f"include: {TASKS_DIR / '_csc_yaml'}",
        "class: !function csc_tasks.tasks.QuestionTask",
        "",
    )
    (tmp_path / "own.yaml").write_text("\n".join(own))
    (tmp_path / "mixed.yaml").write_text("group: mixed\ntask:\n  - own\n  - other\n")
    index = TaskManager(include_path=str(tmp_path), include_defaults=False).task_index
    assert [checks.is_ours(name, index) for name in ("own", "other", "mixed", "nothing")] == [
        True,
        False,
        False,
        False,
    ]
    seen = {}
    changed = SimpleNamespace(
        simple_evaluate=lambda model, model_args, tasks, task_manager, limit: seen.update(
            tasks=tasks, limit=limit
        )
    )
    autoload.check_first(changed)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    changed.simple_evaluate("hf", None, ["other", "mixed"], manager, 0)
    assert seen == {"tasks": ["other", "mixed"], "limit": 0}


# Real processes


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Runs a program with the start-up hook; (exit status, standard error)."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    shutil.copy(TASKS_DIR / "autoload" / "start.py", folder / "csc_tasks_autoload.py")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CSC_")}

    def start(*words, **environment):
        settings = (
            clean
            | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "LMEVAL_LOG_LEVEL": "ERROR"}
            | environment
        )
        done = subprocess.run(
            [sys.executable, *words], cwd=folder, env=settings, capture_output=True, text=True
        )
        return done.returncode, done.stderr

    return start


LM_EVAL = ("-m", "lm_eval")
EVALUATE = ("-m", "csc_tasks.cli", "evaluate")


@pytest.mark.parametrize(
    "program",
    [LM_EVAL, EVALUATE, ("-m", "csc_tasks.evaluate", "run")],
    ids=["lm_eval", "csc evaluate", "-m"],
)
def test_a_process_prints_our_line_alone(program, start, model, tmp_path):
    """With the arguments in a file, which all three read."""
    settings = {
        "model": "hf",
        "model_args": {"pretrained": str(model)},
        "tasks": "csc_qa",
        "device": "cpu",
    }
    (tmp_path / "run.yaml").write_text(
        json.dumps(settings | {"metadata": {"csc_qa_corpus": "demo", "csc_corpsu": "demo"}})
    )
    status, errors = start(*program, "--config", str(tmp_path / "run.yaml"))
    assert status == 1
    (line,) = errors.splitlines()
    assert line.startswith(
        "error: unknown setting 'csc_corpsu' (closest: csc_corpus); known: csc_corpus, "
    )


def test_an_error_of_the_run_itself_is_one_line_too(start, tmp_path):
    """A prompt that cannot fit is found when it is asked, long after the model was loaded."""
    model = make_model(tmp_path / "model", positions=300)
    words = [
        "--model",
        "hf",
        "--model_args",
        f"pretrained={model}",
        "--tasks",
        "csc_conv_ref",
        "--device",
        "cpu",
        "--limit",
        "1",
    ]
    status, errors = start(*LM_EVAL, *words, CSC_CORPUS="demo")
    assert status == 1 and "Traceback" not in errors
    assert [
        line for line in errors.splitlines() if line.startswith("error: ")
    ] == errors.splitlines()[-1:]
    assert "instructions and question alone take" in errors.splitlines()[-1]


@pytest.mark.parametrize("program", [LM_EVAL, EVALUATE], ids=["lm_eval", "csc evaluate"])
def test_an_unknown_task_names_the_closest(program, start):
    status, errors = start(
        *program, "--model", "hf", "--model_args", "pretrained=x", "--tasks", "csc_conv_rfe"
    )
    assert status == 1
    (line,) = errors.splitlines()
    assert line.startswith(
        "error: Tasks not found: csc_conv_rfe (closest: csc_conv_ref); csc-tasks has csc,"
        " csc_conv_gen, "
    )


def test_lm_evals_own_errors_stay_what_they_are(start):
    status, errors = start(
        *LM_EVAL, "--model", "hf", "--model_args", "pretrained=x", "--tasks", "hellaswagg"
    )
    assert (
        status == 1
        and errors.startswith("Traceback")
        and errors.endswith("ValueError: Tasks not found: hellaswagg\n")
    )
    assert start(*EVALUATE, "--tasks", "hellaswagg", "--model", "hf") == (
        1,
        "error: Tasks not found: hellaswagg\n",
    )
    assert start(*EVALUATE, "--tasks", "csc_qa", "--metadata", "{bad")[1].startswith(
        "error: Invalid JSON: {bad."
    )
    status, errors = start(*EVALUATE, "--tasks", "csc_qa", "--nothing")
    assert (status, errors.splitlines()[-1]) == (
        2,
        "lm-eval: error: unrecognized arguments: --nothing",
    )


def test_csc_evaluate_hands_lm_eval_its_words(monkeypatch):
    """All of them, options that argparse would take for its own and a `--` included."""
    import lm_eval.__main__

    given = []
    monkeypatch.setattr(lm_eval.__main__, "cli_evaluate", lambda: given.append(sys.argv))
    monkeypatch.setattr(autoload, "install", lambda: given.append("installed"))
    monkeypatch.setattr(sys, "argv", ["csc"])
    words = [
        "--tasks",
        "csc_qa",
        "-s",
        "--",
        "-h",
        "--metadata",
        '{"csc_corpus": "demo"}',
        "--help",
    ]
    assert cli.main(["evaluate", *words]) == 0
    assert cli.main(["evaluate", "run", *words]) == 0
    assert given == ["installed", ["lm_eval", "run", *words]] * 2


def test_in_another_program_the_errors_are_exceptions(start, tmp_path):
    """A program that calls lm_eval from Python: `install` finds the tasks, and leaves tracebacks
    alone.
    """
    (tmp_path / "program.py").write_text(
        "import sys, lm_eval, lm_eval.tasks\nfrom lm_eval.tasks import _index\nevery ="
        " _index.TaskIndex._iter_yaml_files\n_index.TaskIndex._iter_yaml_files ="
        ' staticmethod(lambda root: () if root.parent.name == "lm_eval" else every(root))\nif'
        " len(sys.argv) > 1:\n    from csc_tasks import autoload\n   "
        ' autoload.install()\nlm_eval.simple_evaluate("hf", "pretrained=x", tasks=["csc_qa"],'
        ' metadata={"csc_corpsu": "demo"})\n'
    )
    for words, environment, last in (
        (["install"], {}, "csc_tasks.errors.SettingError: unknown setting 'csc_corpsu'"),
        (
            [],
            {"CSC_TASKS_AUTOLOAD": "1"},
            "csc_tasks.errors.SettingError: unknown setting 'csc_corpsu'",
        ),
        (
            ["install"],
            {"CSC_TASKS_AUTOLOAD": "0"},
            "csc_tasks.errors.SettingError: unknown setting 'csc_corpsu'",
        ),
    ):
        status, errors = start(str(tmp_path / "program.py"), *words, **environment)
        assert status == 1 and errors.startswith("Traceback")
        assert errors.splitlines()[-1].startswith(last)


def test_every_csc_variable_in_the_code_is_known():
    """A setting's or one of the table's; a new one must be entered there, or it would be
    refused.
    """
    from csc_tasks.settings import OTHER_VARIABLES, Settings

    known = {f"CSC_{name.upper()}" for name in Settings.__dataclass_fields__} | OTHER_VARIABLES
    files = [
        path
        for part in ("csc_tasks", "builders", "trainers", "leaderboard", "benchmarks")
        for path in (ROOT / part).rglob("*.py")
    ]
    files += [
        ROOT / "Makefile",
        ROOT / "README.md",
        ROOT / "csc_tasks" / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "tests" / "conftest.py",
    ]
    named = {
        name
        for file in files
        for name in re.findall(r"CSC_[A-Z][A-Z_]+", file.read_text(encoding="utf-8"))
    }
    assert {"CSC_TASKS_AUTOLOAD", "CSC_CORPUS"} <= named <= known
