"""The event log on a server: EventStoreDB, with a mirror in a SQLite file beside each reader.

All events are in one stream of the server, so that a batch over many games is stored whole and
every event has a place in one order: its revision there + 1 is its position. Which game's stream
it belongs to, and its revision there, follow from the order. The mirror, an embedded log, answers
all questions; it is brought up to date before each, and may be removed at any time.

What is scavenged is cut off the stream's beginning (`$tb`, truncate before), after the types that
are kept for good were copied to a second stream, with their places: so a mirror can still be filled
anew. The server frees the room when its own scavenge runs.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from jimbot.breaker import Breaker
from jimbot.errors import MissingExtra
from jimbot.events import packing
from jimbot.events.event import Event
from jimbot.events.log import NO_STREAM, Appended, LogError, Recorded, Snapshot, WrongRevision
from jimbot.events.sqlite import SQLiteEventLog

_logger = logging.getLogger(__name__)

STREAM = "jimbot"
KEPT = "-kept"  # what comes after its name in the name of the second stream
_PAGE = 4096
_TRIES = 100  # appends that may come between ours before we give up
_PACKED = "application/octet-stream"  # of the server's two content types, the one that is not JSON
_IDS = uuid.UUID("3b0f6c0e-5a83-5d5e-8a5f-6a696d626f74")

T = TypeVar("T")


class EventStoreLog:
    """An `EventLog` at `address` (`esdb://host:port?tls=false`), mirrored in the file `mirror`.

    While the server is away, appends fail, and so do `position` and `contains`, which promise
    something about it; what else is asked is answered from the mirror.

    Raises:
        MissingExtra: the client is not installed.
        LogError: the mirror cannot be used. A server that is away is no reason not to start.
    """

    def __init__(
        self,
        mirror: Path,
        address: str,
        *,
        user: str = "",
        password: str = "",
        timeout_s: float = 5.0,
        breaker_failures: int = 3,
        breaker_open_s: float = 10.0,
        read_only: bool = False,
        stream: str = STREAM,
    ) -> None:
        try:
            import esdbclient
            from esdbclient import exceptions
        except ImportError:
            raise MissingExtra("esdbclient", "databases") from None
        self.address = address
        self._esdb = esdbclient
        self._errors = exceptions
        self._stream = stream
        self._timeout_s = timeout_s
        self._read_only = read_only
        self._lock = threading.RLock()
        self._closed = False
        self._login = (user, password)
        self._connected: Any = None
        self._breaker = Breaker(
            breaker_failures,
            breaker_open_s,
            refuse=lambda left: self._is_away(f"asked again in {left:.0f} s"),
            failed=(exceptions.GrpcError, exceptions.DeadlineExceeded, exceptions.DiscoveryFailed),
        )
        self._mirror = SQLiteEventLog(mirror)

    def append(
        self, items: Sequence[tuple[str, Event]], *, expected: Mapping[str, int] | None = None
    ) -> list[Appended]:
        if self._read_only:
            raise LogError(f"the event log at {self.address} is open for reading only")
        for _, event in items:
            packing.encode(event)  # fails before anything is stored
        with self._lock:
            for _ in range(_TRIES):
                self._catch_up()
                known = self._mirror.contains(event.event_id for _, event in items)
                new = _new(items, known)
                self._check(new, expected or {})
                if new and not self._append(new):
                    continue
                # In the mirror what is there already is a duplicate, ours or not.
                self._mirror.append(new)
                positions = self._mirror.positions(event.event_id for _, event in items)
                return _answers(items, positions, known)
        raise LogError(
            f"the event log at {self.address} is written to by others without pause",
            hint="Let one mcp write to it",
        )

    def read(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 1000,
        types: Collection[str] | None = None,
        newest_first: bool = False,
    ) -> list[Recorded]:
        self._catch_up_if_there()
        return self._mirror.read(
            after=after, before=before, limit=limit, types=types, newest_first=newest_first
        )

    def read_stream(
        self, stream: str, *, after: int = NO_STREAM, limit: int | None = None
    ) -> list[Recorded]:
        self._catch_up_if_there()
        return self._mirror.read_stream(stream, after=after, limit=limit)

    def contains(self, event_ids: Iterable[str]) -> set[str]:
        self._catch_up()
        return self._mirror.contains(event_ids)

    def position(self) -> int:
        self._catch_up()
        return self._mirror.position()

    def count(self, types: Collection[str] | None = None) -> int:
        self._catch_up_if_there()
        return self._mirror.count(types)

    def save_snapshot(self, snapshot: Snapshot) -> None:
        self._mirror.save_snapshot(snapshot)

    def snapshot(self, stream: str) -> Snapshot | None:
        return self._mirror.snapshot(stream)

    def scavenge(self, before: int, keep: Collection[str]) -> int:
        if self._read_only:
            raise LogError(f"the event log at {self.address} is open for reading only")
        with self._lock:
            self._catch_up()
            # The last event stays, so that positions go on from it.
            cut = min(self._mirror.last_before(before), self._mirror.position() - 1)
            if cut > 0:
                self._keep(cut, keep)
                self._call(lambda client: self._truncate(client, cut))
            return self._mirror.scavenge(before, keep)

    def _truncate(self, client: Any, cut: int) -> None:
        """Cut off the stream's first events; what else its metadata says (`$acl`) stays."""
        metadata, version = client.get_stream_metadata(self._stream, timeout=self._timeout_s)
        client.set_stream_metadata(
            self._stream,
            metadata=metadata | {"$tb": cut},
            current_version=version,
            timeout=self._timeout_s,
        )

    def _keep(self, cut: int, keep: Collection[str]) -> None:
        """Copy what is kept of the positions up to `cut`; what is there already is not repeated."""
        last = self._stream_page(self._stream + KEPT, backwards=True, limit=1)
        version = last[0].stream_position if last else self._esdb.StreamState.NO_STREAM
        after = _place(last[0]).position if last else 0
        while page := self._mirror.read(after=after, before=cut + 1, limit=_PAGE, types=keep):
            events = [
                self._encoded(it.stream, it.event, position=it.position, revision=it.revision)
                for it in page
            ]
            self._call(
                lambda client, at=version, new=events: client.append_to_stream(  # type: ignore[misc]
                    self._stream + KEPT, current_version=at, events=new, timeout=self._timeout_s
                )
            )
            version = len(events) + (version if isinstance(version, int) else -1)
            after = page[-1].position

    def _fill_anew(self, first: int) -> None:
        """Fill an empty mirror with what was kept of the positions before `first`."""
        at = 0
        while page := self._stream_page(self._stream + KEPT, stream_position=at, limit=_PAGE):
            self._mirror.restore([it for each in page if (it := _place(each)).position < first])
            at += len(page)

    def _stream_page(self, name: str, **which: Any) -> tuple[Any, ...]:
        try:
            found: tuple[Any, ...] = self._call(
                lambda client: client.get_stream(name, timeout=self._timeout_s, **which)
            )
        except self._errors.NotFound:
            return ()
        return found

    def copy(self, to: Path) -> None:
        self._catch_up()
        self._mirror.copy(to)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            connected, self._connected = self._connected, None
            if connected is not None:
                connected.close()
            self._mirror.close()

    def _append(self, new: Sequence[tuple[str, Event]]) -> bool:
        """Whether they are stored; not if somebody else was quicker."""
        at = self._mirror.position()
        version = at - 1 if at else self._esdb.StreamState.NO_STREAM
        events = [self._encoded(stream, event) for stream, event in new]
        try:
            self._call(
                lambda client: client.append_to_stream(
                    self._stream, current_version=version, events=events, timeout=self._timeout_s
                )
            )
        except self._errors.WrongCurrentVersion:
            return False
        return True

    def _encoded(self, stream: str, event: Event, **more: int) -> Any:
        text, packed = packing.encode(event)
        return self._esdb.NewEvent(
            type=event.type,
            data=packed or text.encode(),
            content_type=_PACKED if packed else "application/json",
            metadata=_metadata(stream, event, **more),
            id=uuid.uuid5(_IDS, event.event_id),
        )

    def _check(self, new: Sequence[tuple[str, Event]], expected: Mapping[str, int]) -> None:
        for stream in {stream for stream, _ in new}:
            if (wanted := expected.get(stream)) is None:
                continue
            revision = self._mirror.revision(stream)
            if revision != wanted:
                raise WrongRevision(
                    f"stream {stream} is at revision {revision}, not at {wanted}",
                    hint="Read it again and decide anew",
                )

    def _catch_up_if_there(self) -> None:
        try:
            self._catch_up()
        except LogError as error:
            if self._closed:
                raise
            _logger.warning("answered from the mirror", extra={"fields": {"error": str(error)}})

    def _catch_up(self) -> None:
        with self._lock:
            while True:
                at = self._mirror.position()
                page = self._read_server(at)
                self._mirror.append([_decoded(event) for event in page])
                if len(page) < _PAGE:
                    return

    def _read_server(self, at: int) -> list[Any]:
        """A page from position `at`, the last that the mirror has, on."""
        # One before too: proof that the mirror is this log's.
        found = self._stream_page(self._stream, stream_position=max(at - 1, 0), limit=_PAGE + 1)
        if not at and found and found[0].stream_position:
            self._fill_anew(found[0].stream_position + 1)
            stream, event = _decoded(found[0])
            self._mirror.restore(
                [
                    Recorded(
                        found[0].stream_position + 1,
                        stream,
                        self._mirror.revision(stream) + 1,
                        event,
                    )
                ]
            )
            return list(found[1:])
        if not at:
            return list(found[:_PAGE])
        last = self._mirror.read(newest_first=True, limit=1)
        if not found or _decoded(found[0])[1].event_id != last[0].event.event_id:
            raise LogError(
                f"the mirror {self._mirror.path} is of another log than {self.address}, or ends"
                " before what is left there",
                hint="Stop JimBot and move the mirror away; it is filled anew",
            )
        return list(found[1:])

    def _call(self, ask: Callable[[Any], T]) -> T:
        with self._explained():
            if self._closed:
                raise LogError(f"the event log at {self.address} is closed")
            with self._breaker.calling():
                if self._connected is None:
                    self._connected = self._esdb.EventStoreDBClient(uri=self._uri())
                try:
                    return ask(self._connected)
                except (self._errors.GrpcError, self._errors.DeadlineExceeded):
                    # A channel that failed waits ever longer before it tries again.
                    connected, self._connected = self._connected, None
                    if connected is not None:
                        connected.close()
                    raise

    def _uri(self) -> str:
        user, password = self._login
        scheme, rest = self.address.split("://", 1)
        return f"{scheme}://{user}:{password}@{rest}" if user else self.address

    def _is_away(self, why: str) -> LogError:
        return LogError(
            f"the event log at {self.address} is away: {why}",
            hint="Start EventStoreDB, or see its log; what is not acknowledged will be sent again",
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        errors = self._errors
        try:
            yield
        except (errors.WrongCurrentVersion, errors.NotFound):
            raise
        except errors.AccessDeniedError as error:
            raise LogError(
                f"the event log at {self.address} refuses the login",
                hint="Mend `user` and `password` in the table's [stores.log]",
            ) from error
        except (errors.EventStoreDBClientException, OSError) as error:
            text = " ".join(str(error).split())[:200] or type(error).__name__
            raise self._is_away(text) from error


def _new(items: Sequence[tuple[str, Event]], known: set[str]) -> list[tuple[str, Event]]:
    """Those that are not stored, each once."""
    seen = set(known)
    new = []
    for stream, event in items:
        if event.event_id not in seen:
            seen.add(event.event_id)
            new.append((stream, event))
    return new


def _answers(
    items: Sequence[tuple[str, Event]], positions: Mapping[str, int], known: set[str]
) -> list[Appended]:
    told = set(known)
    answers = []
    for _, event in items:
        answers.append(Appended(positions[event.event_id], event.event_id in told))
        told.add(event.event_id)
    return answers


def _metadata(stream: str, event: Event, **more: int) -> bytes:
    envelope = more | {
        "stream": stream,
        "event_id": event.event_id,
        "source": event.source,
        "timestamp": event.timestamp,
        "version": event.version,
        "priority": event.priority,
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def _place(kept: Any) -> Recorded:
    """An event of the second stream, where it was in the first."""
    try:
        place = json.loads(kept.metadata)
        position, revision = int(place["position"]), int(place["revision"])
    except (ValueError, KeyError, TypeError) as error:
        raise LogError(
            f"event {kept.stream_position} of {kept.stream_name} was not written by JimBot",
            hint="Give JimBot streams of its own",
        ) from error
    stream, event = _decoded(kept)
    return Recorded(position, stream, revision, event)


def _decoded(found: Any) -> tuple[str, Event]:
    try:
        envelope = json.loads(found.metadata)
        stream = envelope.pop("stream")
        for place in ("position", "revision"):
            envelope.pop(place, None)
        packed = found.content_type == _PACKED
        payload = packing.decode("" if packed else found.data, found.data if packed else None)
        return stream, Event.model_construct(type=found.type, payload=payload, **envelope)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LogError(
            f"event {found.stream_position} of {found.stream_name} was not written by JimBot",
            hint="Give JimBot a stream of its own",
        ) from error
