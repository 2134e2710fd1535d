"""Reading what somebody else wrote: files that a user named or a submitter handed in.

Every verb reads such files here, so that a hostile or broken one is one line that names the place,
what was found and what would do, and never a hang, a traceback or a number that is none.

files.py      bytes and text: regular files of a bounded size, UTF-8
json_text.py  JSON and lines of JSON: finite numbers, each key once, bounded depth
yaml_text.py  YAML under the same rules
"""

from csc_tasks.reading.files import decoded, open_bytes, read_bytes, read_text
from csc_tasks.reading.json_text import NotJson, json_lines, parsed, read_json, strict_json

__all__ = [
    "NotJson",
    "decoded",
    "json_lines",
    "open_bytes",
    "parsed",
    "read_bytes",
    "read_json",
    "read_text",
    "strict_json",
]
