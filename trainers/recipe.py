"""A recipe: every setting of one training, read from YAML and flags, checked before anything is
loaded.
"""

import dataclasses
import datetime
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from csc_tasks.conversation import content_id
from csc_tasks.errors import SettingError
from csc_tasks.languages import languages
from csc_tasks.prompts import DATE, iso_date
from csc_tasks.question import REFERENCES
from csc_tasks.reading import read_text
from csc_tasks.settings import STYLES

QUANTIZATIONS = ("nf4", "none")
PRECISIONS = ("auto", "bf16", "fp16", "fp32")
BATCHING = ("grouped", "packed", "random")
TOO_LONG = ("error", "skip")
ALL_LINEAR = "all-linear"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training. The defaults are the paper's (arXiv 2602.00665: NF4, double quantisation, bf16,
    r 16, alpha 32, dropout 0.1, AdamW).
    """

    model: str = ""
    revision: str | None = None
    data: tuple[str, ...] = ()
    configs: tuple[str, ...] = ("rolecs", "csconv")
    language: str | None = None
    style: str = "single"
    date: str = DATE
    chat_template: bool = True
    reference: str = REFERENCES[0]
    max_length: int = 2048
    too_long: str = "error"
    pack_turns: bool = True
    strategy_weight: float = 1.0
    validation_share: float = 0.05
    test_data: str | None = None

    quantization: str = "nf4"
    double_quantization: bool = True
    precision: str = "auto"
    lora_r: int = 16
    lora_alpha: float = 32.0
    lora_dropout: float = 0.1
    lora_target: tuple[str, ...] = (ALL_LINEAR,)
    modules_to_save: tuple[str, ...] = ()

    epochs: float = 3.0
    learning_rate: float = 2e-4
    schedule: str = "cosine"
    warmup: float = 0.03
    weight_decay: float = 0.0
    optimizer: str = "adamw_torch"
    adam_beta2: float = 0.999
    max_grad_norm: float = 1.0
    batch_size: int = 4
    accumulation: int = 4
    batching: str = "grouped"
    gradient_checkpointing: bool = True
    checkpoints: float = 0.1
    early_stopping: int = 0
    log_every: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise SettingError(
                    f"{name}: {getattr(self, name)!r} is not one of {', '.join(map(str, allowed))}"
                )
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                percent = (
                    f"; {value:g} percent are {value / 100:g}" if high <= 1 < value <= 100 else ""
                )
                raise SettingError(f"{name}: {value} must be {_between(low, high)}{percent}")
        for name in ("learning_rate", "epochs", "checkpoints", "lora_alpha"):
            if getattr(self, name) <= 0:
                raise SettingError(f"{name}: {getattr(self, name)} must be greater than 0")
        try:
            iso_date(self.date)
        except ValueError as error:
            raise SettingError(f"date: {self.date!r} {error}") from None
        if unknown := [
            config
            for config in self.configs
            if config not in ("rolecs", "csconv", "qa") and not config.startswith("qa_")
        ]:
            raise SettingError(
                f"configs: {', '.join(unknown)} unknown; a dataset folder has rolecs, csconv, qa"
                " and qa_<variant>"
            )
        for name in ("configs", "lora_target"):
            if not getattr(self, name):
                raise SettingError(f"{name}: name at least one")
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

    @property
    def questions(self) -> bool:
        """Whether only questions are trained on."""
        return all(config.startswith("qa") for config in self.configs)

    def digest(self) -> str:
        """An id of these settings."""
        return content_id("recipe", as_dict(self))


CHOICES = {
    "style": STYLES,
    "reference": REFERENCES,
    "too_long": TOO_LONG,
    "quantization": QUANTIZATIONS,
    "precision": PRECISIONS,
    "batching": BATCHING,
    "language": (None, *languages()),
    "schedule": ("constant", "constant_with_warmup", "cosine", "linear"),
    "optimizer": ("adamw_torch", "adamw_torch_fused", "paged_adamw_8bit", "paged_adamw_32bit"),
}
_ANY = float("inf")
RANGES = {
    "max_length": (16, _ANY),
    "validation_share": (0, 0.5),
    "strategy_weight": (1, 100),
    "lora_r": (1, _ANY),
    "lora_dropout": (0, 0.9),
    "warmup": (0, _ANY),
    "weight_decay": (0, _ANY),
    "max_grad_norm": (0, _ANY),
    "batch_size": (1, _ANY),
    "accumulation": (1, _ANY),
    "early_stopping": (0, _ANY),
    "adam_beta2": (0.5, 1),
    "log_every": (1, _ANY),
    "seed": (0, 2**32 - 1),
}

HELP = {
    "model": "the base: a folder or a Hub id",
    "revision": "commit, tag or branch of a base on the Hub",
    "data": (
        "dataset folders or Hub ids (`demo`: the embedded corpus); their train splits are read, and"
        " no other"
    ),
    "configs": "which configs of them: rolecs, csconv, qa, qa_<variant>; those that exist are read",
    "language": "keep only zh or only en",
    "style": (
        "single (one prompt a turn, as in the paper) or chat (turns as messages); scoring must use"
        " the same csc_prompt"
    ),
    "date": (
        "what chat templates that print today's date are given for it; scoring must use the same"
        " csc_date"
    ),
    "chat_template": (
        "false: plain text, for a base model without a template (style single only); scored without"
        " --apply_chat_template"
    ),
    "reference": "which answer of a question is the target: refined_agent_answer or agent_answer",
    "max_length": "tokens of the longest row",
    "too_long": "a target that does not fit whatever history is left out: error, or skip (counted)",
    "pack_turns": (
        "chat style: one row teaches as many turns of a conversation as the template allows; false:"
        " one row a turn"
    ),
    "strategy_weight": (
        "weight of the tokens that name the strategy in the training loss; more than 1 helps very"
        " small models, 1 is plain"
    ),
    "validation_share": (
        "share of the training conversations that is held out where there is no validation split;"
        " 0: none"
    ),
    "test_data": (
        "the corpus that will be scored (default: the data); a conversation that is also in its"
        " test split is refused"
    ),
    "quantization": "nf4 (the base in 4 bits) or none",
    "double_quantization": "quantise the constants of nf4 too",
    "precision": "auto (what the hardware does best), bf16, fp16 or fp32",
    "lora_r": "rank of the adapter's matrices",
    "lora_alpha": "the adapter's weight is lora_alpha / lora_r",
    "lora_dropout": "dropout before the adapter's matrices",
    "lora_target": (
        "names of the layers that get adapters; all-linear: every linear layer but the last"
    ),
    "modules_to_save": (
        "names of layers trained in full and saved with the adapter, for example embed_tokens"
    ),
    "epochs": "how often the rows are read",
    "learning_rate": "the highest learning rate",
    "schedule": "cosine, linear, constant or constant_with_warmup",
    "warmup": "steps of rising learning rate (1 or more), or their share of all steps (below 1)",
    "weight_decay": "AdamW's weight decay",
    "optimizer": "adamw_torch, adamw_torch_fused, paged_adamw_8bit or paged_adamw_32bit",
    "adam_beta2": (
        "AdamW's memory of squared gradients; short trainings of small models want less, 0.98"
    ),
    "max_grad_norm": "gradients are clipped to this norm; 0: never",
    "batch_size": (
        "rows (packed: sequences of max_length tokens) in one forward pass of one process"
    ),
    "accumulation": "forward passes in one optimizer step",
    "batching": (
        "grouped (rows of like length together), packed (several rows in one sequence; wants flash"
        " attention) or random"
    ),
    "gradient_checkpointing": (
        "compute activations again instead of keeping them: less memory, about 20 % slower"
    ),
    "checkpoints": (
        "how often to measure validation loss and save: steps (1 or more), or a share of all steps"
        " (below 1)"
    ),
    "early_stopping": (
        "stop after this many measurements without a better validation loss, and keep the best; 0:"
        " never"
    ),
    "log_every": "steps between two points of the loss curve",
    "seed": "of the adapter's first weights, the order of the rows and dropout",
}


def read_recipe(path: Path | None, flags: Mapping[str, object]) -> Recipe:
    """The recipe in a YAML file (or the defaults), with `flags` in place of what it says.

    Raises SettingError for a file that cannot be read, an unknown key, or a value of the wrong
    kind.
    """
    import yaml

    settings: dict = {}
    if path is not None:
        text = read_text(path, "give a recipe (YAML)")
        try:
            settings, node = yaml.safe_load(text) or {}, yaml.compose(text, yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise SettingError(
                f"{path}: not a readable YAML file ({' '.join(str(error).split())})"
            ) from None
        if not isinstance(settings, dict):
            raise SettingError(
                f"{path}: a recipe is a list of `key: value` lines; found {type(settings).__name__}"
            )
        keys = [key.value for key, _ in node.value] if node else []
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise SettingError(
                f"{path}: {', '.join(twice)} stands there more than once; YAML would take the last"
                " in silence"
            )
    return recipe_from(settings | dict(flags), str(path or "flags"))


def recipe_from(settings: Mapping, where: str) -> Recipe:
    """A recipe from a mapping of settings. Raises SettingError that opens with `where`."""
    known = {field.name: field for field in dataclasses.fields(Recipe)}
    for key in settings:
        if key not in known:
            closest = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
            raise SettingError(
                f"{where}: unknown key {key!r} (closest: {closest}); `csc train --help` lists all"
                " keys"
            )
    hints = typing.get_type_hints(Recipe)
    try:
        return Recipe(**{key: _value(key, value, hints[key]) for key, value in settings.items()})
    except SettingError as error:
        raise SettingError(f"{where}: {error}") from None


def as_dict(recipe: Recipe) -> dict:
    """The recipe as JSON and YAML hold it."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(recipe).items()
    }


