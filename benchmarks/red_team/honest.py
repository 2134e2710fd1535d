"""Honest runs of every kind that can be made here: none of them may be accused."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from csc_tasks import TASKS_DIR
from csc_tasks.cli import main
from csc_tasks.framework import STRATEGY_IDS
from csc_tasks.languages.labels import strategy_name
from tests.support.fakes import gold_replies
from tests.support.handed_in import hand_in
from tests.support.servers import chat_server

Run = tuple[str, Path]
"""What kind of run it is, and its results file."""

TASKS = (
    ("csc_conv_ref",),
    ("csc_conv_gen", "csc_qa"),
    ("csc_qa", "cscx_qa_full"),
    ("cscx_conv_ref_vanilla", "cscx_conv_ref_oracle"),
    ("cscx_strategy_choice",),
    ("cscx_conv_ref_forced", "cscx_conv_gen_forced"),
    ("csc_conv_ref", "csc_conv_gen", "csc_qa"),
)
SETTINGS: tuple[dict[str, object], ...] = (
    {},
    {"csc_language": "zh"},
    {"csc_language": "en"},
    {"csc_prompt": "chat"},
    {"csc_subset": 3},
    {"csc_subset": 5, "csc_prompt": "chat", "csc_language": "en"},
    {"csc_qa_reference": "agent_answer"},
    {"csc_format": "json"},
    {"csc_format": "json", "csc_reask": 1, "csc_prompt": "chat"},
    {"csc_reask": 1},
    {"csc_metrics": ["strategy_acc", "rouge_l", "empty", "unparsed"]},
)
LIMITS = (None, None, 2, 4)


def talker(corpus: Path, seed: int) -> Callable[[str], str | None]:
    """A model whose replies are of every kind, and others for every seed."""
    gold = {style: gold_replies(corpus, style) for style in ("single", "chat")}

    def reply(prompt: str) -> str | None:
        drawn = random.Random(f"{seed}{prompt}")
        spoken = "zh" if any("\u4e00" <= sign <= "\u9fff" for sign in prompt) else "en"
        label = strategy_name(drawn.choice(STRATEGY_IDS), spoken)
        own = (
            f"[{label}] {drawn.choice(('Of course', '好的，请稍等', 'I see'))} {drawn.random():.6f}"
        )
        said = next((gold[s][prompt] for s in gold if prompt in gold[s]), own)
        return drawn.choice(
            (
                said,
                own,
                own,
                "no label at all",
                "",
                None,
                f"<think>let me {seed}</think>{own}",
                "<think>and then",
                json.dumps({"strategy": label, "response": own}),
                f"**{said}**\n\n",
                said.replace("[", "\uff3b").replace("]", "\uff3d"),
            )
        )

    return reply


def fakes(root: Path, corpus: Path) -> Iterator[Run]:
    """A model from a function, under ever other settings."""
    choices = itertools.product(TASKS, SETTINGS, LIMITS)
    for seed, (tasks, more, limit) in enumerate(sorted(choices, key=lambda c: hash_of(c))):
        settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | more
        out = root / f"fake{seed:03}"
        yield "function", hand_in(out, tasks, talker(corpus, seed), settings, limit)


def hash_of(choice: object) -> float:
    """An order that is the same on every machine."""
    return random.Random(repr(choice)).random()


def some_text(reply: Callable[[str], str | None]) -> Callable[[str], str]:
    """The same model without replies of None, which lm_eval's cache does not take."""
    return lambda prompt: reply(prompt) or ""


def resumed(root: Path, corpus: Path) -> Iterator[Run]:
    """Half of a run, then the whole from the cache of the first half."""
    for seed in itertools.count():
        settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)}
        cache = str(root / f"cache{seed}")
        tasks = TASKS[seed % 2 * -1]
        for part, limit in (("half", 3), ("whole", None)):
            out = root / f"resumed{seed}{part}"
            reply = some_text(talker(corpus, seed))
            results = hand_in(out, tasks, reply, settings, limit, use_cache=cache)
        yield "resumed from a cache", results


