"""What Schemathesis is told about the gateway: invented requests mostly name a model and a key that there are.

An invented name would end nearly every call at the first check.
"""

import os
import zlib

import schemathesis

KEYS = os.environ.get("POINTSMAN_TEST_KEYS", "").split(",")


def some_key(invented):
    """One of the keys, always the same for the same text; one text in four stays as it is."""
    place = zlib.crc32(repr(invented).encode())
    return invented if place % 4 == 0 else KEYS[place % len(KEYS)]


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    body = dict(body)
    if isinstance(body.get("model"), str):
        body["model"] = "gpt-4o"
    if context.operation.path != "/key/generate" and isinstance(body.get("key"), str):
        body["key"] = some_key(body["key"])
    if isinstance(body.get("keys"), list):
        body["keys"] = [some_key(key) if isinstance(key, str) else key for key in body["keys"]]
    return body


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if not isinstance(path_parameters, dict):
        return path_parameters
    known = {"model": lambda _: "gpt-4o", "key": some_key}
    return {name: known.get(name, lambda value: value)(value) for name, value in path_parameters.items()}


@schemathesis.hook
def map_query(context, query):
    if isinstance(query, dict) and isinstance(query.get("key"), str):
        return {**query, "key": some_key(query["key"])}
    return query
