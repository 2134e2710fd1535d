"""A base model, a corpus and recipe words for tests that really train; also what a test runs in a
process of its own.
"""

import json
import os
import runpy
import signal
import sys
from pathlib import Path

from tests.support.chat_tokenizers import make_tokenizer, save_model
from tests.support.fakes import sample_conversations
from trainers.recipe import KEYS
from trainers.recipe_keys import option_of

WORDS = {
    "style": "chat",
    "max_length": "4000",
    "quantization": "none",
    "epochs": "6",
    "batch_size": "2",
    "accumulation": "1",
    "lora_r": "4",
    "lora_dropout": "0.1",
    "learning_rate": "3e-2",
    "validation_share": "0.2",
    "log_every": "1",
    "checkpoints": "4",
    "gradient_checkpointing": "false",
}


def make_base(root: Path, template: str | None = "qwen2_5", **shape) -> Path:
    """A small random model whose tokenizer knows the sample conversations."""
    from csc_tasks.prompts import TurnPrompt

    prompts = [
        TurnPrompt(item, turn) for item in sample_conversations() for turn in item.scored_turns()
    ]
    texts = [
        text for prompt in prompts for text in (prompt.plain(prompt.messages()), prompt.target())
    ]
    return save_model(
        root / "base", make_tokenizer(template, texts, positions=8192), positions=8192, **shape
    )


def make_corpus(root: Path) -> Path:
    """The sample conversations as rolecs/train."""
    folder = root / "corpus" / "rolecs"
    folder.mkdir(parents=True)
    lines = [
        json.dumps(item.to_row(), ensure_ascii=False) + "\n" for item in sample_conversations()
    ]
    (folder / "train.jsonl").write_text("".join(lines), encoding="utf-8")
    return root / "corpus"


def make_home(factory) -> Path:
    """A folder with `base` and `corpus`, by pytest's tmp_path_factory."""
    root = factory.mktemp("train")
    make_base(root)
    make_corpus(root)
    return root


def words(base: Path, corpus: Path, out: Path, **changed) -> list[str]:
    """Command-line words of `csc` for a training."""
    settings = {"model": str(base), "data": str(corpus), **WORDS, **changed}
    options = {key: option_of(key, KEYS[key]) for key in settings}
    return [
        "train",
        "--out",
        str(out),
        *(word for key, value in settings.items() for word in (options[key], str(value))),
    ]


def killed_at(step: int, arguments: list[str]) -> None:
    """Run `csc` with these words and kill this process, as the system would, when `step` steps are
    done.
    """
    from csc_tasks import cli
    from trainers import trainer

    made = trainer.callbacks

    def with_a_killer() -> list:
        from transformers import TrainerCallback

        class Killer(TrainerCallback):
            def on_step_end(self, args, state, control, **_):
                if state.global_step == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        return [*made(), Killer()]

    trainer.callbacks = with_a_killer
    cli.main(arguments)


def all_of(trainings: list[list[str]]) -> int:
    """Run `python -m trainers.train` with each of these words, one after the other in this process,
    which may be one of several ranks; the first status that is not 0.
    """
    for arguments in trainings:
        sys.argv = ["trainers.train", *arguments]
        try:
            runpy.run_module("trainers.train", run_name="__main__")
        except SystemExit as end:
            if end.code:
                return end.code
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "all":
        sys.exit(all_of(json.loads(sys.argv[2])))
    killed_at(int(sys.argv[1]), sys.argv[2:])
