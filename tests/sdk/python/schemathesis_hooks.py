"""What Schemathesis is told about the gateway: invented requests mostly name a model that there is."""

import schemathesis


@schemathesis.hook
def map_body(context, body):
    """An invented name would end nearly every call at the first check."""
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        return {**body, "model": "gpt-4o"}
    return body
