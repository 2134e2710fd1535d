"""What can be known to be wrong with a run before its model is loaded.

`check_run` gets the arguments of lm_eval's `simple_evaluate`. It loads the tasks of ours among
them, which reads settings and corpora and looks for what the metrics need, and hands the loaded
tasks on, so that nothing is read twice.
"""

import functools
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager
from lm_eval.utils import simple_parse_args_string

from csc_tasks import play
from csc_tasks.errors import CscError, ModelError, SettingError, require
from csc_tasks.gguf import gguf_files, one_of_several, splits_as_learned
from csc_tasks.prompts import ChatTemplate, needs_parts, of_tokenizer
from csc_tasks.tasks import SupportTask

Tasks = dict[str, SupportTask[Any, Any]]
"""Tasks of ours by name."""

OUR_CLASSES = "csc_tasks.tasks."
"""How the YAML files name the classes of tasks."""

log = logging.getLogger("lm_eval.csc_tasks")

HF = ("hf", "hf-auto", "huggingface")
"""The names of lm_eval's backend on transformers."""

WITH_LOCAL_TOKENIZER = (*HF, "vllm")
"""lm_eval's backends that take the chat template of the tokenizer they are given."""


def check_run(run: dict[str, Any]) -> None:
    """Raise a CscError for what would fail later; names of our tasks become the loaded tasks.

    `run` holds the arguments of `simple_evaluate` by name. A run without a task of ours is left as
    it is, and so is what only lm_eval can judge: a model that does not exist, a task of its own.
    """
    model_args = run.get("model_args") or {}
    if isinstance(model_args, str):
        model_args = simple_parse_args_string(model_args)
    tasks = load_tasks(run, model_args)
    if not tasks:
        return
    check_limit(run.get("limit"))
    check_repeats(run.get("gen_kwargs"), tasks)
    check_samples(run.get("samples"), tasks)
    if run.get("use_cache"):
        play.check_cache(run["use_cache"])
    if run.get("num_fewshot"):
        log.warning(
            "--num_fewshot %s has no effect on the csc tasks: their prompts hold no examples",
            run["num_fewshot"],
        )
    templated = run.get("apply_chat_template")
    if not templated:
        for task in tasks.values():
            warn_about_plain_chat(task.settings.prompt)
    if isinstance(run.get("model"), str):
        check_backend(run["model"], templated, tasks)
        if run["model"] in HF:
            check_gguf(model_args)
        if templated and run["model"] in WITH_LOCAL_TOKENIZER:
            styles = {task.settings.prompt for task in tasks.values()}
            check_chat_template(model_args, templated, styles)


def load_tasks(run: dict[str, Any], model_args: Mapping[str, Any]) -> Tasks:
    """The tasks of ours in this run by name, loaded; `run` is changed to hold them."""
    asked = run.get("tasks")
    if not isinstance(asked, list):
        return {}
    if run.get("task_manager") is None and any(isinstance(spec, (str, dict)) for spec in asked):
        # As simple_evaluate makes it, only earlier.
        run["task_manager"] = TaskManager(metadata=dict(model_args) | (run.get("metadata") or {}))
    ours: Tasks = {}
    specs = []
    for spec in asked:
        item, loaded = load_task(spec, run.get("task_manager"))
        specs.append(item)
        ours |= loaded
    if not run.get("check_integrity"):  # which wants names
        run["tasks"] = specs
    return ours


def load_task(spec: object, manager: TaskManager) -> tuple[object, Tasks]:
    """What to give lm_eval for one entry of its task list, and the tasks of ours in it by name."""
    if isinstance(spec, SupportTask):
        return spec, {spec.task_name: spec}
    if not isinstance(spec, (str, dict)) or not is_ours(spec, manager.task_index):
        return spec, {}
    try:
        loaded = manager.load([spec])
    except CscError:
        raise
    except Exception as error:  # lm_eval will meet it again and say it in its own way
        log.debug("%s is not checked before the model is loaded: %r", spec, error)
        return spec, {}
    if loaded["groups"]:
        return loaded["groups"][spec], loaded["tasks"]
    (task,) = loaded["tasks"].values()
    return task, loaded["tasks"]


def is_ours(spec: str | dict[str, Any], index: Mapping[str, Any]) -> bool:
    """Whether a task name, group name or task configuration stands for tasks of ours alone."""
    if isinstance(spec, dict):
        return isinstance(spec.get("class"), type) and issubclass(spec["class"], SupportTask)
    config = (index[spec].cfg if spec in index else None) or {}
    if "class" in config:
        # lm_eval's index keeps `!function csc_tasks.tasks.X` as FOLDER/csc_tasks.tasks.X.
        return Path(str(config["class"])).name.startswith(OUR_CLASSES)
    members = config.get("task")
    if not isinstance(members, list) or not members:
        return False
    return all(isinstance(name, str) and is_ours(name, index) for name in members)