def scored(root: Path, corpus: Path) -> Iterator[Run]:
    """A run whose metrics were computed again by csc score."""
    for seed in itertools.count(500):
        more = SETTINGS[seed % len(SETTINGS)]
        settings = {"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)} | more
        limit = LIMITS[seed % 4]
        first = hand_in(
            root / f"first{seed}", TASKS[seed % 4][:1], talker(corpus, seed), settings, limit
        )
        again = root / f"again{seed}"
        assert main(["score", str(first.parent), "--out", str(again)]) == 0
        yield "scored again", next(again.rglob("results_*.json"))


def models(root: Path, corpus: Path, folder: Path) -> Iterator[Run]:
    """lm_eval's hf backend with a small random model, with and without its chat template."""
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=str(folder), device="cpu", batch_size=8)
    for seed in itertools.count():
        settings = {
            "csc_corpus": str(corpus),
            "csc_qa_corpus": str(corpus),
            "csc_subset": 1 + seed % 3,
            "csc_prompt": ("single", "chat")[seed % 2],
        }
        yield (
            "hf",
            hand_in(
                root / f"hf{seed}",
                (("csc_conv_gen", "csc_qa"), ("csc_conv_ref",), ("cscx_strategy_choice",))[
                    seed % 3
                ],
                str,
                settings,
                model=model,
                apply_chat_template=seed % 4 < 2,
                gen_kwargs=f"max_gen_toks={6 + seed % 5}",
                system_instruction="Be brief." if seed % 5 == 0 else None,
            ),
        )


def servers(root: Path, corpus: Path) -> Iterator[Run]:
    """A chat server of which lm_eval asks; some of its replies are thought aloud or refused."""
    from lm_eval.api.registry import get_model

    for seed in itertools.count():
        reply = talker(corpus, 700 + seed)

        def answer(body: dict, reply: Callable[[str], str | None] = reply) -> tuple:
            text = reply(json.dumps(body["messages"], ensure_ascii=False))
            return text, "length" if text is None else "stop"

        with chat_server(answer) as server:
            model = get_model("local-chat-completions")(
                model=f"stub-{seed}", base_url=server.url, num_concurrent=1 + seed % 3
            )
            settings = {
                "csc_corpus": str(corpus),
                "csc_qa_corpus": str(corpus),
                "csc_subset": 3,
                "csc_prompt": ("chat", "single")[seed % 2],
            }
            yield (
                "chat server",
                hand_in(
                    root / f"server{seed}",
                    (("csc_conv_ref", "csc_qa"), ("csc_conv_gen",))[seed % 2],
                    str,
                    settings,
                    model=model,
                    apply_chat_template=True,
                ),
            )


def ranks(root: Path, corpus: Path, folder: Path) -> Run:
    """lm_eval as the user starts it, on two ranks."""
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    words += ["--standalone", "-m", "lm_eval", "run", "--model", "hf", "--device", "cpu"]
    words += ["--model_args", f"pretrained={folder}", "--include_path", str(TASKS_DIR)]
    words += ["--tasks", "csc_conv_gen,csc_qa", "--gen_kwargs", "max_gen_toks=6"]
    words += ["--metadata", json.dumps({"csc_corpus": str(corpus), "csc_qa_corpus": str(corpus)})]
    words += ["--apply_chat_template", "--log_samples", "--output_path", str(root / "ranks")]
    subprocess.run(
        words, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    return "two ranks", next((root / "ranks").rglob("results_*.json"))


def honest_runs(root: Path, corpus: Path, count: int, processes: bool = True) -> Iterator[Run]:
    """`count` honest runs: a tenth each from hf, a server, a cache and csc score, one on two ranks
    (where processes may be started), one of baselines, the rest from a function.
    """
    from tests.support.play_models import random_model

    folder = random_model(root / "model", positions=8192)
    tenth = max(1, count // 10)
    kinds: list[Iterator[Run]] = [
        itertools.islice(models(root, corpus, folder), tenth),
        itertools.islice(servers(root, corpus), tenth),
        itertools.islice(resumed(root, corpus), tenth),
        itertools.islice(scored(root, corpus), tenth),
        itertools.islice(baselines(root, corpus), 1),
    ]
    if processes:
        kinds.append(iter([ranks(root, corpus, folder)]))
    rest = count - 4 * tenth - 1 - processes
    yield from itertools.chain(*kinds, itertools.islice(fakes(root, corpus), rest))


def baselines(root: Path, corpus: Path) -> Iterator[Run]:
    """What csc baselines writes."""
    words = ["baselines", str(corpus), "--train", "demo", "--out", str(root / "baselines")]
    assert main(words) == 0
    for file in sorted((root / "baselines").rglob("results_*.json")):
        yield "baseline", file
