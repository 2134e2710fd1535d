"""`csc doctor`: what it says of a sound machine, of a broken one and of one without a network, and
that a token is never shown.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from argparse import ArgumentParser
from importlib import metadata

import pytest

from csc_tasks import TASKS_DIR, cli
from csc_tasks.cli import COMMANDS
from csc_tasks.compat import transformers
from csc_tasks.doctor import BROKEN, NOTE, OFF, OK, examine, machine, parts, reach
from csc_tasks.metrics.learned import NAMES, default_model
from tests.support.hub_server import READER, WRITER, environment, hub_server

CORPUS, QA_CORPUS = (
    "DianJin/DianJin-CSC-Data",
    "Lakshan2003/customer-support-client-agent-conversations",
)
METRIC_MODELS = sorted(
    {model for name in NAMES for code in ("zh", "en") if (model := default_model(name, code))}
)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A loopback Hub that this process talks to, with an empty cache and a login that may write."""
    from huggingface_hub import constants

    with hub_server() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", WRITER)
        monkeypatch.setenv("NO_PROXY", "*")
        yield running


@pytest.fixture
def hub_of(monkeypatch):
    """The client as it would be with the loopback address in HF_ENDPOINT: its object has read the
    real one on import.
    """
    import huggingface_hub

    def use(address):
        made = huggingface_hub.HfApi
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: made(endpoint=address))

    return use


def look(*models, seconds=60.0):
    """(state of every subject, all lines) of the findings about what can be fetched. So many
    seconds are never needed, however busy.
    """
    found = list(reach.reach(models, seconds))
    lines = "\n".join(one.line() for one in found)
    for token in (WRITER, READER):
        assert token not in lines
    return {one.subject: one.state for one in found}, lines


def test_everything_is_there(server, hub_of):
    hub_of(server.url)
    for name in (CORPUS, QA_CORPUS):
        server.create(name)
    for name in ("org/model", *METRIC_MODELS):
        server.create(name, kind="model")
    states, lines = look("org/model")
    canonical = [
        name for name in METRIC_MODELS if "/" not in name
    ]  # the stand-in serves names with an owner only
    assert states == {
        "hub": OK,
        "hub login": OK,
        "csc_corpus": OK,
        "csc_qa_corpus": OK,
        "model": OK,
        "metric models": NOTE,
    }
    assert "the writer, by a token from HF_TOKEN with the role write" in lines
    assert f"{CORPUS}@{server.repository(CORPUS).refs['main'][:12]} on the Hub" in lines
    sizes = {"bert-base-chinese": "0.4 GB", "roberta-large": "1.4 GB"}
    shown = ", ".join(f"{name} ({sizes[name]})" for name in canonical)
    assert f"neither here nor reachable: {shown} ->" in lines


def test_names_that_do_not_exist(server, hub_of, monkeypatch, tmp_path):
    hub_of(server.url)
    monkeypatch.setenv("CSC_CORPUS", "demo")
    monkeypatch.setenv("CSC_QA_CORPUS", str(tmp_path))
    states, lines = look("org/absent", str(tmp_path))
    assert states["csc_corpus"] == OK and "demo: 60 conversations" in lines
    assert (
        states["csc_qa_corpus"] == BROKEN
        and "set CSC_QA_CORPUS to demo or a folder" not in lines
        and "or set CSC_QA_CORPUS" in lines
    )
    assert "the Hub has no model org/absent that we may read -> check the name" in lines
    assert f"{tmp_path}: no config.json in it -> give the folder" in lines
    monkeypatch.setenv("CSC_LANGUAGE", "xx")
    assert "broken  settings            csc_language='xx': choose one of zh, en" in look()[1]


