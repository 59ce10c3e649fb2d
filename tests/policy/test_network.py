from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from jimbot.appliance import Home
from jimbot.game import Action, Run
from jimbot.policy import LEARNED, layout, make
from jimbot.policy.features import Observer
from jimbot.policy.network import PREPARATIONS, REARRANGED, Judgement, Network, NetworkPolicy
from jimbot.policy.weights import FILE_NAME, PolicyFileError
from tests.policy.games import situations
from tests.policy.networks import exported, untrained


def moments(seed: int) -> Iterator[tuple[Run, Observer]]:
    """What is seen in a game, now and then with cards selected or a page turned."""
    rng = random.Random(seed)
    observer = Observer(foresight=True)
    for run in situations(seed):
        observer.forget()
        observer.observe(run)
        for _ in range(rng.choice((0, 0, 1, 3))):
            preparing = [row for row in (*TOGGLES, layout.NEXT_PAGE) if observer.legal(row)]
            if preparing:
                observer.take(rng.choice(preparing))
                observer.observe(run)
        yield run, observer


TOGGLES = range(layout.TOGGLE_CARD, layout.TOGGLE_CARD + layout.CARD_SLOTS)


def slowly(weights: dict[str, np.ndarray], seen: Observer) -> tuple[dict[int, float], float]:
    """The network once more, row by row in double precision, from its description."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return w[f"{name}.weight"] @ x + w.get(f"{name}.bias", 0.0)

    encoded = {}
    for row in np.flatnonzero(seen.mask):
        item = w["items.weight"][seen.items[row]]
        block = w["blocks.weight"][layout.BLOCK_OF_ROW[row]]
        encoded[int(row)] = np.maximum(
            linear("row_encoder", np.concatenate([seen.rows[row], item, block])), 0
        )
    owned = sum(w["owned_items.weight"][item] for item in seen.owned)
    mean = sum(encoded.values()) / len(encoded)
    context = np.maximum(linear("context_encoder", np.concatenate([seen.state, owned, mean])), 0)
    context = np.maximum(linear("context_hidden", context), 0)
    scores = {}
    for row, code in encoded.items():
        hidden = np.maximum(linear("row_score", code) + linear("context_score", context), 0)
        bias = w["block_bias.weight"][layout.BLOCK_OF_ROW[row], 0]
        scores[row] = float(linear("score", hidden)[0] + bias)
    return scores, float(linear("value", context)[0])


def test_it_computes_what_its_description_says() -> None:
    weights = untrained()
    network = Network(weights)
    count = 0
    for seed in range(3):
        for _, seen in moments(seed):
            rows, scores, value = network.evaluate(seen)
            wanted, wanted_value = slowly(weights, seen)
            assert list(rows) == list(wanted)
            assert scores == pytest.approx(list(wanted.values()), abs=1e-4)
            assert value == pytest.approx(wanted_value, abs=1e-4)
            count += 1
    assert count > 100


@pytest.fixture
def policy(tmp_path: Path) -> NetworkPolicy:
    return NetworkPolicy(exported(tmp_path / "policy.npz"))


def play(policy: NetworkPolicy, seed: str, limit: int = 2000) -> tuple[Run, list[Action]]:
    run = Run(seed)
    actions: list[Action] = []
    while not run.over and len(actions) < limit:
        before = run.digest()
        actions.append(policy.act(run))
        assert run.digest() == before  # choosing changes nothing
        assert run.is_legal(actions[-1])
        assert 0 < policy.confidence <= 1
        run.step(actions[-1])
    return run, actions


def test_a_game_is_played_to_its_end_and_the_same_again(policy: NetworkPolicy) -> None:
    assert policy.name == "ppo-700"
    run, actions = play(policy, "ALEEB")
    assert run.over
    assert play(policy, "ALEEB")[1] == actions


def test_confidence_is_the_softmaxs_chance_of_the_choice(tmp_path: Path) -> None:
    weights = untrained(3)
    policy = NetworkPolicy(exported(tmp_path / "policy.npz", weights))
    network, observer = Network(weights), Observer(foresight=True)
    acting = 0
    for run in situations(5):
        observer.forget()
        observer.observe(run)
        rows, scores, _ = network.evaluate(observer)
        chances = np.exp(scores.astype(np.float64))
        chances /= chances.sum()
        action = observer.take(int(rows[scores.argmax()]))
        if action is not None:  # no preparation before it
            assert policy.act(run) == action
            assert policy.confidence == pytest.approx(chances.max(), rel=1e-4)
            acting += 1
    assert acting > 10


def test_it_can_select_cards_and_then_act(
    policy: NetworkPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that selects the first three cards, then plays them."""
    first = layout.TOGGLE_CARD
    wish = [first, first + 1, first + 2, layout.PLAY_SELECTED]

    def evaluate(seen: Observer) -> Judgement:
        rows = np.flatnonzero(seen.mask)
        step = len(seen.selected)
        scores = np.where(rows == wish[step], np.log(len(rows) - 1), 0).astype(np.float32)
        return Judgement(rows, scores, 0.0)

    monkeypatch.setattr(policy._network, "evaluate", evaluate)
    run = selecting_hand()
    action = policy.act(run)
    assert action.cards == (0, 1, 2)
    assert policy.confidence == pytest.approx(0.5**4)


