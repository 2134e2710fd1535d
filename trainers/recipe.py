"""A recipe: every setting of one training, read from YAML and flags, checked before anything is
loaded.

A key stands here once, in the class Recipe: its type, default, help, range, option and what TRL and
PEFT call it. The checks, the options of `csc train` with their help, and the arguments of the two
libraries follow from that.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks.corpora import CONFIGS
from csc_tasks.corpora.bad_rows import BAD_ROWS
from csc_tasks.errors import SettingError
from csc_tasks.languages import languages
from csc_tasks.prompts import DATE, FORMS, TEXT, iso_date
from csc_tasks.question import REFERENCES
from csc_tasks.reading import read_text
from csc_tasks.reading.yaml_text import LARGEST, NotYaml, strict_yaml
from csc_tasks.settings import STYLES
from trainers.recipe_keys import Key, key, keys_of, read_values

ALL_LINEAR = "all-linear"
NOWHERE = "none"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training. The defaults are the paper's (arXiv 2602.00665: NF4, double quantisation, bf16,
    r 16, alpha 32, dropout 0.1, AdamW).

    Raises SettingError for a value that a key cannot have, or keys that do not go together.
    """

    model: str = key("", "the base: a folder or a Hub id")
    revision: str | None = key(None, "commit, tag or branch of a base on the Hub")
    data: tuple[str, ...] = key(
        (),
        (
            "dataset folders or Hub ids (`demo`: the embedded corpus); their train splits are"
            " read, and no other"
        ),
        option="--corpus",
    )
    configs: tuple[str, ...] = key(
        ("rolecs", "csconv"),
        "which configs of them: rolecs, csconv, qa, qa_<variant>; those that exist are read",
        named=True,
    )
    language: str | None = key(
        None,
        "keep only the conversations of this language, such as zh or en",
        choices=(None, *languages()),
    )
    style: str = key(
        "single",
        (
            "single (one prompt a turn, as in the paper) or chat (turns as messages); scoring"
            " must use the same csc_prompt"
        ),
        choices=STYLES,
    )
    format: str = key(
        TEXT,
        (
            "how targets name their strategy: text ([Strategy] reply) or json (a JSON object);"
            " scoring must use the same csc_format"
        ),
        choices=FORMS,
    )
    date: str = key(
        DATE,
        (
            "what chat templates that print today's date are given for it; scoring must use the"
            " same csc_date"
        ),
    )
    chat_template: bool = key(
        True,
        (
            "false: plain text, for a base model without a template (style single only); scored"
            " without --apply_chat_template"
        ),
    )
    reference: str = key(
        REFERENCES[0],
        "which answer of a question is the target: refined_agent_answer or agent_answer",
        choices=REFERENCES,
    )
    bad_rows: str = key(
        BAD_ROWS[0],
        "rows of the data that cannot be read: error (names them), or drop (counted and named)",
        choices=BAD_ROWS,
    )
    max_length: int = key(2048, "tokens of the longest row", least=16)
    too_long: str = key(
        "error",
        "a target that does not fit whatever history is left out: error, or skip (counted)",
        choices=("error", "skip"),
    )
    pack_turns: bool = key(
        True,
        (
            "chat style: one row teaches as many turns of a conversation as the template allows;"
            " false: one row a turn"
        ),
    )
    strategy_weight: float = key(
        1.0,
        (
            "weight of the tokens that name the strategy in the training loss; more than 1 helps"
            " very small models, 1 is plain"
        ),
        least=1,
        most=100,
    )
    train_size: int | None = key(
        None,
        (
            "how many of the conversations to train on are learned, drawn with the seed; a smaller"
            " number is part of a larger one, and the held out ones stay the same (default: all)"
        ),
        least=1,
        unset="all",
    )
    validation_share: float = key(
        0.05,
        (
            "share of the training conversations that is held out where there is no validation"
            " split; 0: none"
        ),
        least=0,
        most=0.5,
    )
    test_data: str | None = key(
        None,
        (
            "the corpus that will be scored (default: the data); a conversation that is also in"
            " its test split is refused"
        ),
        option="--test-corpus",
    )

    quantization: str = key("nf4", "nf4 (the base in 4 bits) or none", choices=("nf4", "none"))
    double_quantization: bool = key(True, "quantise the constants of nf4 too")
    precision: str = key(
        "auto",
        "auto (what the hardware does best), bf16, fp16 or fp32",
        choices=("auto", "bf16", "fp16", "fp32"),
    )
    lora_r: int = key(16, "rank of the adapter's matrices", least=1, peft=("r",))
    lora_alpha: float = key(
        32.0, "the adapter's weight is lora_alpha / lora_r", above=0, peft=("lora_alpha",)
    )
    lora_dropout: float = key(
        0.1, "dropout before the adapter's matrices", least=0, most=0.9, peft=("lora_dropout",)
    )
    lora_target: tuple[str, ...] = key(
        (ALL_LINEAR,),
        "names of the layers that get adapters; all-linear: every linear layer but the last",
        named=True,
    )
    modules_to_save: tuple[str, ...] = key(
        (), "names of layers trained in full and saved with the adapter, for example embed_tokens"
    )

    epochs: float = key(3.0, "how often the rows are read", above=0, trl=("num_train_epochs",))
    learning_rate: float = key(2e-4, "the highest learning rate", above=0, trl=("learning_rate",))
    schedule: str = key(
        "cosine",
        "cosine, linear, constant or constant_with_warmup",
        choices=("constant", "constant_with_warmup", "cosine", "linear"),
        trl=("lr_scheduler_type",),
    )
    warmup: float = key(
        0.03,
        "steps of rising learning rate (1 or more), or their share of all steps (below 1)",
        least=0,
        trl=("warmup_steps",),
    )
    weight_decay: float = key(0.0, "AdamW's weight decay", least=0, trl=("weight_decay",))
    optimizer: str = key(
        "adamw_torch",
        "adamw_torch, adamw_torch_fused, paged_adamw_8bit or paged_adamw_32bit",
        choices=("adamw_torch", "adamw_torch_fused", "paged_adamw_8bit", "paged_adamw_32bit"),
        trl=("optim",),
    )
    adam_beta2: float = key(
        0.999,
        "AdamW's memory of squared gradients; short trainings of small models want less, 0.98",
        least=0.5,
        most=1,
        trl=("adam_beta2",),
    )
    max_grad_norm: float = key(
        1.0, "gradients are clipped to this norm; 0: never", least=0, trl=("max_grad_norm",)
    )
    batch_size: int = key(
        4,
        "rows (packed: sequences of max_length tokens) in one forward pass of one process",
        least=1,
        trl=(
            "per_device_train_batch_size",
            "per_device_eval_batch_size",
        ),
    )
    accumulation: int = key(
        4, "forward passes in one optimizer step", least=1, trl=("gradient_accumulation_steps",)
    )
    batching: str = key(
        "grouped",
        (
            "grouped (rows of like length together), packed (several rows in one sequence; wants"
            " flash attention) or random"
        ),
        choices=("grouped", "packed", "random"),
    )
    gradient_checkpointing: bool = key(
        True,
        "compute activations again instead of keeping them: less memory, about 20 % slower",
        trl=("gradient_checkpointing",),
    )
    checkpoints: float = key(
        0.1,
        (
            "how often to measure validation loss and save: steps (1 or more), or a share of all"
            " steps (below 1)"
        ),
        above=0,
    )
    early_stopping: int = key(
        0,
        (
            "stop after this many measurements without a better validation loss, and keep the"
            " best; 0: never"
        ),
        least=0,
    )
    log_every: int = key(
        10, "steps between two points of the loss curve", least=1, trl=("logging_steps",)
    )
    report_to: str = key(
        NOWHERE,
        (
            "where losses and learning rates are reported too: none (nothing leaves this machine),"
            " tensorboard (files in DIR/logs), trackio (a local database, unless a Space is set in"
            " its environment) or wandb (Weights & Biases, a service)"
        ),
        choices=(NOWHERE, "tensorboard", "trackio", "wandb"),
    )
    seed: int = key(
        0,
        (
            "of the adapter's first weights, the order of the rows and dropout; and of which"
            " conversations train_size draws"
        ),
        least=0,
        most=2**32 - 1,
        trl=("seed",),
    )

    def __post_init__(self) -> None:
        for name, about in KEYS.items():
            about.check(name, getattr(self, name))
        try:
            iso_date(self.date)
        except ValueError as error:
            raise SettingError(f"date: {self.date!r} {error}") from None
        unknown = [
            config
            for config in self.configs
            if config not in CONFIGS and not config.startswith("qa_")
        ]
        if unknown:
            raise SettingError(
                f"configs: {', '.join(unknown)} unknown; a dataset folder has rolecs, csconv, qa"
                " and qa_<variant>"
            )
        if self.style == "chat" and not self.chat_template:
            raise SettingError(
                "style: chat needs the chat template; on plain text (chat_template: false) use"
                " style: single"
            )
        if self.strategy_weight != 1 and self.batching == "packed":
            raise SettingError(
                "strategy_weight other than 1 does not go with batching: packed; use grouped"
            )
        if self.early_stopping and not self.validation_share:
            raise SettingError(
                "early_stopping needs a validation loss: set validation_share above 0"
            )


