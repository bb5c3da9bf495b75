"""Short-hand for cases."""

from positions.calculator.quoting import quote


def make_case(venue="bybit", kind="linear", side="long", *, rule=None, mode=None, **inputs):
    """Return a case of those inputs."""
    more = {"rule": rule} if rule else {}
    more |= {"margin_mode": mode} if mode else {}
    return {"id": "x", "venue": venue, "kind": kind, "side": side, "inputs": inputs, **more}


def ask(*args, **inputs):
    return quote(make_case(*args, **inputs))
