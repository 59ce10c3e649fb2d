"""A server that speaks as much of EventStoreDB as the client needs: Append, BatchAppend, Read.

The wire is gRPC with esdbclient's own protobufs; streams live in memory.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from esdbclient.protos.Grpc import shared_pb2, status_pb2, streams_pb2, streams_pb2_grpc
from google.protobuf import any_pb2

_ANY = -2  # whatever the stream's revision
_EXISTS = -3
_MAX_APPEND = 1 << 20  # bytes, as the server has it unless it is told otherwise


class _Stored(NamedTuple):
    id: str
    type: str
    content_type: str
    metadata: bytes
    data: bytes


class _Called(NamedTuple):
    """A call: its name, and what it says of who calls (empty where nothing)."""

    name: str
    authorization: str


class EventStoreServer(streams_pb2_grpc.StreamsServicer, grpc.ServerInterceptor):
    """Listens on 127.0.0.1:`port`. Of every `lose_every` answers to an append, one is lost.

    Args:
        tls: the files of a certificate and its key; without them the connection is plain.
    """

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self.streams: dict[str, list[_Stored]] = {}
        self.lose_every = 0
        self.appends = 0
        self.calls: list[_Called] = []
        self._lock = threading.Lock()
        self._server = grpc.server(futures.ThreadPoolExecutor(8), interceptors=[self])
        streams_pb2_grpc.add_StreamsServicer_to_server(self, self._server)
        at = "127.0.0.1:0"
        if tls is None:
            self.port: int = self._server.add_insecure_port(at)
        else:
            certificate, key = (file.read_bytes() for file in tls)
            credentials = grpc.ssl_server_credentials([(key, certificate)])
            self.port = self._server.add_secure_port(at, credentials)
        self._server.start()

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        said = dict(handler_call_details.invocation_metadata)
        name = handler_call_details.method.rpartition("/")[2]
        self.calls.append(_Called(name, said.get("authorization", "")))
        return continuation(handler_call_details)

    def close(self) -> None:
        self._server.stop(None).wait(5)

    def Append(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        options = next(requests).options
        name = options.stream_identifier.stream_name.decode()
        wanted = {"no_stream": -1, "any": _ANY, "stream_exists": _EXISTS}.get(
            options.WhichOneof("expected_stream_revision"), options.revision
        )
        messages = [request.proposed_message for request in requests]
        if _size(messages) > _MAX_APPEND:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"Maximum Append Size of {_MAX_APPEND} Exceeded."
            )
        at = self._store(name, wanted, messages)
        self._maybe_lose(context)
        if at is None:
            return streams_pb2.AppendResp(
                wrong_expected_version=streams_pb2.AppendResp.WrongExpectedVersion(
                    current_revision=len(self.streams.get(name, ())) - 1
                )
                if self.streams.get(name)
                else streams_pb2.AppendResp.WrongExpectedVersion(
                    current_no_stream=shared_pb2.Empty()
                )
            )
        return streams_pb2.AppendResp(
            success=streams_pb2.AppendResp.Success(
                current_revision=at,
                position=streams_pb2.AppendResp.Position(commit_position=at, prepare_position=at),
            )
        )

    def BatchAppend(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            options = request.options
            name = options.stream_identifier.stream_name.decode()
            wanted = {"no_stream": -1, "any": _ANY, "stream_exists": _EXISTS}.get(
                options.WhichOneof("expected_stream_position"), options.stream_position
            )
            response = streams_pb2.BatchAppendResp(correlation_id=request.correlation_id)
            messages = list(request.proposed_messages)
            if _size(messages) > _MAX_APPEND:
                large = any_pb2.Any()
                large.Pack(shared_pb2.MaximumAppendSizeExceeded(maxAppendSize=_MAX_APPEND))
                response.error.CopyFrom(status_pb2.Status(message="large", details=large))
                yield response
                continue
            at = self._store(name, wanted, messages)
            self._maybe_lose(context)
            if at is None:
                wrong = shared_pb2.WrongExpectedVersion()
                if self.streams.get(name):
                    wrong.current_stream_revision = len(self.streams[name]) - 1
                else:
                    wrong.current_no_stream.SetInParent()
                details = any_pb2.Any()
                details.Pack(wrong)
                response.error.CopyFrom(status_pb2.Status(message="wrong", details=details))
            else:
                response.success.current_revision = at
                response.success.position.commit_position = at
            yield response

    def Read(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        options = request.options
        name = options.stream.stream_identifier.stream_name.decode()
        with self._lock:
            stored = list(self.streams.get(name, ()))
        if not stored:
            yield streams_pb2.ReadResp(
                stream_not_found=streams_pb2.ReadResp.StreamNotFound(
                    stream_identifier=options.stream.stream_identifier
                )
            )
            return
        first = {"start": 0, "end": len(stored) - 1}.get(
            options.stream.WhichOneof("revision_option"), options.stream.revision
        )
        start = self._truncated(name)
        numbers = range(max(first, start), len(stored))
        if options.read_direction == streams_pb2.ReadReq.Options.Backwards:
            numbers = range(min(first, len(stored) - 1), start - 1, -1)
        for number in numbers[: options.count]:
            event = stored[number]
            yield streams_pb2.ReadResp(
                event=streams_pb2.ReadResp.ReadEvent(
                    event=streams_pb2.ReadResp.ReadEvent.RecordedEvent(
                        id=shared_pb2.UUID(string=event.id),
                        stream_identifier=options.stream.stream_identifier,
                        stream_revision=number,
                        prepare_position=number,
                        commit_position=number,
                        metadata={
                            "type": event.type,
                            "content-type": event.content_type,
                            "created": "17000000000000000",
                        },
                        custom_metadata=event.metadata,
                        data=event.data,
                    ),
                    commit_position=number,
                )
            )

    def _truncated(self, name: str) -> int:
        """The first revision that readers still see."""
        metadata = self.streams.get(f"$${name}")
        return int(json.loads(metadata[-1].data).get("$tb", 0)) if metadata else 0

    def _store(self, name: str, wanted: int, messages: list[Any]) -> int | None:
        """The stream's revision afterwards; None where it was not the wanted one."""
        new = [
            _Stored(
                message.id.string,
                message.metadata["type"],
                message.metadata["content-type"],
                message.custom_metadata,
                message.data,
            )
            for message in messages
        ]
        with self._lock:
            self.appends += 1
            stored = self.streams.get(name, [])
            at = len(stored) - 1
            if wanted not in (_ANY, at) and not (wanted == _EXISTS and stored):
                # What was stored at this very place already is stored (idempotent).
                there = stored[wanted + 1 : wanted + 1 + len(new)]
                same = new and [one.id for one in there] == [one.id for one in new]
                return wanted + len(new) if same else None
            self.streams.setdefault(name, []).extend(new)
            return at + len(new)

    def _maybe_lose(self, context: grpc.ServicerContext) -> None:
        if self.lose_every and self.appends % self.lose_every == 0:
            context.abort(grpc.StatusCode.UNAVAILABLE, "on purpose, after it was stored")


def _size(messages: list[Any]) -> int:
    """What an append counts as, in bytes."""
    return sum(
        len(one.data) + len(one.custom_metadata) + 2 * len(one.metadata["type"]) for one in messages
    )