@pytest.mark.parametrize(
    ("token", "state", "says"),
    [
        (
            READER,
            NOTE,
            (
                "the reader, by a token from HF_TOKEN with the role read -> publishing needs a"
                " token with write access"
            ),
        ),
        (
            "hf_Revoked0000000000000000000000000",
            BROKEN,
            "the token from HF_TOKEN is refused (401) -> hf auth login",
        ),
        ("hf_Ünreadable", BROKEN, "the token from HF_TOKEN holds characters that no token has"),
        (None, NOTE, "no token: public data can be read, nothing published -> hf auth login"),
    ],
)
def test_a_login_that_is_not_whole(server, hub_of, monkeypatch, token, state, says):
    hub_of(server.url)
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    found = list(
        reach.hub_findings(reach.side_by_side({"hub": lambda: reach._who(5)}, 5)["hub"], 5)
    )
    assert (found[-1].subject, found[-1].state) == ("hub login", state)
    assert says in found[-1].line()
    assert token is None or token not in found[-1].line()


def test_questions_are_asked_at_once_and_the_slow_ones_are_not_waited_for():
    """One question never ends, one needs what another says at the same time: asked in turn, the
    second would wait in vain.
    """
    end, said = threading.Event(), threading.Event()

    def broken():
        raise KeyError("what")

    questions = {
        "slow": end.wait,
        "one": lambda: said.wait(60),
        "other": said.set,
        "broken": broken,
    }
    answers = reach.side_by_side(questions, 0.2)
    assert isinstance(answers.pop("slow"), TimeoutError)
    end.set()
    # On a busy machine the others may not be there in so short a time either: they are asked once
    # more.
    del questions["slow"]
    said.clear()
    answers = reach.side_by_side(questions, 60)
    assert (answers["one"], answers["other"]) == (True, None) and isinstance(
        answers["broken"], KeyError
    )


def test_a_hub_that_does_not_answer_costs_no_more_than_the_limit(server, hub_of, monkeypatch):
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://user:Passw0rd@127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        hub_of(address)
        states, lines = look("org/model", seconds=0.2)
    # The library's own limit and that of the whole round are the same; either may be noticed first.
    assert (
        "cannot be reached (ReadTimeout)" in lines
        or "cannot be reached (no answer within 0.2 s)" in lines
    )
    assert "Passw0rd" not in lines
    assert (states["hub"], states["hub login"], states["csc_corpus"], states["model"]) == (
        BROKEN,
        NOTE,
        BROKEN,
        BROKEN,
    )
    assert (
        "HF_HUB_OFFLINE=1 works with what is here" in lines
        and f"{CORPUS} is not here and cannot be reached" in lines
    )


def test_what_was_fetched_before_serves_without_a_network(server, hub_of, monkeypatch, tmp_path):
    from huggingface_hub import constants

    commit, cache = (
        "0123456789abcdef" * 2 + "01234567",
        tmp_path / "cache" / "datasets--DianJin--DianJin-CSC-Data",
    )
    for file, text in (("refs/main", commit), (f"snapshots/{commit}/data/CSConv.json", "[]")):
        (cache / file).parent.mkdir(parents=True)
        (cache / file).write_text(text)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(server.requests)
    states, lines = look("org/model", "no/hub/id")
    assert len(server.requests) == asked
    assert states["hub"] == NOTE and "not asked: HF_HUB_OFFLINE is set" in lines
    assert f"ok      csc_corpus          {CORPUS}@0123456789ab, fetched before" in lines
    assert f"note    csc_qa_corpus       {QA_CORPUS} is not here and was not asked for" in lines
    assert "broken  model               no/hub/id: no such folder here, and no Hub id" in lines


class Installed:
    """What importlib.metadata would say of an installed csc-tasks with these requirements."""

    def __init__(self, *requires, version="0.1.0"):
        self.version, self.requires = version, requires
        self.metadata = self

    def get_all(self, _):
        return ["hf", "train", "all"]


