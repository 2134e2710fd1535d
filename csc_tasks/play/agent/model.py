"""lm_eval's model for a deployed agent."""

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.models.api_models import JsonChatStr

from csc_tasks.errors import ModelError, SettingError
from csc_tasks.play.agent import NAME
from csc_tasks.play.agent.description import openai_shaped, read_agent

USAGE = (
    f"--model {NAME} --model_args model=NAME,agent=FILE.yaml, or"
    " model=NAME,base_url=http://HOST/v1/chat/completions[,stream=True]"
)
WITHOUT = f"{NAME} answers customers and nothing else: it is for csc_conv_ref, csc_conv_gen, csc_qa"


class AgentLM(LM):
    """An agent as a model: only the csc tasks can ask it (csc_tasks/play/agent/playing.py).

    model: what its rows are called. agent: a YAML file (description.py). base_url: in its place,
    the address of an OpenAI-shaped endpoint; stream: whether that is to stream. What else lm_eval
    hands every model is passed over.
    """

    def __init__(
        self,
        model: str | None = None,
        agent: str | None = None,
        base_url: str | None = None,
        stream: bool = False,
        num_concurrent: int = 1,
        max_retries: int = 3,
        timeout: float = 300,
        verify_certificate: bool = True,
        batch_size: object = None,
        max_batch_size: object = None,
        device: object = None,
        **unknown: object,
    ) -> None:
        super().__init__()
        if unknown:
            raise SettingError(f"{NAME} has no argument {sorted(unknown)[0]!r}; {USAGE}")
        if not model or (agent is None) == (base_url is None):
            raise SettingError(f"{NAME} needs a name, and either a file or an address: {USAGE}")
        if agent is not None and stream:
            raise SettingError("stream is for base_url; in a YAML file, `stream` is a path")
        if agent is not None:
            self.description = read_agent(Path(str(agent)))
        else:
            self.description = openai_shaped(str(base_url), str(model), stream, os.environ)
        self.model_name, self.revision = str(model), self.description.digest
        self.base_url = self.description.url
        self.header = dict(self.description.headers)
        self.timeout, self.verify_certificate = float(timeout), verify_certificate
        self.max_retries = int(max_retries)
        # What the transport of API backends asks for.
        self._concurrent, self._batch_size = int(num_concurrent), 1

    @property
    def tokenizer_name(self) -> str:
        """There is none: lm_eval wants a text where a chat template is applied."""
        return ""

    def chat_template(self, chat_template: bool | str = False) -> str:
        """There is none."""
        return ""

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> JsonChatStr:
        """The messages themselves."""
        return JsonChatStr(json.dumps(chat_history, ensure_ascii=False))

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> NoReturn:
        """Not for it: raises ModelError."""
        raise ModelError(WITHOUT)

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> NoReturn:
        """Not for it: raises ModelError."""
        raise ModelError(WITHOUT)

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> NoReturn:
        """Not for it: raises ModelError."""
        raise ModelError(WITHOUT)


def described(lm: Any) -> bool:
    """Whether this is an agent."""
    return isinstance(lm, AgentLM)
