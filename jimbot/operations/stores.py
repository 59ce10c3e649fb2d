"""The three stores together: created, checked, never overwritten."""

from __future__ import annotations

from jimbot.appliance import Home


def initialise(home: Home) -> dict[str, list[str]]:
    """Create what is missing in each store; tells in a line each what was done or was there.

    Raises:
        JimbotError: a store's file is damaged, of a newer version, or in use; it is left as it is.
    """
    from jimbot import events, knowledge, metrics

    home.prepare()
    return {
        "events": events.init(home),
        "metrics": metrics.init(home),
        "knowledge": knowledge.init(home),
    }
