"""What may be tried, and which hosts would be sent customers' text.

  hf:MODEL[,NAME=VALUE...]      a folder or a Hub id, on this machine (peft=DIR, ...)
  openai:MODEL[,NAME=VALUE...]  OpenAI's API, or the server of base_url=http://HOST/v1
  http://HOST/PATH              a deployed agent whose endpoint is OpenAI-shaped
  FILE.yaml                     a deployed agent that is described (docs: csc-agent)

Before any of them may stand what it is called: `shop=http://localhost:9000/chat`.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from csc_tasks.errors import SettingError
from csc_tasks.file_names import safe_name
from csc_tasks.reading import read_text
from csc_tasks.reading.yaml_text import NotYaml, strict_yaml
from csc_tasks.shown import shown

OPENAI = "https://api.openai.com/v1"
AGENT: Final = "csc-agent"
WAYS = "hf:MODEL, openai:MODEL, http://HOST/PATH, or an agent's FILE.yaml"
CONNECTIONS = "num_concurrent"
_SECRET = re.compile(r"key|token(?!s|iz)|secret|password|header|auth", re.IGNORECASE)
"""Arguments of a model whose value is a secret."""
_QUERY_SECRET = re.compile(
    r"[?&](?:[\w-]*(?:key|secret|password|auth|sig)|(?:[\w-]*[_-])?token)=", re.IGNORECASE
)
_PASSWORD = re.compile(r"https?://[^/?#,]*@", re.IGNORECASE)
_NAMED = re.compile(r"(?P<name>[\w.-]+)=(?P<spec>(?:hf:|openai:|https?://).+|.+\.ya?ml)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """name: of its folder, and of an agent in tables. words: the options of lm_eval that choose it.
    url: where customers' text goes, "" for a model on this machine. agent: it names no strategy.
    """

    name: str
    words: tuple[str, ...]
    url: str
    agent: bool


def candidates_of(specs: Sequence[str], connections: int) -> list[Candidate]:
    """The candidates, each with a name of its own. Raises SettingError."""
    made: list[Candidate] = []
    for spec in specs:
        one = _candidate(spec, connections, {other.name for other in made})
        if one.words in (other.words for other in made):
            raise SettingError(f"--candidates {shown(spec)}: is given twice")
        made.append(one)
    if len(made) < 2:
        raise SettingError("--candidates: give two or more, there is nothing to choose from one")
    return made


def _candidate(given: str, connections: int, taken: set[str]) -> Candidate:
    match = _NAMED.fullmatch(given)
    name, spec = (match["name"], match["spec"]) if match else ("", given)
    kind, _, rest = spec.partition(":")
    model, *more = rest.split(",")
    _check_open(spec, more)
    at_once = f"{CONNECTIONS}={connections}"
    if kind == "hf" and model:
        words = ("hf", ",".join([f"pretrained={model}", *more]))
        return Candidate(_called(name or _last(model, more), taken), _model(*words), "", False)
    if kind == "openai" and model:
        base = next((m.partition("=")[2] for m in more if m.startswith("base_url=")), "")
        more = [m for m in more if not m.startswith("base_url=")]
        url = base.rstrip("/") if base else OPENAI
        backend = "openai-chat-completions"
        if base:
            backend = "local-chat-completions"
            more.append(f"base_url={url.removesuffix('/chat/completions')}/chat/completions")
        words = (backend, ",".join([f"model={model}", at_once, *more]))
        return Candidate(_called(name or model, taken), _model(*words), _checked(url, spec), False)
    if kind in ("http", "https"):
        name = _called(name or urlsplit(spec).netloc.replace(":", "-"), taken)
        words = (AGENT, f"model={name},base_url={spec},{at_once}")
        return Candidate(name, _model(*words), _checked(spec, spec), True)
    if spec.endswith((".yaml", ".yml")):
        name = _called(name or Path(spec).stem, taken)
        words = (AGENT, f"model={name},agent={spec},{at_once}")
        return Candidate(name, _model(*words), _agent_url(Path(spec)), True)
    raise SettingError(f"--candidates {shown(given)}: is none of {WAYS}")


def _check_open(spec: str, more: Sequence[str]) -> None:
    """Raise SettingError for a secret, which the printed commands and the page would show, and for
    an address with a comma, after which other arguments (another address) would follow.
    """
    place = spec.partition(":")[0]
    secret = next((m.partition("=")[0] for m in more if _SECRET.search(m.partition("=")[0])), "")
    if secret or _QUERY_SECRET.search(spec) or _PASSWORD.search(spec):
        what = secret or "a password or key in its address"
        raise SettingError(
            f"--candidates {shown(place)}:...: holds {shown(what)}, which the commands and the page"
            " would show; keep it in the environment (OPENAI_API_KEY, or an agent's FILE.yaml)"
        )
    if place in ("http", "https") and "," in spec:
        raise SettingError(
            f"--candidates {shown(spec)}: an address has no commas; describe an agent that needs"
            " more in a FILE.yaml"
        )
    if sum(m.startswith("base_url=") for m in more) > 1:
        raise SettingError(f"--candidates {shown(spec)}: has two addresses; give one base_url")


def _model(backend: str, arguments: str) -> tuple[str, ...]:
    return ("--model", backend, "--model_args", arguments)


def _last(model: str, more: Sequence[str]) -> str:
    """What a model is called: its own name, or its adapter's."""
    peft = next((m.partition("=")[2] for m in more if m.startswith("peft=")), model)
    return peft.rstrip("/").rpartition("/")[2] or peft


def _called(name: str, taken: set[str]) -> str:
    return safe_name(name, taken)


def _checked(url: str, spec: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise SettingError(f"--candidates {shown(spec)}: there is no host in {shown(url)}")
    return url


def _agent_url(file: Path) -> str:
    """The address in an agent's description, which is checked when it is played."""
    wanted = "give the YAML file of an agent"
    try:
        described = strict_yaml(read_text(file, wanted))
    except NotYaml as error:
        raise SettingError(f"{file}: {error}; {wanted}") from None
    url = described.get("url") if isinstance(described, Mapping) else None
    if not isinstance(url, str):
        raise SettingError(f"{file}: has no url; see the description of agents in the README")
    return _checked(url, str(file))


def hosts(urls: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Host -> what for, of (url, what for): of those that are not this machine."""
    found: dict[str, list[str]] = {}
    for url, purpose in urls:
        host = urlsplit(url).hostname or ""
        if url and not _is_local(host):
            found.setdefault(host, []).append(purpose)
    return found


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
