"""What schemathesis cannot know of the API by itself."""
import json

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