def test_versions_and_extras(monkeypatch):
    needs = (
        "one>=1",
        'two>=2; extra == "hf"',
        'three; extra == "train"',
        'four>=4; extra == "train"',
        'csc-tasks[hf]; extra == "all"',
    )
    monkeypatch.setattr(machine.metadata, "distribution", lambda _: Installed(*needs))
    have = {"one": "1.2", "two": "1.9rc1", "four": "4.0rc1"}

    def version(name):
        if name not in have:
            raise metadata.PackageNotFoundError(name)
        return have[name]

    monkeypatch.setattr(machine.metadata, "version", version)
    found = {one.subject: (one.state, one.found, one.advice) for one in machine.versions()}
    assert found["libraries"] == (OK, "one 1.2", "")
    assert found["extra hf"] == (
        BROKEN,
        "two 1.9rc1 where >=2 is needed",
        "pip install --upgrade 'csc-tasks[hf]'",
    )
    assert found["extra train"] == (
        BROKEN,
        "four 4.0rc1 where >=4 is needed; without three",
        "pip install --upgrade 'csc-tasks[train]'",
    )
    assert "extra all" not in found
    have |= {"four": "4.1"}
    del have["one"], have["two"]
    found = {one.subject: (one.state, one.found) for one in machine.versions()}
    assert found["libraries"] == (BROKEN, "not installed (one)")
    assert found["extra hf"] == (NOTE, "not installed (two)")
    assert found["extra train"] == (NOTE, "without three")


def test_a_checkout_that_is_not_installed_or_installed_from_elsewhere(monkeypatch):
    monkeypatch.setattr(
        machine.metadata, "distribution", lambda _: Installed("one", version="0.0.9")
    )
    assert [one.state for one in machine.versions()][1] == BROKEN

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(machine.metadata, "distribution", absent)
    python, project = machine.versions()
    assert (python.state, project.state) == (OK, BROKEN) and project.advice.startswith(
        "pip install -e "
    )


def test_discovery_says_why_lm_eval_would_not_find_the_tasks(monkeypatch, tmp_path):
    from csc_tasks.autoload import start

    def found():
        return next(machine.discovery())

    monkeypatch.setattr(machine, "discovers_plugins", lambda _: False)
    monkeypatch.delitem(sys.modules, "csc_tasks_autoload", raising=False)
    assert (found().state, found().found) == (
        BROKEN,
        "the start-up hook did not run in this environment",
    )
    monkeypatch.setitem(sys.modules, "csc_tasks_autoload", start)
    assert (found().state, found().found) == (OK, "the start-up hook shows lm_eval 17 task files")
    monkeypatch.setenv("CSC_TASKS_AUTOLOAD", "0")
    assert (found().state, found().found) == (NOTE, "switched off by CSC_TASKS_AUTOLOAD=0")
    monkeypatch.setattr(machine, "discovers_plugins", lambda _: True)
    assert found().state == OK
    monkeypatch.setattr(machine, "TASKS_DIR", tmp_path)
    assert found().state == BROKEN
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", None)
    assert "lm_eval cannot be imported" in found().found


def test_an_lm_eval_of_another_environment_is_pointed_out(monkeypatch, tmp_path):
    (tmp_path / "lm_eval").write_text("#!/bin/sh\n")
    (tmp_path / "lm_eval").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    *_, last = machine.discovery()
    assert (last.state, last.found) == (
        NOTE,
        f"{tmp_path / 'lm_eval'} belongs to another environment",
    )