def selecting_hand() -> Run:
    run = Run("ALEEB")
    run.step(next(action for action in run.legal_actions() if action.kind.name == "SELECT_BLIND"))
    return run


def test_one_that_only_prepares_is_brought_to_act(
    policy: NetworkPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It selects a card and lets it go again; the best of the rows that act is taken then."""
    asked = 0

    def evaluate(seen: Observer) -> Judgement:
        nonlocal asked
        asked += 1
        rows = np.flatnonzero(seen.mask)
        scores = np.zeros(len(rows), np.float32)
        scores[rows == layout.TOGGLE_CARD] = 9
        scores[rows == layout.DISCARD] = 5
        return Judgement(rows, scores, 0.0)

    monkeypatch.setattr(policy._network, "evaluate", evaluate)
    run = selecting_hand()
    action = policy.act(run)
    assert action.kind.name == "DISCARD"
    assert run.is_legal(action)
    assert asked == PREPARATIONS + 2
    assert policy.confidence < 0.05  # it wanted something else


def test_one_that_only_rearranges_is_brought_to_act(
    policy: NetworkPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would sort its hand for ever; after so many times the best of the other rows is taken."""

    def evaluate(seen: Observer) -> Judgement:
        rows = np.flatnonzero(seen.mask)
        scores = np.zeros(len(rows), np.float32)
        sorting = layout.BLOCKS["sort_hand"]
        scores[(rows >= sorting.first) & (rows < sorting.first + sorting.size)] = 9
        scores[rows == layout.DISCARD] = 5
        return Judgement(rows, scores, 0.0)

    monkeypatch.setattr(policy._network, "evaluate", evaluate)
    run = selecting_hand()
    kinds = []
    for _ in range(REARRANGED + 2):
        action = policy.act(run)
        kinds.append(action.kind.name)
        run.step(action)
    assert kinds == ["SORT_HAND"] * REARRANGED + ["DISCARD", "SORT_HAND"]


def test_its_options_are_what_it_would_do_in_order(policy: NetworkPolicy) -> None:
    run = selecting_hand()
    options = policy.options(run, 5)
    assert len(set(options)) == 5
    assert all(run.is_legal(action) for action in options)
    assert all(action.kind.name in ("PLAY", "DISCARD") for action in options)
    twin = policy.twin()
    assert twin.act(run) in options[:1] or twin.act(run).kind.name in ("MOVE_CARD", "SORT_HAND")
    assert twin.options(run, 5) == options


def test_it_cannot_see_the_future(policy: NetworkPolicy) -> None:
    rng = random.Random(2)
    for run in situations(9, limit=80):
        action = policy.act(run)
        assert policy.act(run.determinised(rng)) == action


def test_latest_is_the_exported_one_of_the_home(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        context.setattr("jimbot.policy.SHIPPED", "none.npz")
        with pytest.raises(PolicyFileError, match="jimbot export"):
            make(LEARNED, home=home)
    shipped = make(LEARNED, home=home).name
    assert shipped != "ppo-700"
    exported(home.path / FILE_NAME)
    assert make(LEARNED, home=home).name == "ppo-700"
    monkeypatch.setenv("JIMBOT_HOME", str(home.path))
    assert make(LEARNED).name == "ppo-700"


def test_it_needs_numpy_alone(tmp_path: Path) -> None:
    path = exported(tmp_path / "policy.npz")
    code = (
        "import sys; from pathlib import Path; from jimbot.game import Run\n"
        "from jimbot.policy.network import NetworkPolicy\n"
        f"NetworkPolicy(Path({str(path)!r})).act(Run('ALEEB'))\n"
        "heavy = ('torch', 'ray', 'gymnasium', 'pandas', 'pydantic', 'scipy')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
