"""YAML from outside, under the rules of reading/json_text.py."""

import math
from collections.abc import Hashable
from typing import Any

import yaml

from csc_tasks.reading.json_text import DEEPEST

LARGEST = 2**20
"""Bytes of a YAML file: people write them."""


class NotYaml(ValueError):
    """Text that is no YAML, or YAML that is refused, in one line."""


def strict_yaml(text: str) -> Any:
    """What YAML text holds; None for an empty one.

    Raises NotYaml for broken YAML, a key that stands twice, aliases (a few lines of which stand for
    millions), a number that is not finite, and more than DEEPEST levels.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise NotYaml(" ".join(str(error).split())) from None
    except RecursionError:
        raise NotYaml(f"nested too deeply (more than {DEEPEST} levels)") from None
    except NotYaml:
        raise
    # Dates and numbers that look like some and are none: 2026-13-45.
    except ValueError as error:
        raise NotYaml(" ".join(str(error).split())) from None


class _Loader(yaml.SafeLoader):
    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise NotYaml(f"line {self.line + 1}: aliases (*name) are not read")
        self.depth += 1
        if self.depth > DEEPEST:
            raise NotYaml(f"nested too deeply (more than {DEEPEST} levels)")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise NotYaml(
                f"{', '.join(twice)} stands there more than once; YAML would take the last in"
                " silence"
            )
        return super().construct_mapping(node, deep)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        value = super().construct_yaml_float(node)
        if not math.isfinite(value):
            raise NotYaml(
                f"line {node.start_mark.line + 1}: {node.value:.40} is no number that can be used"
            )
        return value


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
