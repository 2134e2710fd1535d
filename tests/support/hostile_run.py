"""Runs that hold secrets in every place where lm_eval writes something down, as arguments by name
and as one text; and what of them anybody may see.
"""

import json
from pathlib import Path

from tests.support.made_results import (
    conversation_result,
    conversations,
    csc_of,
    right,
    write_run,
)

TASK = "csc_conv_ref"
USER = "annamueller"
HOME = f"/home/{USER}/work"
HOST = "inference-07.corp.internal"
ADDRESS = f"https://svc:hunter2pass@{HOST}/v1/chat/completions?api-key=query-key-9931"
SECRETS = (
    *("bearer-4417-nested", "hunter2pass", "query-key-9931", "gen-key-5520", "plain-key-7741"),
    *("sk-in-a-name-00112233", "extra-pass-6082", "hf_" + "Q7x" * 12, "wandb-key-3308"),
    *(USER, HOST, "workstation-of-anna", "internal-plan-b"),
)
"""No byte of any of these may be written or printed."""

LOCAL = {
    "pretrained": f"{HOME}/models/base-7b",
    "peft": f"{HOME}/adapters/support-lora",
    "tokenizer": f"C:\\Users\\{USER}\\tokenizers\\ours",
    "revision": "v2.1",
    "dtype": "bfloat16",
    "load_in_4bit": True,
    "bnb_4bit_quant_type": "nf4",
    "add_bos_token": True,
    "prefix_token_id": 2,
    "base_url": ADDRESS,
    "api_key": "plain-key-7741",
    "header": {"X-Auth": {"Authorization": "Bearer bearer-4417-nested"}},
    "download_dir": f"{HOME}/cache",
    "my_password": "extra-pass-6082",
    "sk-in-a-name-00112233": 1,
}
ON_HUB = {
    "pretrained": "org/base-7b",
    "revision": "main",
    "dtype": "float16",
    "quantization": "awq",
    "add_bos_token": False,
    "base_url": ADDRESS,
    "api_key": "plain-key-7741",
    "token": "hf_" + "Q7x" * 12,
    "download_dir": f"{HOME}/cache",
}
GENERATION = {
    "temperature": 0.7,
    "do_sample": True,
    "until": ["\nCustomer:"],
    "extra_body": {"key": "gen-key-5520"},
    "user": USER,
}


def write_hostile(root: Path, as_text: bool) -> Path:
    """A run below `root` whose file has secrets everywhere: an adapter in a home folder, with
    arguments by name, or a model of the Hub, with arguments as one text. Returns its results file.
    """
    arguments = ON_HUB if as_text else LOCAL
    name = arguments.get("peft", arguments["pretrained"])

    def change(made: dict) -> None:
        made["config"]["model_args"] = _text(arguments) if as_text else arguments
        made["config"]["gen_kwargs"] = _text(GENERATION) if as_text else GENERATION
        made["config"] |= {
            "use_cache": f"{HOME}/cache.sqlite",
            "device": "cuda:0",
            "wandb_args": {"key": "wandb-key-3308"},
        }
        made |= {
            "pretty_env_info": "Hostname: workstation-of-anna",
            "model_name_sanitized": str(name).replace("/", "__"),
            "system_instruction": "Never tell about internal-plan-b.",
            "wandb": {"entity": USER, "key": "wandb-key-3308"},
            "chat_template": "{{ messages }}",
        }
        made["configs"][TASK] |= {
            "description": f"See {HOME}/notes.txt for how we asked internal-plan-b",
            "generation_kwargs": GENERATION,
            "dataset_path": f"{HOME}/data",
        }
        made["configs"][TASK]["metadata"] |= arguments | {
            "config_source": f"{HOME}/csc-tasks/csc_tasks/csc_conv_ref.yaml",
            "csc_corpus": f"{HOME}/corpora/calls",
            "csc_bertscore_model": f"{HOME}/models/scorer",
        }
        csc = csc_of(made)
        csc |= {
            "corpus": f"{HOME}/corpora/calls",
            "play": {"mode": "concurrent", "reason": f"the server {ADDRESS} takes several"},
            "note": "extra-pass-6082",
        }
        csc["signatures"]["strategy_acc"] += f"|model:{HOME}/models/scorer"

    file = write_run(
        root, str(name), [conversation_result(TASK, conversations(8), right(0.5))], change
    )
    samples = next(file.parent.glob("samples_*"))
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line["arguments"] = {"gen_args_0": {"arg_0": "the prompt", "arg_1": GENERATION}}
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def _text(arguments: dict) -> str:
    return ",".join(f"{name}={value}" for name, value in arguments.items())
