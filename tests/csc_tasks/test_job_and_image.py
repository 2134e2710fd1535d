"""The examples in docs/examples: neither a job nor a container is run here, but what they name is
there.
"""

import configparser
import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from lm_eval._cli.harness import HarnessCLI

from csc_tasks.cli import COMMANDS
from csc_tasks.evaluate import config_names

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
JOB = EXAMPLES / "hf_job.py"


def extras():
    """The extras of the package, as setup.cfg has them."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(parser["options.extras_require"])


def checked_by_lm_eval(words):
    """The arguments of `csc evaluate ...` as lm_eval parses them."""
    assert words[:2] == ["csc", "evaluate"] and "evaluate" in COMMANDS
    return HarnessCLI()._parser.parse_args(["run", *words[2:]])


def test_the_jobs_dependencies_are_those_of_the_package():
    header = re.search(r"# /// script\n(.*?)# ///\n", JOB.read_text("utf-8"), re.DOTALL)[1]
    wanted = tomllib.loads(re.sub(r"^# ?", "", header, flags=re.MULTILINE))
    assert wanted["requires-python"] == ">=3.11"
    (package,) = wanted["dependencies"]
    name, extra = re.match(r"([\w-]+)\[(\w+)\] @ git\+https://", package).groups()
    assert name == "csc-tasks" and extra in extras()


def test_the_job_evaluates_and_uploads(monkeypatch):
    done = []
    monkeypatch.setattr(sys, "argv", ["hf_job.py", "org/model", "org/results", "--limit", "2"])
    monkeypatch.setattr(subprocess, "run", lambda words, check: done.append((words, check)))
    monkeypatch.setattr(HfApi, "create_repo", lambda self, name, **more: done.append((name, more)))
    monkeypatch.setattr(HfApi, "upload_folder", lambda self, **more: done.append(more))
    runpy.run_path(str(JOB), run_name="__main__")
    (words, check), (created, private), uploaded = done
    arguments = checked_by_lm_eval(words)
    assert check and arguments.config in config_names() and arguments.limit == 2
    assert arguments.model_args["pretrained"] == "org/model"
    assert (created, private["private"], private["repo_type"]) == ("org/results", True, "dataset")
    assert uploaded["repo_id"] == "org/results" and uploaded["folder_path"] == arguments.output_path
    monkeypatch.setattr(sys, "argv", ["hf_job.py"])
    with pytest.raises(SystemExit, match=r"usage: hf_job\.py MODEL"):
        runpy.run_path(str(JOB), run_name="__main__")


def test_the_containers_commands_exist():
    text = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8")
    (extra,) = re.findall(r"pip install --no-cache-dir '/src\[(\w+)\]'", text)
    assert extra in extras()
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    assert parser["options"]["python_requires"] == ">=" + re.search(r"python:([\d.]+)-", text)[1]
    assert json.loads(re.search(r"ENTRYPOINT (.*)", text)[1]) == ["csc"]
    assert json.loads(re.search(r"CMD (.*)", text)[1])[0] in COMMANDS
    run = re.search(r"docker run .* csc-tasks (evaluate .*)", text)[1]
    assert checked_by_lm_eval(["csc", *run.split()]).config in config_names()
