"""Where a training is reported to: nowhere unless a recipe says so, and what is missing is said."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import pytest

from csc_tasks.cli import main
from csc_tasks.errors import SettingError
from csc_tasks.trackers import TRACKERS
from trainers import tracking
from trainers.library_arguments import sft_config
from trainers.preparation import telling_settings
from trainers.recipe import Recipe, as_dict, read_recipe
from trainers.tracking import trackers


def test_nothing_is_reported_unless_asked_for(tmp_path):
    recipe = read_recipe(None, {"model": "m"})
    assert recipe.report_to == "none" and trackers(recipe.report_to, tmp_path) == []
    precision = SimpleNamespace(name="fp32")
    # transformers adds every tracker that is installed where the list is absent.
    assert sft_config(recipe, precision, tmp_path / "a" / "checkpoints", False).report_to == []


def test_an_unknown_tracker_is_one_line():
    with pytest.raises(SettingError, match="report_to: 'all' is not one of none, tensorboard"):
        read_recipe(None, {"report_to": "all"})


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_library_is_said_before_anything_is_read(tmp_path, monkeypatch, capsys, name):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda module, *more: None if module == name else find_spec(module),
    )
    words = ["train", "--model", "absent", "--corpus", "absent", "--report-to", name]
    assert main([*words, "--out", str(tmp_path / "out")]) == 1
    assert (
        f"report_to: {name} needs the package {name}: pip install {name}, or report_to: none"
        in (capsys.readouterr().err)
    )


def test_tensorboard_writes_files_beside_the_adapter_and_nothing_else(tmp_path, monkeypatch):
    """transformers' own callback, with a writer that keeps what it is given."""
    written = []

    class Writer:
        def __init__(self, log_dir):
            self.log_dir = log_dir

        def add_text(self, *_):
            pass

        def add_scalar(self, name, value, step):
            written.append((self.log_dir, name, value, step))

        def flush(self):
            pass

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(tracking, "check", lambda name: None)
    monkeypatch.setattr(
        "transformers.integrations.integration_utils.is_tensorboard_available", lambda: True
    )
    (callback,) = trackers("tensorboard", tmp_path / "adapter")
    args = SimpleNamespace(to_json_string=lambda: "{}", output_dir="elsewhere")
    state = SimpleNamespace(is_world_process_zero=True, is_hyper_param_search=False, global_step=7)
    callback.on_train_begin(args, state, None)
    callback.on_log(args, state, None, logs={"loss": 1.5, "eval_loss": 2.0})
    logs = str(tmp_path / "adapter" / "logs")
    assert written == [(logs, "train/loss", 1.5, 7), (logs, "eval/loss", 2.0, 7)]
    # Only the first of several processes writes.
    (other,) = trackers("tensorboard", tmp_path / "adapter")
    state.is_world_process_zero = False
    other.on_train_begin(args, state, None)
    other.on_log(args, state, None, logs={"loss": 1.0})
    assert len(written) == 2


def test_where_it_is_reported_makes_no_other_training():
    recipe = Recipe(model="m", report_to="wandb")
    assert as_dict(recipe)["report_to"] == "wandb"
    settings = telling_settings(recipe, "base")
    assert settings == telling_settings(Recipe(model="m"), "base")
    assert settings != telling_settings(Recipe(model="m", seed=1), "base")
