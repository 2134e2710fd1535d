"""`csc train` on a tiny model: what it writes and says, that it can be trusted to go on, and that
lm_eval scores what it made.
"""

import json
import logging
import re
import shlex
import shutil
from pathlib import Path

import pytest

from csc_tasks import TASKS_DIR
from csc_tasks.cli import main
from tests.support.made_results import conversation_result, conversations, numbered, write_run
from tests.support.quick_lm_eval import only_our_tasks
from tests.support.training_base import make_base, make_home, words
from trainers import adapter
from trainers.scoring import scoring_command

pytestmark = pytest.mark.xdist_group("train")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory)


@pytest.fixture(scope="module")
def trained(home):
    """A finished adapter and what its training printed."""
    import contextlib
    import io

    out, said = home / "adapter", io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(words(home / "base", home / "corpus", out)) == 0
    return out, said.getvalue()


def test_it_learns_and_leaves_an_adapter_with_its_curve_and_record(trained, home):
    out, said = trained
    assert {path.name for path in out.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "csc_adapter.json",
        "loss.json",
        "loss.png",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    record = adapter.finished_record(out)
    curve = json.loads((out / "loss.json").read_text())
    losses = [point["loss"] for point in curve["train"]]
    assert sum(losses[-3:]) < sum(losses[:3]) - 0.1 and record["train_loss"] == losses[-1]
    # Four conversations of which one takes a second row, or two of them; two rows a step.
    assert [point["step"] for point in curve["train"]] == list(range(1, record["steps"] + 1))
    assert (
        record["validation_loss"]
        == curve["validation"][-1]["loss"]
        < curve["validation"][0]["loss"]
    )
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (record["style"], record["dtype"], record["counts"]["conversations"]) == (
        "chat",
        "float32",
        4,
    )
    assert (
        record["data"][0]["content_hash"]
        and record["counts"]["targets"] + record["validation_counts"]["targets"] == 22
    )
    assert (
        "precision: fp32, because there is no GPU" in said
        and "rows more than one a conversation" in said
    )


def test_its_card_holds_recipe_data_losses_and_scores_but_no_path_of_this_machine(
    trained, home, tmp_path
):
    from trainers.adapter_card import write_card

    out, _ = trained
    record = adapter.finished_record(out)
    # Of eight turns three are right, all of them in one of the two conversations: 3/8, and a
    # clustered error of sqrt(2 * (1.5**2 + 1.5**2)) / 8.
    items = conversations(2)
    results = write_run(
        tmp_path / "runs",
        str(home / "base"),
        [conversation_result("csc_conv_ref", items, numbered(2))],
        peft=str(home / "base"),
        dtype="float32",
        api_key="sk-not-for-anyone",
    ).parent
    write_card(record, tmp_path, [results])
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert (
        f"| validation loss | {record['validation_loss']:.4f} |" in card
        and "`base`, adapter of `base`, dtype=float32:" in card
        and "| csc_conv_ref | strategy_acc | 0.375 ± 0.38 |" in card
        and "| csc_conv_ref | turns | 8 |" in card
    )
    assert (
        f"content {record['data'][0]['content_hash']}" in card
        and "| lora_r | 4 |" in card
        and "csc_prompt=chat" in card
    )
    assert "sk-not" not in card and str(home) not in card and "- corpus, rolecs/train" in card


def test_a_finished_training_is_not_repeated_and_another_one_not_written_over(
    trained, home, capsys
):
    out, _ = trained
    before = (out / "adapter_model.safetensors").stat().st_mtime_ns
    assert main(words(home / "base", home / "corpus", out)) == 0
    assert "is finished already" in capsys.readouterr().out
    assert main(words(home / "base", home / "corpus", out, lora_r=8)) == 1
    assert "with another recipe, base or data" in capsys.readouterr().err
    assert (out / "adapter_model.safetensors").stat().st_mtime_ns == before


def test_a_training_killed_while_it_writes_the_adapter_goes_on_even_with_overwrite(
    home, tmp_path, monkeypatch, capsys
):
    from trainers import qlora

    def killed(*_):
        raise KeyboardInterrupt

    arguments = words(home / "base", home / "corpus", tmp_path / "out", epochs="1")
    with monkeypatch.context() as patched:
        patched.setattr(qlora, "write_card", killed)
        assert main(arguments) == 130
    assert main([*arguments, "--overwrite"]) == 0
    assert "going on from" in capsys.readouterr().out
    assert {"README.md", "adapter_model.safetensors", "loss.png"} < set(
        adapter.finished_record(tmp_path / "out")["files"]
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        adapter.finished_record(tmp_path / "out")["files"]
    )
    # Killed between two files on their way out.
    out, files = tmp_path / "out", ["README.md", "adapter_config.json"]
    identity = adapter.read_record(out)["identity"]
    for name in {path.name for path in out.iterdir()} - {"README.md"}:
        (out / name).unlink()
    (out / "checkpoints/checkpoint-2").mkdir(parents=True)
    (out / "training.json").write_text(
        json.dumps({"format": adapter.FORMAT, "identity": identity, "files": files})
    )
    assert adapter.state_of(out, identity, False) == "resume"


def test_an_adapter_that_lacks_files_is_not_called_finished(trained, home, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    (out / "adapter_model.safetensors").unlink()
    for arguments in (
        words(home / "base", home / "corpus", out),
        ["train", "--out", str(out), "--merge", str(tmp_path / "merged")],
    ):
        assert main(arguments) == 1
        assert "lacks adapter_model.safetensors of its adapter" in capsys.readouterr().err


def test_the_folder_the_command_runs_in_can_be_the_adapters(home, tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(words(home / "base", home / "corpus", ".", epochs="1", checkpoints="1000")) == 0
    assert (Path.cwd() / "adapter_model.safetensors").exists()
    (tmp_path / "file").touch()
    assert main(words(home / "base", home / "corpus", tmp_path / "file" / "out")) == 1
    assert "which is a file; give another folder" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["lora_target", "modules_to_save"])
def test_a_layer_that_the_base_has_not_is_refused(home, tmp_path, capsys, key):
    assert (
        main(words(home / "base", home / "corpus", tmp_path / "out", **{key: "q_proj,query"})) == 1
    )
    assert f"{key}: the base has no layer query; it has " in capsys.readouterr().err


def test_rows_longer_than_the_base_can_read_are_refused(home, tmp_path, capsys):
    base = tmp_path / "base"
    shutil.copytree(home / "base", base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 512}))
    assert main(words(base, home / "corpus", tmp_path / "out")) == 1
    assert "the base reads no more than 512; set max_length: 512" in capsys.readouterr().err


