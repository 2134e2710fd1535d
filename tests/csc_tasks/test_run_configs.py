"""The files for `lm_eval run --config` that come with the package, read by lm_eval itself, and the
examples that run them elsewhere.
"""

from argparse import Namespace
from pathlib import Path

import pytest
from lm_eval.api.registry import get_model
from lm_eval.config.evaluate_config import EvaluatorConfig

from csc_tasks.checks import HF
from csc_tasks.evaluate import CONFIGS, config_names, with_shipped_config
from csc_tasks.runs.task_record import SHIPPED
from csc_tasks.settings import read_settings

DOCS = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "trackers-and-jobs.md"


@pytest.mark.parametrize("name", config_names())
def test_lm_eval_reads_it(name):
    config = EvaluatorConfig.from_config(CONFIGS / f"{name}.yml")
    assert config.tasks == ["csc_conv_ref", "csc_conv_gen", "csc_qa"]
    assert set(config.tasks) <= set(SHIPPED)
    assert config.apply_chat_template is True and config.fewshot_as_multiturn is True
    assert config.log_samples and config.output_path == "results" and config.limit is None
    # lm_eval hands the model's arguments on with the settings.
    settings = {key: value for key, value in config.metadata.items() if key.startswith("csc_")}
    assert read_settings(settings).corpus == "demo"
    backend = get_model(config.model)
    assert backend.__module__.startswith("lm_eval.models.")
    assert ("pretrained" in config.model_args) == (config.model in HF)
    assert f"--config {name} " in DOCS.read_text(encoding="utf-8")


def test_the_command_line_wins():
    words = Namespace(
        config=str(CONFIGS / "hf.yml"), model_args={"pretrained": "mine"}, limit=None, command="run"
    )
    config = EvaluatorConfig.from_cli(words)
    assert (config.model, config.model_args) == ("hf", {"pretrained": "mine"})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--config", "hf", "--limit", "2"], ["--config", str(CONFIGS / "hf.yml"), "--limit", "2"]),
        (["--config=server"], [f"--config={CONFIGS / 'server.yml'}"]),
        (["-C", "litellm"], ["-C", str(CONFIGS / "litellm.yml")]),
        (["--config", "run.yaml"], ["--config", "run.yaml"]),
        (["--model", "hf", "--config"], ["--model", "hf", "--config"]),
    ],
)
def test_a_shipped_configuration_is_named_in_a_word(tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    assert with_shipped_config(words) == expected


def test_a_file_of_that_name_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hf").write_text("model: hf\n", encoding="utf-8")
    assert with_shipped_config(["--config", "hf"]) == ["--config", "hf"]
