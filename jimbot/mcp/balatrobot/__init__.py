"""BalatroBot's interface to Balatro: JSON-RPC 2.0 over HTTP, as a server and as a client.

`methods` answers requests without I/O, `server` puts HTTP around it; `client`, `mirror` and
`driver` play a game that somebody else serves. The interface is BalatroBot's (MIT licence,
`openrpc.json`); docs/balatrobot.md tells how ours differs.
"""

from __future__ import annotations

PORT = 12346
