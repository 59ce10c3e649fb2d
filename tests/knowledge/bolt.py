"""A real openCypher server that speaks Bolt (ArcadeDB, embedded in this process), for tests.

`python -m tests.knowledge.bolt DIRECTORY PORT HTTP_PORT` says `ready` and serves until its input
ends.
"""

from __future__ import annotations

import sys

import arcadedb_embedded

USER, PASSWORD, DATABASE = "root", "only-for-tests", "graph"


def main(directory: str, port: str, http_port: str) -> None:
    server = arcadedb_embedded.ArcadeDBServer(
        root_path=directory,
        root_password=PASSWORD,
        config={
            "http_port": int(http_port),
            "server_plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "bolt_port": int(port),
            "bolt_defaultDatabase": DATABASE,
        },
        jvm_kwargs={"heap_size": "512m"},
    )
    server.start()
    server.create_database(DATABASE)
    print("ready", flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