def _value(key: str, value, kind):
    """`value`, from YAML or the command line, as the field wants it."""
    if isinstance(kind, types.UnionType):
        if value is None or value in ("", "none", "null"):
            return None
        kind = next(one for one in typing.get_args(kind) if one is not type(None))
    if typing.get_origin(kind) is tuple:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise SettingError(f"{key}: {value!r} must be a list of names")
        return tuple(part.strip() for part in parts if part.strip())
    if kind is bool:
        text = str(value).lower()
        if text not in ("true", "false"):
            raise SettingError(f"{key}: {value!r} must be true or false")
        return text == "true"
    if kind in (int, float):
        try:
            number = kind(value)
            # 2.5 steps and true epochs are mistakes; YAML reads 2e-4 as text, which is a number all
            # the same.
            if isinstance(value, bool) or number != float(value) or not math.isfinite(number):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise SettingError(
                f"{key}: {value!r} must be a {'whole ' if kind is int else ''}number"
            ) from None
        return number
    if isinstance(value, datetime.date):
        # YAML reads an unquoted day as a date of its own.
        value = value.isoformat()
    if not isinstance(value, str):
        raise SettingError(f"{key}: {value!r} must be text")
    return value


def _between(low: float, high: float) -> str:
    return f"at least {low}" if high == _ANY else f"between {low} and {high}"
