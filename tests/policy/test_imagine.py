from __future__ import annotations

from jimbot.game import Action, ActionKind, Joker, Offer, Phase, Run
from jimbot.game.catalogue import JOKER_BY_KEY
from jimbot.policy import make
from jimbot.policy.candidates import Hand, best_play, plays
from jimbot.policy.imagine import finish_round, power
from tests.policy.games import situations

DEALS = [f"DEAL{number}" for number in range(1, 9)]


def shop(seed: str, money: int) -> Run:
    run = Run(seed)
    policy = make("heuristic", seed=1)
    while run.phase != Phase.SHOP:
        run.step(policy.act(run))
    run.money = money
    return run


def joker(run: Run, key: str) -> Joker:
    return Joker(JOKER_BY_KEY[key], run.new_id(), 0)


def test_the_best_play_is_legal_and_nearly_the_best() -> None:
    looked = worse = 0
    for seed in range(12):
        for run in situations(seed, every=3, limit=120):
            if run.phase != Phase.SELECTING_HAND or not run.hand:
                continue
            hand = Hand(run)
            play = best_play(run, hand)
            assert run.is_legal(Action(ActionKind.PLAY, 0, play.cards))
            looked += 1
            worse += play.preview.score < 0.95 * plays(run, hand, 1)[0].preview.score
    assert looked > 50
    assert worse < 0.1 * looked


def test_a_round_is_finished_by_legal_steps() -> None:
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    finish_round(run)
    assert run.phase in (Phase.ROUND_EVAL, Phase.GAME_OVER)
    assert run.chips > 0


def test_power_tells_what_helps() -> None:
    run = shop("ALEEB", 10)
    before = run.digest()
    base = sum(power(run, DEALS))
    better = run.clone()
    better.add_joker(joker(better, "j_cavendish"))
    assert sum(power(better, DEALS)) > base + 0.5 * len(DEALS)  # X3 is 1.1 in logarithms
    harder = run.clone()
    harder.ante = harder.blind_ante = 4
    assert sum(power(harder, DEALS)) < base - 1.0 * len(DEALS)
    assert run.digest() == before


def test_a_full_row_of_jokers_makes_room_for_a_better_one() -> None:
    run = shop("ALEEB", 30)
    for old in list(run.jokers):
        run.remove_joker(old)
    for key in ("j_egg", "j_credit_card", "j_chaos", "j_diet_cola", "j_joker"):
        run.add_joker(joker(run, key))
    wanted = joker(run, "j_cavendish")
    run.shop_cards = [Offer(joker=wanted)]
    run.shop_vouchers = []
    run.refresh_costs()
    policy = make("heuristic", seed=1)
    sold = 0
    for _ in range(8):
        action = policy.act(run)
        sold += action.kind == ActionKind.SELL_JOKER
        run.step(action)
        if any(owned.id == wanted.id for owned in run.jokers):
            break
    assert sold == 1
    assert wanted.id in [owned.id for owned in run.jokers]
    assert "j_joker" in [owned.key for owned in run.jokers]