def check_limit(limit: float | None) -> None:
    """`--limit 0` would ask everything: lm_eval takes it for no limit."""
    if limit is not None and not limit > 0:
        raise SettingError(
            f"--limit {limit:g} asks nothing; give a number of conversations (1 or more), "
            "a share of them (above 0, below 1), or leave it out"
        )


def check_repeats(given: str | Mapping[str, Any] | None, tasks: Tasks) -> None:
    """Several repeats of greedy replies would be the same reply. given: `--gen_kwargs`."""
    asked: Mapping[str, Any] = (
        simple_parse_args_string(given) if isinstance(given, str) else given or {}
    )
    for task in tasks.values():
        own = task.config.generation_kwargs or {}
        play.check_sampled(task.settings.repeats, {**own, **asked})


def check_samples(samples: Mapping[str, Any] | None, tasks: Tasks) -> None:
    """Every document that `--samples` names must exist; an empty list would ask all of them."""
    for name, task in tasks.items():
        positions = (samples or {}).get(name)
        if positions is None:
            continue
        count = len(task.eval_docs)
        if not positions:
            raise SettingError(
                f"--samples names no document of {name}; give some of 0 to {count - 1}, "
                "or leave the task out"
            )
        outside = [position for position in positions if position not in range(count)]
        if outside:
            raise SettingError(
                f"--samples names document {outside[0]!r} of {name}; there are 0 to {count - 1}"
            )


@functools.cache
def warn_about_plain_chat(style: str) -> None:
    """Say once that the chat style without a chat template is no chat."""
    if style == "chat":
        log.warning(
            "csc_prompt=chat without --apply_chat_template: the turns are sent as plain text, "
            "not as chat messages; add --apply_chat_template for a chat model"
        )


def check_backend(model: str, templated: bool | str | None, tasks: Tasks) -> None:
    """What lm_eval's chat APIs cannot do."""
    if not model.endswith("chat-completions"):
        return
    if not templated:
        raise SettingError(f"--model {model} takes chat messages only; add --apply_chat_template")
    choosing = [name for name, task in tasks.items() if task.REQUEST == play.CHOOSE]
    if choosing:
        raise ModelError(
            f"{choosing[0]} needs log-likelihoods, which --model {model} cannot give; "
            "leave the task out"
        )


def check_gguf(model_args: Mapping[str, Any]) -> None:
    """That a GGUF file is named where there is no other model, is there, whole, and can be read."""
    folder, file = str(model_args.get("pretrained")), model_args.get("gguf_file")
    if file is None:
        files = gguf_files(folder)
        if files:
            named = f"pretrained={files[0].parent},gguf_file={files[0].name}"
            raise ModelError(f"{folder}: a GGUF file; name it so: --model_args {named}")
        return
    if Path(folder).is_dir() and not Path(folder, str(file)).is_file():
        raise ModelError(f"gguf_file={file}: there is no such file in {folder}")
    if reason := one_of_several(Path(folder, str(file))):
        raise ModelError(reason)
    require("gguf", "real", f"gguf_file={file}")
    if not model_args.get("tokenizer") and (note := splits_as_learned(Path(folder, str(file)))):
        log.warning(note)


def check_chat_template(
    model_args: Mapping[str, Any], wanted: bool | str, styles: Collection[str] = ()
) -> None:
    """Load the model's tokenizer alone and try the chat template that is asked for.

    `styles` are the prompt styles of the run: in "chat" the template has to show earlier turns too.
    A tokenizer that cannot be loaded is left to lm_eval.
    """
    name = model_args.get("tokenizer") or model_args.get("pretrained")
    if not isinstance(name, str):
        return
    keys = ("revision", "trust_remote_code", "subfolder", "gguf_file")
    options = {key: model_args[key] for key in keys if model_args.get(key)}
    if model_args.get("tokenizer"):
        options.pop("gguf_file", None)
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(name, **options)
    except Exception as error:
        log.debug("the chat template of %s is not checked: %r", name, error)
        return
    template = tokenizer.chat_template
    if not template:
        raise ModelError(
            f"{name}: its tokenizer has no chat template; leave out --apply_chat_template, "
            "or name a tokenizer that has one (--model_args pretrained=...,tokenizer=DIR)"
        )
    if isinstance(template, dict):
        chosen = wanted if isinstance(wanted, str) else "default"
        if chosen not in template:
            names = ", ".join(sorted(template))
            raise ModelError(
                f"{name}: no chat template {chosen!r}; choose with --apply_chat_template: {names}"
            )
        template = template[chosen]
    shown = ChatTemplate(of_tokenizer(tokenizer, chat_template=template))
    try:
        needs_parts(shown.apply)
        if "chat" in styles:
            shown.check_history()
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None
