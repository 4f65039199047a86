"""What schemathesis cannot know of the API by itself."""
import json
import re

import schemathesis

NDJSON = "application/x-ndjson"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Makes lines out of events: OpenAPI 3.1 has no schema for the items of a media type."""
    content = raw_schema["paths"]["/events/batch"]["post"]["requestBody"]["content"][NDJSON]
    content["schema"] = {"type": "array", "minItems": 1, "items": content.pop("x-itemSchema")}
    for example in content["examples"].values():
        example["value"] = [json.loads(line) for line in example["value"].splitlines()]


@schemathesis.serializer(NDJSON)
def ndjson(context, value):
    if not isinstance(value, list):
        value = [value]
    return "".join(json.dumps(event) + "\n" for event in value).encode()




@schemathesis.hook
def before_call(context, case, kwargs):
    """Sends what can be sent; and what OpenAPI cannot say does not count as valid."""
    for name in [name for name, value in (case.headers or {}).items() if not is_sendable(value)]:
        del case.headers[name]
    query = case.query
    if not query or case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # Two parameters exclude each other.
    if "before" in query and "after" in query:
        del query["before"]
    for name in ("before", "after"):
        if name in query:
            query[name] = possible(str(query[name]))


def is_sendable(header):
    """Whether the HTTP client can send it at all."""
    return isinstance(header, str) and header.isascii() and header == header.strip() and header.isprintable()


def possible(text):
    """The time on a day that every month has, the position with each partition once."""
    if text.startswith("time:"):
        day = re.sub(r"-(29|30|31)T", "-28T", text)
        return re.sub(r"^time:1970-01-01", "time:1970-01-03", day)
    return ",".join({cursor.split("-")[0]: cursor for cursor in text.split(",")}.values())
