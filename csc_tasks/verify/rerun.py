"""Asking the model again: some turns of a run drawn at random, replied to once more by lm_eval, and
compared.

lm_eval runs as a process of its own with the settings of the run (corpus, prompt style, chat
template, generation settings), restricted to the drawn turns by `csc_turns`. The model is the one
the verifier names. Greedy replies are the same on the same hardware; elsewhere rounding moves some.
Sampled ones are the same only where a server follows the seed it is sent: of a run that samples,
other replies contradict nothing. A run that asked several times (`csc_repeats`) is asked as often.
"""

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csc_tasks import TASKS_DIR
from csc_tasks.errors import DataError, ModelError
from csc_tasks.named_turns import turn_name
from csc_tasks.out import replace_file
from csc_tasks.prompts import SEVERAL, SPOKEN
from csc_tasks.runs.finding import find_samples
from csc_tasks.runs.model_arguments import as_text
from csc_tasks.runs.results_file import Measurement
from csc_tasks.runs.samples_file import Run, read_run
from csc_tasks.runs.task_record import SHIPPED
from csc_tasks.verify.trusted import Trusted
from csc_tasks.verify.verdict import Finding, short

PASSED_ON = ("csc_qa_variant", "csc_date", "csc_think_tokens")
"""Settings of the run that move a reply and name nothing on the verifier's machine."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The model that is asked, as lm_eval takes it: backend, its arguments, device (None: lm_eval's
    choice).
    """

    model: str
    arguments: str
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """A turn that is asked again, and what the run says the model replied, in which repeat."""

    task: str
    name: str
    reply: str
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Rerun:
    """What asking again gave. same: how many replies are those of the run. drawn: of how many."""

    drawn: tuple[Drawn, ...]
    same: int
    findings: tuple[Finding, ...]


def draw(runs: Sequence[Run], count: int, seed: int) -> list[Drawn]:
    """`count` turns at random over the tasks of a run, or all where there are fewer; the same for
    the same seed.
    """
    every = [
        Drawn(
            run.task,
            turn_name(record["conversation_id"], record["turn"]),
            _said(record),
            record.get("repeat", 0),
        )
        for run in runs
        for record in run.records
    ]
    every.sort(key=_place)
    chosen = random.Random(seed).sample(every, min(count, len(every)))
    return sorted(chosen, key=_place)


def _place(one: Drawn) -> tuple[str, str, int]:
    return one.task, one.name, one.repeat


def rerun(
    measurements: Sequence[Measurement],
    count: int,
    seed: int,
    asked: Asked,
    trusted: Trusted,
) -> Rerun:
    """Ask `count` drawn turns of a results file again and compare.

    A trusted corpus serves in place of the run's own, where one has its texts.
    Raises DataError where there is nothing to draw from, ModelError where lm_eval fails.
    """
    runs = [
        read_run(m.samples)
        for m in measurements
        if m.samples is not None and m.task in SHIPPED and not m.identity.baseline
    ]
    if not runs:
        raise DataError(f"{measurements[0].file}: no samples of a model's run to draw turns from")
    drawn = draw(runs, count, seed)
    again: dict[tuple[str, str, int], str] = {}
    for run in runs:
        names = [one.name for one in drawn if one.task == run.task]
        if names:
            csc = run.results["configs"][run.task]["metadata"]["csc"]
            corpus = trusted.readable(str(csc["config"]), str(csc.get("split")))
            for (name, repeat), reply in replies(run, names, asked, corpus).items():
                again[run.task, name, repeat] = reply
    others = [one for one in drawn if again.get(_place(one)) != one.reply]
    findings = [
        Finding(
            one.task,
            f"turn {one.name}" + (f", repeat {one.repeat}" if one.repeat else ""),
            short(one.reply),
            short(again.get(_place(one), "nothing")),
            "another reply when it was asked again",
            contradicts=False,
        )
        for one in others
    ]
    if 2 * len(others) > len(drawn):
        chance = any(m.sampled for m in measurements)
        findings.append(
            Finding(
                measurements[0].task,
                "rerun",
                f"{len(drawn)} replies",
                f"{len(drawn) - len(others)} the same",
                "most replies are others when the model is asked again"
                + ("; they are sampled, so that may be chance" if chance else ""),
                contradicts=not chance,
            )
        )
    return Rerun(tuple(drawn), len(drawn) - len(others), tuple(findings))


def command_of(
    run: Run, names: Sequence[str], asked: Asked, corpus: str | None, out: Path
) -> list[str]:
    """The lm_eval command that asks the named turns of a run's task again."""
    metadata = run.results["configs"][run.task]["metadata"]
    csc = metadata["csc"]
    settings: dict[str, object] = {
        key: metadata[key] for key in PASSED_ON if metadata.get(key) is not None
    }
    settings |= {"csc_turns": list(dict.fromkeys(names)), "csc_metrics": "failed"}
    if run.repeats > 1:
        settings["csc_repeats"] = run.repeats
    if isinstance(csc.get("prompt"), str) and csc["prompt"] != SPOKEN:
        settings["csc_prompt"] = csc["prompt"]
    settings |= {f"csc_{key}": csc[key] for key in ("format", "reask") if csc.get(key)}
    if settings.get("csc_format") == SEVERAL:
        settings["csc_strategies"] = settings.pop("csc_format")
    if isinstance(csc.get("reference"), str):
        settings["csc_qa_reference"] = csc["reference"]
    if any("passages" in record for record in run.records):
        settings["csc_evidence"] = str(_passages_file(run, out))
    kind = "csc_qa_corpus" if run.about.unit == "answers" else "csc_corpus"
    settings[kind] = corpus or str(metadata.get(kind) or csc["corpus"])
    words = [sys.executable, "-m", "lm_eval", "run"]
    words += ["--model", asked.model, "--model_args", asked.arguments]
    words += ["--device", asked.device] if asked.device else []
    words += ["--tasks", run.task, "--include_path", str(TASKS_DIR), "--log_samples"]
    words += ["--metadata", json.dumps(settings, ensure_ascii=False), "--output_path", str(out)]
    words += ["--apply_chat_template"] if run.results.get("chat_template") else []
    if instruction := run.results.get("system_instruction"):
        words += ["--system_instruction", str(instruction)]
    configured = run.results.get("config")
    given = configured.get("gen_kwargs") if isinstance(configured, Mapping) else None
    return [*words, "--gen_kwargs", as_text(given)] if given else words


def _passages_file(run: Run, out: Path) -> Path:
    """The passages that a run showed, as a file of evidence."""
    keys = ("conversation_id", "turn", "passages")
    rows = ({key: record.get(key) for key in keys} for record in run.one_repeat(0).records)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return replace_file(out / "passages.jsonl", lines)


def replies(
    run: Run, names: Sequence[str], asked: Asked, corpus: str | None
) -> dict[tuple[str, int], str]:
    """(name of a turn, repeat) -> the reply when it is asked again; raises ModelError where lm_eval
    fails.
    """
    with tempfile.TemporaryDirectory(prefix="csc-rerun-") as folder:
        words = command_of(run, names, asked, corpus, Path(folder))
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise ModelError(
                f"lm_eval ended with status {done.returncode}: {' '.join(said[-1:])[:400]}"
            )
        return {
            (
                turn_name(record["conversation_id"], record["turn"]),
                record.get("repeat", 0),
            ): _said(record)
            for file in find_samples([Path(folder)])
            for record in read_run(file).records
        }


def _said(record: Mapping[str, Any]) -> str:
    """What is compared: the strategy and the text."""
    return f"[{record.get('strategy') or ''}] {record['reply']}"