def test_an_end_mark_that_the_base_does_not_stop_at_stands_in_the_scoring_command(
    home, tmp_path, capsys
):
    """As of bases that are not instruction-tuned: the template ends a turn with <end_of_turn>, the
    base a text with <eos>.
    """
    (tmp_path / "b").mkdir()
    base = make_base(tmp_path / "b", "gemma")
    arguments = words(base, home / "corpus", tmp_path / "out", epochs="0.1", checkpoints="1000")
    assert main(arguments) == 0
    assert "--gen_kwargs 'until=<end_of_turn>'" in capsys.readouterr().out
    ids = [1, json.loads((base / "generation_config.json").read_text())["eos_token_id"]]
    from transformers import AutoTokenizer

    ids[0] = AutoTokenizer.from_pretrained(base).convert_tokens_to_ids("<end_of_turn>")
    (base / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    assert main([*arguments, "--overwrite"]) == 0
    assert "--gen_kwargs" not in capsys.readouterr().out


def test_what_cannot_be_loaded_is_one_line(trained, home, tmp_path, capsys):
    base = tmp_path / "base"
    shutil.copytree(home / "base", base)
    (base / "model.safetensors").write_bytes(b"half")
    assert main(words(base, home / "corpus", tmp_path / "out")) == 1
    assert "the weights cannot be loaded" in capsys.readouterr().err


def test_a_foreign_folder_is_never_touched(home, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    for more in ([], ["--overwrite"]):
        assert main([*words(home / "base", home / "corpus", tmp_path), *more]) == 1
        assert "holds no adapter of ours" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_printed_command_scores_the_adapter_and_another_style_is_reported(
    trained, home, monkeypatch, caplog
):
    """The command runs in this process through lm_eval's own entry point, on one short
    conversation.
    """
    from lm_eval.__main__ import cli_evaluate

    from tests.support.fakes import sample_conversations

    only_our_tasks(monkeypatch)
    # Whatever became of lm_eval's own handler in this process, the records come here.
    told = logging.getLogger("lm_eval.csc_tasks")
    monkeypatch.setattr(told, "handlers", [*told.handlers, caplog.handler])
    out, said = trained
    (command,) = re.findall(r"^    (lm_eval .*)$", said, re.MULTILINE)
    assert command == scoring_command(adapter.finished_record(out), out)
    test = home / "tested" / "csconv"
    test.mkdir(parents=True, exist_ok=True)
    (test / "test.jsonl").write_text(json.dumps(sample_conversations(("en",))[2].to_row()) + "\n")
    words = shlex.split(command)
    settings = json.loads(words[words.index("--metadata") + 1])
    # Without a test split of its own, the corpus is left to lm_eval's default.
    assert settings == {"csc_prompt": "chat"}
    for style in ("chat", "single"):
        words[words.index("--metadata") + 1] = json.dumps(
            {"csc_corpus": str(test.parent), "csc_prompt": style}
        )
        # The start-up hook leaves a process alone that is not lm_eval, as this one.
        found = ["--include_path", str(TASKS_DIR)]
        monkeypatch.setattr("sys.argv", [*words, "--gen_kwargs", "max_gen_toks=4", *found])
        caplog.clear()
        cli_evaluate()
        assert ("was trained on csc_prompt=chat" in caplog.text) == (style == "single")
    file, *_ = Path(f"{out}-results").rglob("results_*.json")
    results = json.loads(file.read_text())
    assert set(results["results"]) == {"csc_conv_ref", "csc_conv_gen"} and str(out) in str(
        results["config"]["model_args"]
    )


def test_merged_weights_answer_like_base_and_adapter_and_load_like_any_model(
    trained, home, tmp_path, capsys
):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out, _ = trained
    assert main(["train", "--out", str(out), "--merge", str(tmp_path / "merged")]) == 0
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert merged.dtype == torch.bfloat16
    ids = torch.tensor(
        [AutoTokenizer.from_pretrained(tmp_path / "merged")("Hello, how can I help?")["input_ids"]]
    )
    base = AutoModelForCausalLM.from_pretrained(home / "base")
    with torch.no_grad():
        plain = base(ids).logits
        adapted = PeftModel.from_pretrained(base, str(out))(ids).logits
        difference = (merged.float()(ids).logits - adapted).abs().max()
    assert difference < 0.1 * (adapted - plain).abs().max()
    assert main(["train", "--out", str(out), "--merge", str(tmp_path / "merged")]) == 1
    assert "there already and not empty" in capsys.readouterr().err


def test_memory_that_runs_out_in_training_is_one_line_with_what_would_fit(
    home, tmp_path, monkeypatch, capsys
):
    import torch
    from trl import SFTTrainer

    def no_room(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    for name in ("train", "__init__"):
        monkeypatch.setattr(SFTTrainer, name, no_room)
        assert main(words(home / "base", home / "corpus", tmp_path / name)) == 1
        assert "what would fit: gradient_checkpointing: true" in capsys.readouterr().err


def test_a_tokenizer_without_chat_template_is_refused_in_chat_style_and_trains_on_plain_text(
    home, tmp_path, capsys
):
    (tmp_path / "b").mkdir()
    base = make_base(tmp_path / "b", None)
    assert main(words(base, home / "corpus", tmp_path / "out")) == 1
    assert "no chat template" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    plain = words(
        base,
        home / "corpus",
        tmp_path / "out",
        style="single",
        chat_template="false",
        epochs="1",
        checkpoints="1000",
    )
    assert main(plain) == 0
    assert "--apply_chat_template" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        # lm_eval would score other weights than were trained, or fail.
        (
            {"modules_to_save": "embed_tokens"},
            (
                "embed_tokens cannot be trained for a base whose input and output embeddings are"
                " one matrix"
            ),
        ),
        # trl would end in a traceback, after the base was loaded.
        (
            {"lora_target": "q_proj,lm_head"},
            "lora_target: lm_head cannot get an adapter, because the loss is computed without it",
        ),
    ],
)
def test_embeddings_that_could_not_be_trained_or_scored_are_refused_before_the_base_is_loaded(
    home, tmp_path, capsys, changed, says
):
    base = tmp_path / "base"
    shutil.copytree(home / "base", base)
    (base / "model.safetensors").unlink()
    assert main(words(base, home / "corpus", tmp_path / "out", **changed)) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "changed", [{"modules_to_save": "embed_tokens"}, {"lora_target": "q_proj,embed_tokens"}]
)
def test_embeddings_with_more_rows_than_the_tokenizer_has_tokens_are_not_trained(
    home, tmp_path, capsys, changed
):
    """lm_eval cuts the base to the tokenizer, and then cannot load the adapter."""
    base = tmp_path / "base"
    shutil.copytree(home / "base", base)
    config = json.loads((base / "config.json").read_text())
    size = config["vocab_size"]
    (base / "config.json").write_text(
        json.dumps(config | {"vocab_size": size + 12, "tie_word_embeddings": False})
    )
    assert main(words(base, home / "corpus", tmp_path / "out", **changed)) == 1
    says = (
        f"embed_tokens cannot be trained for this base: its embeddings have {size + 12} rows and"
        f" its tokenizer {size} tokens"
    )
    assert says in capsys.readouterr().err


def test_a_sweep_trains_one_adapter_a_value_and_prints_a_table(home, tmp_path, capsys):
    arguments = words(
        home / "base", home / "corpus", tmp_path / "sweep", epochs="1", checkpoints="1000"
    )
    assert main([*arguments, "--sweep", "lora_r=2,4"]) == 0
    table = (tmp_path / "sweep/sweep.md").read_text()
    assert table in capsys.readouterr().out
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert [row[0] for row in rows] == ["lora_r", "---", "2", "4"] and rows[0][
        1
    ] == "validation loss"
    records = [adapter.finished_record(tmp_path / "sweep" / value) for value in ("2", "4")]
    assert [row[1] for row in rows[2:]] == [
        f"{record['validation_loss']:.4f}" for record in records
    ]
    assert records[1]["trained_parameters"] == 2 * records[0]["trained_parameters"]
    assert main([*arguments, "--sweep", "lora_r=2,4", "--merge", "x"]) == 1
