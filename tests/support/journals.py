"""A row as a request puts it into a journal."""

ROW = {
    "stage": "plan",
    "item_id": "a",
    "repeat": 0,
    "attempt": 0,
    "kind": "chat",
    "backend": "openai",
    "base_url": "u",
    "model": "m",
    "request": '{"messages":[]}',
}
