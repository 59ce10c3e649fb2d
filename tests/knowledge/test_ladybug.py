"""What is Ladybug's own: files that are not ours, damage, a lock, migrations, kill -9."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jimbot.errors import MissingExtra
from jimbot.knowledge import GraphError, GraphMissing

pytest.importorskip("ladybug", reason="ladybug is not installed: pip install 'jimbot[embedded]'")

import ladybug

from jimbot.knowledge import ladybug as engine
from jimbot.knowledge.ladybug import LadybugGraph


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph.ladybug"


def test_without_the_package_it_says_what_to_install(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ladybug", None)
    with pytest.raises(MissingExtra, match=r"jimbot\[embedded\]"):
        LadybugGraph(path)
    assert not path.exists()


def test_reading_makes_no_graph(path: Path) -> None:
    with pytest.raises(GraphMissing, match="init-db"):
        LadybugGraph(path, read_only=True)
    assert not path.exists()


def test_open_for_reading_it_reads(path: Path) -> None:
    LadybugGraph(path).close()
    graph = LadybugGraph(path, read_only=True)
    assert graph.position() == 0
    with pytest.raises(GraphError, match="reading only"), graph.transaction():
        pass
    graph.close()


def test_a_file_that_is_no_graph_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"my diary, no graph at all. " * 500)
    before = path.read_bytes()
    with pytest.raises(GraphError, match=r"no Ladybug file.*filled from the event log"):
        LadybugGraph(path)
    assert path.read_bytes() == before


def test_another_programs_graph_is_left_as_it_is(path: Path) -> None:
    with ladybug.Database(path, max_db_size=1 << 30) as database:
        ladybug.Connection(database).execute("CREATE NODE TABLE Mine(key STRING PRIMARY KEY)")
    with pytest.raises(GraphError, match="another program"):
        LadybugGraph(path)
    with ladybug.Database(path, max_db_size=1 << 30) as database:
        tables = ladybug.Connection(database).execute("CALL show_tables() RETURN name").get_all()
    assert tables == [["Mine"]]


def test_another_storage_version_is_named(path: Path) -> None:
    LadybugGraph(path).close()
    content = bytearray(path.read_bytes())
    content[4] += 1  # "LBUG" and then the version
    path.write_bytes(content)
    with pytest.raises(GraphError, match="another version of Ladybug"):
        LadybugGraph(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("left", [0.3, 0.7])
def test_a_cut_off_file_is_named_with_the_way_out(path: Path, left: float) -> None:
    LadybugGraph(path).close()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * left)])
    before = path.read_bytes()
    with pytest.raises(GraphError, match=r"damaged.*filled from the log"):
        LadybugGraph(path)
    assert path.read_bytes() == before


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GraphError, match="directory that JimBot may write to"):
        LadybugGraph(tmp_path / "file" / "graph.ladybug")


_HOLDER = """
import sys
from pathlib import Path
from jimbot.knowledge.ladybug import LadybugGraph
graph = LadybugGraph(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_a_graph_in_use_names_the_process(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(GraphError, match=f"in use by process {holder.pid}.*stop it first"):
            LadybugGraph(path)
    finally:
        holder.communicate("", timeout=20)
    LadybugGraph(path).close()


def test_migrations_run_once_each_and_keep_what_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = LadybugGraph(path)
    with graph.transaction():
        graph.run("CREATE (:Joker {key: 'a', games: 3})")
    graph.close()
    step = (
        "ALTER TABLE Joker ADD luck INT64 DEFAULT 7",
        "CREATE NODE TABLE New(key STRING PRIMARY KEY)",
    )
    monkeypatch.setattr(engine, "MIGRATIONS", (*engine.MIGRATIONS, step))
    for _ in range(2):
        graph = LadybugGraph(path)
        assert graph.version() == len(engine.MIGRATIONS)
        assert graph.run("MATCH (j:Joker) RETURN j.games AS games, j.luck AS luck") == [
            {"games": 3, "luck": 7}
        ]
        graph.close()
    monkeypatch.undo()
    with pytest.raises(GraphError, match="newer JimBot"):
        LadybugGraph(path)


def test_a_migration_that_fails_leaves_the_version_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LadybugGraph(path).close()
    step = ("CREATE NODE TABLE New(key STRING PRIMARY KEY)", "this is no Cypher")
    with monkeypatch.context() as patched:
        patched.setattr(engine, "MIGRATIONS", (*engine.MIGRATIONS, step))
        with pytest.raises(GraphError):
            LadybugGraph(path)
    graph = LadybugGraph(path)
    assert graph.version() == len(engine.MIGRATIONS)
    with pytest.raises(GraphError, match="New"):
        graph.run("MATCH (n:New) RETURN n.key AS key")
    graph.close()


_WRITER = """
import sys
from pathlib import Path
from jimbot.knowledge.ladybug import LadybugGraph

graph = LadybugGraph(Path(sys.argv[1]))
position = graph.position()
while True:
    batch = 1 + position % 30
    with graph.transaction():
        rows = [{"key": f"j{position + at}"} for at in range(batch)]
        graph.run("UNWIND $rows AS row CREATE (:Joker {key: row.key, games: 1})", {"rows": rows})
        graph.set_position(position + batch)
    position += batch
    print(position, flush=True)
"""


def test_killed_in_mid_write_it_has_whole_batches_and_their_position(path: Path) -> None:
    rng = random.Random(11)
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        first = int(writer.stdout.readline())
        time.sleep(rng.uniform(0, 0.4))
        os.kill(writer.pid, signal.SIGKILL)
        lines = writer.stdout.read().splitlines(keepends=True)
        told = [first, *(int(line) for line in lines if line.endswith("\n"))]
        writer.wait(10)
        writer.stdout.close()
        graph = LadybugGraph(path)
        position = graph.position()
        assert position >= told[-1]
        assert graph.run("MATCH (j:Joker) RETURN count(*) AS n, sum(j.games) AS games") == [
            {"n": position, "games": position}
        ]
        graph.close()


def test_a_flipped_byte_never_passes_for_an_answer(path: Path) -> None:
    """Damage is named at opening or at reading, or it hit nothing that was read."""
    graph = LadybugGraph(path)
    with graph.transaction():
        rows = [{"key": f"j{n}", "games": n} for n in range(3000)]
        graph.run_rows("CREATE (:Joker {key: row.key, games: row.games})", rows)
    graph.close()
    content = path.read_bytes()
    rng = random.Random(5)
    named = 0
    for _ in range(12):
        spoiled = bytearray(content)
        page = rng.randrange(1, len(content) // 4096) * 4096
        for at in range(page, min(page + 512, len(content))):
            spoiled[at] ^= 0xFF
        path.write_bytes(spoiled)
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        code = (
            "import sys; from pathlib import Path\n"
            "from jimbot.knowledge import GraphError\n"
            "from jimbot.knowledge.ladybug import LadybugGraph\n"
            "try:\n"
            "    graph = LadybugGraph(Path(sys.argv[1]), read_only=True)\n"
            "    rows = graph.run('MATCH (j:Joker) RETURN j.key AS key, j.games AS games')\n"
            "    print('read', len(rows))\n"
            "except GraphError as error:\n"
            "    print('named', error.hint)\n"
        )
        # In a process of its own: an engine that crashes takes no test run with it.
        found = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=30
        )
        if found.returncode == 0:
            named += "named" in found.stdout
            assert found.stdout.startswith(("named", "read")), found
    assert named > 0


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from jimbot.knowledge.ladybug import LadybugGraph
from jimbot.knowledge.projection import fold
from tests.metrics.events import game

path = Path(sys.argv[1])
graph = LadybugGraph(path)
fold(graph, [game(n) for n in range(1, 50)])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
size = max(file.stat().st_size for file in path.parent.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2000, limits[1]))
batch = [game(n, jokers=[f"j_{n}_{k}" for k in range(8)]) for n in range(50, 300)]
for _ in range(2):
    try:
        fold(graph, batch)
    except Exception as error:
        print(type(error).__name__, "Free disk space" in str(error))
print(graph.position())
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
fold(graph, batch)
graph.close()
"""


def test_a_full_disk_changes_nothing_and_the_graph_recovers(path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout.split("\n") == ["GraphError True", "GraphError True", "49", ""]
    graph = LadybugGraph(path)
    assert graph.position() == 299
    assert graph.run("MATCH (n:Record {kind: 'deck'}) RETURN sum(n.games) AS n") == [{"n": 299}]
    graph.close()
