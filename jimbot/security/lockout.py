"""Making those wait who fail: by address, twice as long at each failure more."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

# Addresses remembered; the longest quiet are forgotten first.
_ADDRESSES: Final = 4096
_FORGET_S: Final = 3600.0


class Lockout:
    """Counts failures by address.

    Args:
        failures: that an address may have before it waits.
        first_s: how long it waits then; twice as long after each failure more.
        limit_s: the longest wait.
    """

    def __init__(
        self,
        failures: int,
        first_s: float,
        limit_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._first_s = first_s
        self._limit_s = limit_s
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()  # → failures, last one

    def wait_s(self, address: str) -> float:
        """How long an address still has to wait; 0 when it need not."""
        count, last = self._state(_of(address))
        beyond = count - self._failures
        if beyond < 0:
            return 0.0
        wait = min(self._first_s * 2.0 ** min(beyond, 40), self._limit_s)
        return max(last + wait - self._clock(), 0.0)

    def failed(self, address: str) -> float:
        """Count a failure; how long the address has to wait now."""
        key = _of(address)
        count, _ = self._state(key)
        self._known[key] = (count + 1, self._clock())
        self._known.move_to_end(key)
        while len(self._known) > _ADDRESSES:
            self._known.popitem(last=False)
        return self.wait_s(address)

    def succeeded(self, address: str) -> None:
        """Forget an address's failures."""
        self._known.pop(_of(address), None)

    def _state(self, key: str) -> tuple[int, float]:
        count, last = self._known.get(key, (0, 0.0))
        if count and self._clock() - last > max(_FORGET_S, self._limit_s):
            del self._known[key]
            return 0, 0.0
        return count, last


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _of(address: str) -> str:
    """The address, or the network that one customer gets of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
