"""A row of the journal as it lies in the file: its table, its key, how its request is packed, and
the checksum of its reply.

Requests of one stage share most of their text. The first of a stage is kept as text; the others are
compressed with it as the dictionary (RFC 1950, zlib), and say which row that was. Replies are text:
a build that goes on reads them alone, so a request that can no longer be unpacked costs nothing but
its export.
"""

import hashlib
import json
import zlib
from typing import Any

from csc_tasks.llm.replies import without_bounds

VERSION = 2
"""Of the file; version 1 had the server's address in its keys, text requests and no checksums."""

TABLE = """
CREATE TABLE requests (
    key TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('sent', 'failed', 'done')),
    tries INTEGER NOT NULL,
    stage TEXT NOT NULL, item_id TEXT NOT NULL, repeat INTEGER NOT NULL, attempt INTEGER NOT NULL,
    kind TEXT NOT NULL, backend TEXT NOT NULL, base_url TEXT NOT NULL, model TEXT NOT NULL,
    request TEXT NOT NULL, reply TEXT, outcome TEXT, problem TEXT,
    input_tokens INTEGER, output_tokens INTEGER, thinking_tokens INTEGER,
    first_sent REAL NOT NULL, last_sent REAL NOT NULL, ended REAL,
    checksum INTEGER, dictionary INTEGER
)"""
"""`base_url` is the server that was asked last, `checksum` that of key and reply, `dictionary` the
rowid of the row whose request this one was compressed with."""

IDENTITY = ("kind", "backend", "model", "item_id", "repeat", "attempt")
"""The columns that belong to a request's key, beside what is sent."""


def canonical(value: object) -> str:
    """JSON text that is the same for the same value: sorted keys, no spaces, characters as they
    are. Raises ValueError for NaN and Infinity, TypeError for what JSON cannot hold.
    """
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def request_key(**parts: object) -> str:
    """The tagged hash that names a request: `parts` are everything that makes it this one
    (`IDENTITY` and what is sent). Which server was asked is no part of it, nor are the bounds of a
    schema's values: not every server is sent them, and a reply is held to them when it is read.
    Raises as `canonical` does, and UnicodeEncodeError for a lone surrogate.
    """
    if isinstance(schema := parts.get("schema"), dict):
        parts["schema"] = without_bounds(schema)
    return hashlib.sha256(b"csc-journal request 2\n" + canonical(parts).encode()).hexdigest()


def checksum(key: str, reply: bytes) -> int:
    """What a done row must hold beside its key and reply (CRC-32)."""
    return zlib.crc32(reply, zlib.crc32(key.encode()))


def is_json(text: bytes) -> bool:
    """Whether a reply without a checksum, as version 1 had them, can be read."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def pack(request: str, dictionary: bytes) -> bytes:
    """A request compressed with an earlier one of its stage."""
    compress = zlib.compressobj(level=6, zdict=dictionary)
    return compress.compress(request.encode()) + compress.flush()


def unpack(packed: bytes, dictionary: bytes | None) -> Any:
    """The request's JSON as an object, or None where its bytes are damaged; without a dictionary
    the bytes are its text.
    """
    try:
        if dictionary is not None:
            decompress = zlib.decompressobj(zdict=dictionary)
            packed = decompress.decompress(packed) + decompress.flush()
        return json.loads(packed)
    except (zlib.error, ValueError):
        return None
