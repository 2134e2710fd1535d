"""Recipes by name: listed, printed, and what `--config` takes."""

from pathlib import Path

import pytest

from csc_tasks import cli
from csc_tasks.errors import SettingError
from trainers.recipe import read_recipe
from trainers.shipped_recipes import FOLDER, recipe_file


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A working folder without a checkout, as the user of a wheel has."""
    monkeypatch.chdir(tmp_path)


def test_every_file_is_listed_with_the_sentence_that_opens_it(capsys):
    assert cli.main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert names == sorted(path.stem for path in FOLDER.iterdir())
    together = " ".join(" ".join(lines).split())
    assert "demo The demo: a three-million-parameter stand-in learns the strategies" in together
    assert "of one machine. For accelerate launch. demo" in together
    assert max(map(len, lines)) <= 100


def test_one_is_printed_so_that_it_can_be_changed(capsys, tmp_path):
    assert cli.main(["recipes", "rolecs"]) == 0
    mine = tmp_path / "mine.yaml"
    mine.write_text(capsys.readouterr().out, encoding="utf-8")
    assert mine.read_bytes() == (FOLDER / "rolecs.yaml").read_bytes()
    assert read_recipe(recipe_file("mine.yaml"), {}) == read_recipe(recipe_file("rolecs"), {})
    assert cli.main(["recipes", "accelerate_fsdp", "--path"]) == 0
    assert Path(capsys.readouterr().out.strip()) == FOLDER / "accelerate_fsdp.yaml"


def test_a_file_wins_over_a_name_and_a_folder_does_not(tmp_path):
    (tmp_path / "demo").mkdir()
    assert recipe_file("demo") == FOLDER / "demo.yaml"
    (tmp_path / "rolecs").write_text("style: single\n", encoding="utf-8")
    assert recipe_file("rolecs") == Path("rolecs")
    assert recipe_file(str(FOLDER / "slm_qa.yaml")) == FOLDER / "slm_qa.yaml"


@pytest.mark.parametrize("words", [("demmo",), ("trainers/recipes/demo.yaml",)])
def test_a_name_that_does_not_exist_gets_the_closest(words, capsys):
    assert cli.main(["train", "--config", *words, "--out", "adapter"]) == 1
    error = capsys.readouterr().err
    assert error == (
        f"error: --config {words[0]}: there is no such file, and no recipe of that name"
        " (closest: demo); there are demo, rolecs, rolecs_paper, slm_qa\n"
    )


def test_the_options_that_do_not_go_together():
    with pytest.raises(SettingError, match="no such file, and no recipe"):
        recipe_file("accelerate_fsdp")
    assert cli.main(["recipes", "--path"]) == 1


def test_train_takes_a_name(capsys):
    assert cli.main(["train", "--config", "demo", "--out", "adapter", "--epochs", "many"]) == 1
    # The recipe was found: what is refused is the value.
    assert "epochs" in capsys.readouterr().err
