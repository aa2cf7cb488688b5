"""Makes scaling signals work with Debian 12's Heat. It owns this one repair and no resource type.

Heat 19 reports every step of a stack and every scaling event through oslo.messaging's notifier. Debian's security update
14.0.3-0+deb12u1 of that library strips what is secret (the trust among it) from the context before it is sent. Heat's
StoredContext.to_dict() then tries to log in with what is left, which is nothing, raises AuthorizationFailure, and the
signal that wanted to scale a group dies with it: the caller has had its 200 by then. The driver `noop` does not help,
because the context is serialised before a driver is asked. Nobody listens to these notifications here: drop them.

Not needed with Heat 27 (no such failure there), nor in a cloud that has another oslo.messaging.
"""
from heat.engine import notification


def _drop(*_args, **_words):
    pass


notification.notify = _drop


def resource_mapping():
    """No resource type: Heat asks every plug-in."""
    return {}