def test_accelerators(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(machine.shutil, "which", lambda _: None)
    assert machine.accelerator().found.startswith("CPU only; torch ")
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "is a CPU build" in machine.accelerator().found
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "sees no GPU (CUDA_VISIBLE_DEVICES='')" in machine.accelerator().found

    def no_kernel(*_, **__):
        raise RuntimeError("no kernel image is available\nmore")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", no_kernel)
    assert (
        machine.accelerator().state == BROKEN
        and "(no kernel image is available)" in machine.accelerator().found
    )
    monkeypatch.setitem(sys.modules, "torch", None)
    assert (machine.accelerator().state, machine.accelerator().advice) == (
        NOTE,
        "pip install 'csc-tasks[hf]'",
    )


def test_all_parts_work_with_what_is_installed():
    found = list(parts.parts())
    assert [(one.subject, one.state) for one in found] == [(name, OK) for name in parts.PARTS]
    assert f"transformers {metadata.version('transformers')}" in found[1].found


def another_layer(monkeypatch):
    from transformers.cache_utils import CacheLayerMixin

    asked = CacheLayerMixin.__abstractmethods__ | {"get_max_cache_shape"}
    monkeypatch.setattr(CacheLayerMixin, "__abstractmethods__", asked)


def another_argument(monkeypatch):
    """As transformers 5.24 looked to a project that knew the argument by its name of before."""
    monkeypatch.setattr(transformers, "CACHE_NAMES", ("key_values",))


def no_cache_layers(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers.cache_utils", None)


OFFS = {
    "a cache layer that must do more": (
        "lockstep play",
        another_layer,
        "a cache layer must have get_max_cache_shape",
    ),
    "an argument of another name": (
        "lockstep play",
        another_argument,
        "LlamaForCausalLM.forward takes no key-value cache (key_values)",
    ),
    "no cache layers": ("lockstep play", no_cache_layers, "transformers.cache_utils has changed"),
    "an lm_eval without its own": (
        "tasks",
        lambda patch: patch.delattr("lm_eval.models.api_models.TemplateAPI._create_payload"),
        "lm_eval.models.api_models has no TemplateAPI._create_payload there",
    ),
    "a bert-score without its own": (
        "bertscore",
        lambda patch: patch.delattr("bert_score.utils.sent_encode"),
        "bert_score.utils has no sent_encode there",
    ),
    "a trl without its own": (
        "trainer",
        lambda patch: (
            patch.delattr("trl.SFTTrainer.prediction_step")
            or patch.delattr("transformers.Trainer.prediction_step")
        ),
        "SFTTrainer has no prediction_step there",
    ),
}


@pytest.mark.parametrize("name", OFFS)
def test_a_part_that_the_versions_switch_off_is_said_loudly(name, monkeypatch, capsys):
    part, change, why = OFFS[name]
    change(monkeypatch)
    found = {one.subject: one for one in parts.parts()}
    assert (
        found[part].state == OFF
        and why in found[part].found
        and found[part].line().startswith(f"off     {part}")
    )
    assert [one.subject for one in found.values() if one.state == OFF] == [part]
    monkeypatch.setattr(examine, "findings", lambda *_: iter([found[part]]))
    parser = ArgumentParser()
    examine.add_arguments(parser)
    assert examine.main(parser.parse_args([])) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"OFF with the versions installed: {part}",
        "nothing is broken (0 notes)",
    ]


def test_a_part_whose_libraries_are_absent_is_a_note(monkeypatch):
    monkeypatch.setattr(parts, "find_spec", lambda name: None if name == "bleurt_pytorch" else name)
    assert [(one.subject, one.found) for one in parts.parts() if one.state == NOTE] == [
        ("bleurt", "needs bleurt-pytorch")
    ]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Runs csc on an interpreter that has the standard library and this checkout, and nothing
    else.
    """
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(TASKS_DIR.parent),
        "HOME": str(folder),
    }

    def run(*words):
        command = [folder / "bin" / "python", "-m", "csc_tasks.cli", *words]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    return run


def test_doctor_needs_nothing_but_python(bare):
    done = bare("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    states = {line[8:28].strip(): line[:8].strip() for line in lines[:-1]}
    assert states == {
        **{
            "python": OK,
            "csc-tasks": BROKEN,
            "task discovery": BROKEN,
            "accelerator": NOTE,
            "hub and corpora": BROKEN,
        },
        **dict.fromkeys(parts.PARTS, NOTE),
    }
    assert lines[-2].endswith(
        "not looked at, because yaml is not installed -> pip install csc-tasks"
    )
    assert lines[-1] == f"3 broken, {len(parts.PARTS) + 1} notes"


def test_a_library_that_doctor_reads_requirements_with_may_be_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    *_, last = machine.versions()
    assert (last.state, last.subject) == (BROKEN, "libraries") and "packaging" in last.found


def test_every_verb_without_libraries_helps_or_says_in_one_line_what_is_missing(bare):
    helped = 0
    for verb in COMMANDS:
        done = bare(*verb.split(), "--help")
        helped += done.returncode == 0
        if done.returncode:
            extra = {
                "builders": "'csc-tasks[build]'",
                "trainers": "'csc-tasks[train]'",
                "leaderboard": "'csc-tasks[leaderboard]'",
            }
            wanted = extra.get(COMMANDS[verb][0].split(".")[0], "csc-tasks")
            # The first that is imported of those that every part needs.
            assert done.stderr in [
                f"error: csc {verb} needs {name!r}, which is not installed: pip install {wanted}\n"
                for name in ("yaml", "numpy", "pydantic")
            ]
        else:
            assert done.stdout.startswith(f"usage: csc {verb}") and done.stderr == ""
    assert helped >= 8
    assert bare("--help").returncode == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("train", "tiny", "--out", "x"),
            "csc train tiny needs '{}', which is not installed: pip install 'csc-tasks[train]'",
        ),
        (
            ("score", "x", "--out", "y"),
            "csc score needs '{}', which is not installed: pip install csc-tasks",
        ),
        (
            ("build", "demo", "--out", "x"),
            "csc build demo needs '{}', which is not installed: pip install 'csc-tasks[build]'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_verb_without_its_libraries_is_one_line(bare, words, line):
    done = bare(*words)
    library = done.stderr.partition("'")[2].partition("'")[0]
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {line.format(library)}\n" and library in (
        "numpy",
        "torch",
        "pyarrow",
        "yaml",
        "tokenizers",
    )


def test_training_without_torch_is_one_line_and_what_an_installed_library_lacks_a_traceback(
    monkeypatch, tmp_path, capsys
):
    out = str(tmp_path / "out")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.main(["train", "tiny", "--out", out]) == 1
    missing = "needs 'torch', which is not installed: pip install 'csc-tasks[train]'"
    assert capsys.readouterr() == ("", f"error: csc train tiny {missing}\n")
    monkeypatch.undo()
    (tmp_path / "tokenizers.py").write_text("import a_library_that_it_needs\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tokenizers", raising=False)
    with pytest.raises(ModuleNotFoundError, match="a_library_that_it_needs"):
        cli.main(["train", "tiny", "--out", out])


def test_the_verb_as_a_user_runs_it(tmp_path):
    """Status 1 with something broken, one line a subject, the token nowhere."""
    with hub_server() as server:
        env = (
            os.environ
            | environment(server, tmp_path / "hf")
            | {
                "CSC_CORPUS": "demo",
                "CSC_QA_CORPUS": "demo",
            }
        )
        done = subprocess.run(
            [sys.executable, "-m", "csc_tasks.cli", "doctor", "org/absent"],
            env=env,
            capture_output=True,
            text=True,
        )
    assert WRITER not in done.stdout + done.stderr and done.stderr == ""
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert (
        lines[0].startswith("ok      python              3.")
        and lines[-1].endswith("notes")
        and " broken, " in lines[-1]
    )
    subjects = [line[8:28].strip() for line in lines]
    for subject in (
        "csc-tasks",
        "task discovery",
        "accelerator",
        "hub",
        "hub login",
        "csc_corpus",
        "csc_qa_corpus",
        "model",
    ):
        assert subjects.count(subject) == 1, subject


def test_json_is_a_finding_a_line(capsys):
    assert cli.main(["doctor", "--seconds", "0.1"]) == cli.main(
        ["doctor", "--seconds", "0.1", "--json"]
    )
    lines = capsys.readouterr().out.splitlines()
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    assert objects and all(list(one) == ["state", "subject", "found", "advice"] for one in objects)
    assert {one["state"] for one in objects} <= {"ok", "note", "off", "broken"}
    # Nothing else is printed: the text before it is the first call's.
    assert lines[-1].startswith("{") and not lines[-len(objects) - 1].startswith("{")
