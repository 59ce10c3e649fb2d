"""The event log on a server: EventStoreDB, with a mirror in a SQLite file beside each reader.

All events are in one stream of the server, so that a batch over many games is stored whole and
every event has a place in one order: its revision there + 1 is its position. Which game's stream
it belongs to, and its revision there, are in its metadata (of events from before they were, the
revision follows from the order). The mirror, an embedded log, answers all questions; it is brought
up to date before each, and may be removed at any time.

What is scavenged is cut off the stream's beginning (`$tb`, truncate before), after the types that
are kept for good were copied to a second stream, with their places, and where streams end of which
nothing is left was noted there: so a mirror can still be filled anew. The server frees the room
when its own scavenge runs.
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
from urllib.parse import quote

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
_APPEND_BYTES = 900 << 10  # the server takes 1 MiB at once, unless it is told otherwise
_TRIES = 100  # appends that may come between ours before we give up
_PACKED = "application/octet-stream"  # of the server's two content types, the one that is not JSON
_IDS = uuid.UUID("3b0f6c0e-5a83-5d5e-8a5f-6a696d626f74")

T = TypeVar("T")


class EventStoreLog:
    """An `EventLog` at `address` (`esdb://host:port?tls=false`), mirrored in the file `mirror`.

    While the server is away, appends fail, and so do `position` and `contains`, which promise
    something about it; what else is asked is answered from the mirror.

    An append of more than the server takes at once goes in parts: where it fails, the first of them
    may be stored, and are duplicates when it is tried again.

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
        before: set[str] | None = None  # what is there already
        with self._lock:
            for _ in range(_TRIES):
                self._catch_up()
                known = self._mirror.contains(event.event_id for _, event in items)
                new = self._placed(_new(items, known))
                before = known if before is None else before
                if known == before:
                    _check(new, expected or {})
                if new and not self._append(new):
                    continue  # of parts, the first ones may be stored
                self._mirror.restore(new)
                positions = self._mirror.positions(known)
                positions |= {it.event.event_id: it.position for it in new}
                return _answers(items, positions, before)
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
            last = self._mirror.position()
            cut = min(self._mirror.last_before(before), last - 1)
            self._keep(cut, keep, self._mirror.ending(before, keep, last=last))
            if cut > 0:
                self._call(lambda client: self._truncate(client, cut))
            return self._mirror.scavenge(before, keep, last=last)

    def _truncate(self, client: Any, cut: int) -> None:
        """Cut off the stream's first events; what else its metadata says (`$acl`) stays."""
        metadata, version = client.get_stream_metadata(self._stream, timeout=self._timeout_s)
        client.set_stream_metadata(
            self._stream,
            metadata=metadata | {"$tb": cut},
            current_version=version,
            timeout=self._timeout_s,
        )

    def _keep(self, cut: int, keep: Collection[str], ending: Sequence[Recorded]) -> None:
        """Tell the second stream which events are the last of their streams and go, and copy what
        is kept of the positions up to `cut`; what is there already is not repeated."""
        name = self._stream + KEPT
        last = self._stream_page(name, backwards=True, limit=1)
        version = last[0].stream_position if last else NO_STREAM
        copied = _copied(last[0]) if last else 0
        ends = [self._encoded(it, position=it.position, copied=copied) for it in ending]
        version = self._store(name, version, ends)
        while page := self._mirror.read(after=copied, before=cut + 1, limit=_PAGE, types=keep):
            kept = [self._encoded(it, position=it.position) for it in page]
            version = self._store(name, version, kept)
            copied = page[-1].position

    def _fill_anew(self, first: int) -> None:
        """Fill an empty mirror with what was kept of the positions before `first`."""
        at = 0
        ends: dict[str, int] = {}
        while page := self._stream_page(self._stream + KEPT, stream_position=at, limit=_PAGE):
            at += len(page)
            told = [(_recorded(each), "copied" in _envelope(each)) for each in page]
            cut = [(entry, is_end) for entry, is_end in told if entry.position < first]
            self._mirror.restore(entry for entry, is_end in cut if not is_end)
            ends |= {entry.stream: entry.revision for entry, is_end in cut if is_end}
        self._mirror.trim(ends)

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

    def _placed(self, new: Sequence[tuple[str, Event]]) -> list[Recorded]:
        """Where new events go, unless somebody else is quicker."""
        # The position first: what another process mirrors in between, the server knows too.
        position = self._mirror.position()
        revisions = self._mirror.revisions({stream for stream, _ in new})
        placed = []
        for stream, event in new:
            position += 1
            revisions[stream] += 1
            placed.append(Recorded(position, stream, revisions[stream], event))
        return placed

    def _append(self, new: Sequence[Recorded]) -> bool:
        """Whether they are stored; not if somebody else was quicker."""
        try:
            self._store(self._stream, new[0].position - 2, [self._encoded(it) for it in new])
        except self._errors.WrongCurrentVersion:
            return False
        return True

    def _store(self, name: str, version: int, events: Sequence[Any]) -> int:
        """Append to a stream of the server that is at `version`; where it is then."""
        for part in _parts(events):
            at = self._esdb.StreamState.NO_STREAM if version == NO_STREAM else version
            self._call(
                lambda client, at=at, part=part: client.append_to_stream(  # type: ignore[misc]
                    name,
                    current_version=at,
                    # Alone by Append, which costs a little less; else by BatchAppend.
                    events=part if len(part) > 1 else part[0],
                    timeout=self._timeout_s,
                )
            )
            version += len(part)
        return version

    def _encoded(self, entry: Recorded, **more: int) -> Any:
        event = entry.event
        text, packed = packing.encode(event)
        envelope = more | {
            "stream": entry.stream,
            "revision": entry.revision,
            "event_id": event.event_id,
            "source": event.source,
            "timestamp": event.timestamp,
            "version": event.version,
            "priority": event.priority,
        }
        return self._esdb.NewEvent(
            type=event.type,
            data=packed or text.encode(),
            content_type=_PACKED if packed else "application/json",
            metadata=json.dumps(envelope, separators=(",", ":")).encode(),
            id=uuid.uuid5(_IDS, event.event_id),
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
                page = self._next_page()
                self._mirror.restore(_recorded(each) for each in page)
                if len(page) < _PAGE:
                    return

    def _next_page(self) -> Sequence[Any]:
        """What comes after the last event that the mirror has, a page at most."""
        newest = self._mirror.read(newest_first=True, limit=1)
        if not newest:
            found = self._stream_page(self._stream, stream_position=0, limit=_PAGE)
            if found and found[0].stream_position:
                self._fill_anew(found[0].stream_position + 1)
            return found
        last = newest[0]
        # That one too: proof that the mirror is this log's.
        found = self._stream_page(self._stream, stream_position=last.position - 1, limit=_PAGE + 1)
        if found and _recorded(found[0]).event.event_id == last.event.event_id:
            return found[1:]
        if self._mirror.position() != last.position:
            return self._next_page()  # another process has brought it up to date, and scavenged
        raise LogError(
            f"the mirror {self._mirror.path} is of another log than {self.address}, or ends"
            " before what is left there",
            hint="Stop JimBot and move the mirror away; it is filled anew",
        )

    def _call(self, ask: Callable[[Any], T]) -> T:
        with self._explained():
            if self._closed:
                raise LogError(f"the event log at {self.address} is closed")
            with self._breaker.calling():
                if self._connected is None:
                    self._connected = self._connect()
                try:
                    return ask(self._connected)
                except (self._errors.GrpcError, self._errors.DeadlineExceeded):
                    # A channel that failed waits ever longer before it tries again.
                    connected, self._connected = self._connected, None
                    if connected is not None:
                        connected.close()
                    raise

    def _connect(self) -> Any:
        login = user, password = self._login
        uri = self.address
        if user:
            uri = uri.replace("://", f"://{quote(user, safe='')}:{quote(password, safe='')}@", 1)

        class Client(self._esdb.EventStoreDBClient):  # type: ignore[misc, name-defined]
            # esdbclient does not unquote what it finds in an address.
            def construct_call_credentials(self, *_: str | None) -> Any:
                return super().construct_call_credentials(*login)

        try:
            return Client(uri=uri)
        except ValueError as error:
            raise LogError(
                f"no event log can be asked: {str(error).replace(uri, self.address)}",
                hint="Mend `address`, `user` and `password` in the table's [stores.log]",
            ) from None

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


def _check(new: Sequence[Recorded], expected: Mapping[str, int]) -> None:
    for entry in {it.stream: it for it in reversed(new)}.values():  # the first of each stream
        wanted, revision = expected.get(entry.stream), entry.revision - 1
        if wanted is not None and revision != wanted:
            raise WrongRevision(
                f"stream {entry.stream} is at revision {revision}, not at {wanted}",
                hint="Read it again and decide anew",
            )


def _parts(events: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Events in portions that the server takes at once."""
    first = size = 0
    for number, event in enumerate(events):
        taken = len(event.data) + len(event.metadata) + 2 * len(event.type)
        if size + taken > _APPEND_BYTES and number > first:
            yield events[first:number]
            first, size = number, 0
        size += taken
    if events:
        yield events[first:]


def _copied(last: Any) -> int:
    """Up to which position what is kept has been copied, by the second stream's last event."""
    copied = _envelope(last).get("copied")
    return _recorded(last).position if copied is None else int(copied)


def _envelope(found: Any) -> dict[str, Any]:
    try:
        envelope = json.loads(found.metadata)
        if isinstance(envelope, dict):
            return envelope
    except ValueError:
        pass
    raise _foreign(found)


def _recorded(found: Any) -> Recorded:
    """An event of the server with its place; the revision is `NO_STREAM` where it is not told."""
    envelope = _envelope(found)
    try:
        stream = envelope.pop("stream")
        position = int(envelope.pop("position", found.stream_position + 1))
        revision = int(envelope.pop("revision", NO_STREAM))
        envelope.pop("copied", None)
        packed = found.content_type == _PACKED
        payload = packing.decode("" if packed else found.data, found.data if packed else None)
        event = Event.model_construct(type=found.type, payload=payload, **envelope)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _foreign(found) from error
    return Recorded(position, stream, revision, event)


def _foreign(found: Any) -> LogError:
    return LogError(
        f"event {found.stream_position} of {found.stream_name} was not written by JimBot",
        hint="Give JimBot streams of its own",
    )