KEYS: dict[str, Key] = keys_of(Recipe)
"""Every key of a recipe."""


def read_recipe(path: Path | None, flags: Mapping[str, object]) -> Recipe:
    """The recipe in a YAML file (or the defaults), with `flags` in place of what it says.

    Raises SettingError for a file that cannot be read, an unknown key, or a value of the wrong
    kind.
    """
    settings = {} if path is None else _read_file(path)
    return recipe_from(settings | dict(flags), str(path or "flags"))


def recipe_from(settings: Mapping[str, Any], where: str) -> Recipe:
    """A recipe from a mapping of settings. Raises SettingError that opens with `where`."""
    for name in settings:
        if name not in KEYS:
            closest = difflib.get_close_matches(str(name), KEYS, n=1, cutoff=0.0)[0]
            raise SettingError(
                f"{where}: unknown key {name!r} (closest: {closest}); `csc train --help` lists all"
                " keys"
            )
    try:
        return Recipe(**read_values(Recipe, settings))
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None


def as_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON and YAML hold it."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(recipe).items()
    }


def _read_file(path: Path) -> dict[str, Any]:
    try:
        settings = strict_yaml(read_text(path, "give a recipe (YAML)", largest=LARGEST)) or {}
    except NotYaml as error:
        raise SettingError(f"{path}: not a readable YAML file ({error})") from None
    if not isinstance(settings, dict):
        raise SettingError(
            f"{path}: a recipe is a list of `key: value` lines; found {type(settings).__name__}"
        )
    return settings
