from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jimbot.game import Phase, Run
from jimbot.game.sampling import random_action
from jimbot.mcp.balatrobot import rpc
from jimbot.mcp.balatrobot.methods import METHODS, Game, document
from tests.mcp.balatrobot.conftest import Memory, Player, check_error, request_of, validator

SHARED = Path(__file__).parents[4] / "shared" / "balatrobot" / "openrpc.json"


def test_a_run_from_the_menu_to_the_second_blind(player: Player) -> None:
    assert player("health") == {"status": "ok"}
    assert player("gamestate")["state"] == "MENU"
    state = player("start", deck="BLUE", stake="WHITE", seed="TEST123")
    assert (state["state"], state["deck"], state["seed"]) == ("BLIND_SELECT", "BLUE", "TEST123")
    assert state["round"]["hands_left"] == 5
    assert state["blinds"]["small"] == {
        "type": "SMALL",
        "status": "SELECT",
        "name": "Small Blind",
        "effect": "",
        "score": 300,
        **{key: state["blinds"]["small"][key] for key in ("tag_name", "tag_effect")},
    }
    assert (state["cards"]["count"], state["hand"]["count"]) == (52, 0)
    state = player("select")
    assert (state["state"], state["blinds"]["small"]["status"]) == ("SELECTING_HAND", "CURRENT")
    assert (state["cards"]["count"], state["hand"]["count"]) == (44, 8)
    before = [card["id"] for card in state["hand"]["cards"]]
    state = player("discard", cards=[0, 1])
    assert len(set(before) & {card["id"] for card in state["hand"]["cards"]}) == 6
    assert (state["round"]["discards_left"], state["round"]["discards_used"]) == (2, 1)
    player("set", chips=299)
    state = player("play", cards=[0])
    assert state["state"] == "ROUND_EVAL"
    money = state["money"]
    state = player("cash_out")
    assert state["state"] == "SHOP"
    assert state["money"] > money
    assert (state["shop"]["count"], state["vouchers"]["count"], state["packs"]["count"]) == (
        2,
        1,
        2,
    )
    state = player("next_round")
    assert (state["state"], state["blinds"]["big"]["status"]) == ("BLIND_SELECT", "SELECT")
    assert player("menu")["state"] == "MENU"


def test_a_won_run_goes_on_and_a_lost_one_is_over(player: Player) -> None:
    player.start()
    player("set", ante=8)
    for _ in range(3):
        player("select")
        player("set", chips=10_000_000)
        state = player("play", cards=[0, 1, 2, 3, 4])
        if state["blinds"]["boss"]["status"] != "DEFEATED":
            player("cash_out")
            player("next_round")
    assert (state["state"], state["won"], state["ante_num"]) == ("ROUND_EVAL", True, 9)
    player("cash_out")
    player("next_round")
    player("select")
    player("set", hands=1)
    assert player("play", cards=[0])["state"] == "GAME_OVER"
    assert player.refused("play", cards=[0]) == "INVALID_STATE"
    assert player.refused("start", deck="RED", stake="WHITE") == "INVALID_STATE"


@pytest.mark.parametrize("seed", range(4))
def test_any_game_through_the_interface_is_the_game_itself_and_its_states_are_valid(
    seed: int,
) -> None:
    player = Player(validate_one_in=12)
    rng = random.Random(seed)
    deck = rng.choice(document()["components"]["schemas"]["Deck"]["oneOf"])["const"]
    player.start(deck=deck, stake=rng.choice(["WHITE", "GOLD"]), seed=f"A{seed}")
    twin = Run(f"A{seed}", player.run.deck, player.run.stake, endless=True)
    for _ in range(250):
        if twin.over:
            break
        if rng.random() < 0.1:
            for run in (twin, player.run):
                run.money += 50
                run.chips += 2000.0 if run.phase == Phase.SELECTING_HAND else 0.0
        action = random_action(twin, rng)
        request = request_of(twin, action)
        assert request is not None
        name, params = request
        in_state = name not in ("sell", "use") or twin.phase not in (
            Phase.BLIND_SELECT,
            Phase.ROUND_EVAL,
        )
        if not in_state:
            assert player.refused(name, **params) == "INVALID_STATE"
            continue
        twin.step(action)
        player(name, **params)
        assert player.run.digest() == twin.digest()


def test_states_are_valid_by_the_published_document_of_1_4_too(player: Player) -> None:
    if not SHARED.exists():
        pytest.skip(f"the published document is not at {SHARED}")
    published = json.loads(SHARED.read_text())
    ours = document()
    for method in published["methods"]:
        mine = next(one for one in ours["methods"] if one["name"] == method["name"])
        assert mine["params"][: len(method["params"])] == method["params"]
        assert mine["result"] == method["result"]
    assert ours["components"]["errors"] == published["components"]["errors"]
    check = validator({"$ref": "#/components/schemas/GameState"}, published)
    player.to_shop()
    for state in (player("gamestate"), player("next_round"), player("select"), player("menu")):
        check.validate(state)


def test_discover_describes_every_method_and_only_those(player: Player) -> None:
    found = player("rpc.discover")
    assert {method["name"] for method in found["methods"]} == {"rpc.discover", *METHODS}
    for method in found["methods"]:
        fields = METHODS[method["name"]].fields if method["name"] in METHODS else {}
        assert {p["name"]: p["required"] for p in method["params"]} == {
            name: field.required for name, field in fields.items()
        }
    assert found["info"]["license"]["name"] == "MIT"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff", "JSON"),
        (b"7", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[]", "version"),
        (b"{}", "version"),
        (b'{"jsonrpc": "1.0", "method": "health", "id": 1}', "version"),
        (b'{"jsonrpc": "2.0", "method": "health"}', "'id' field is required"),
        (b'{"jsonrpc": "2.0", "method": "health", "id": null}', "'id' field is required"),
        (b'{"jsonrpc": "2.0", "method": "health", "id": []}', "'id' must be"),
        (b'{"jsonrpc": "2.0", "method": "health", "id": true}', "'id' must be"),
        (b'{"jsonrpc": "2.0", "method": "health", "id": 1.5}', "not a float"),
        (b'{"jsonrpc": "2.0", "id": 1}', "'method'"),
        (b'{"jsonrpc": "2.0", "method": 4, "id": 1}', "'method'"),
        (b'{"jsonrpc": "2.0", "method": "dance", "id": 1}', "Unknown method"),
        (b'{"jsonrpc": "2.0", "method": "start", "params": "x", "id": 1}', "table"),
        (b'{"jsonrpc": "2.0", "method": "start", "params": [1], "id": 1}', "Missing required"),
    ],
)
def test_requests_of_the_wrong_shape(body: bytes, message: str) -> None:
    answer = json.loads(rpc.answer(body, Game(Memory()).call))
    check_error(answer["error"])
    assert answer["error"]["data"]["name"] == "BAD_REQUEST"
    assert message in answer["error"]["message"]


def test_ids_are_echoed_and_a_null_is_an_absent_field() -> None:
    for id in (1, -5, "x", 2.0):
        body = json.dumps({"jsonrpc": "2.0", "method": "health", "params": None, "id": id})
        assert json.loads(rpc.answer(body.encode(), Game(Memory()).call))["id"] == id
    body = json.dumps({"jsonrpc": "3", "method": "health", "id": "me"})
    assert json.loads(rpc.answer(body.encode(), Game(Memory()).call))["id"] == "me"


WRONG: dict[str, list[Any]] = {
    "string": [1, True, [], {}, 1.5],
    "integer": ["1", True, 1.5, [], {}],
    "boolean": ["true", 1, [], {}],
    "array": [1, "x", True, [1.5], ["0"], [None], [True], {"0": 1}],
}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_field_of_a_wrong_type_is_a_bad_request_in_any_state(player: Player, name: str) -> None:
    fields = METHODS[name].fields
    good = {"string": "x", "integer": 0, "boolean": True, "array": [0]}
    full = {field: good[kind.kind] for field, kind in fields.items()}
    for field, kind in fields.items():
        for value in WRONG[kind.kind]:
            assert player.refused(name, **{**full, field: value}) == "BAD_REQUEST"
        if kind.required:
            rest = {key: value for key, value in full.items() if key != field}
            assert player.refused(name, **rest) == "BAD_REQUEST"
            assert player.refused(name, **rest, **{field: None}) == "BAD_REQUEST"


ANY_STATE = {"health", "gamestate", "menu", "load", "screenshot", "set"}


@pytest.mark.parametrize("name", sorted(set(METHODS) - ANY_STATE))
def test_a_method_in_a_state_that_it_is_not_for(name: str) -> None:
    player = Player(validate_one_in=50)
    method = METHODS[name]
    good = {"string": "x", "integer": 0, "boolean": True, "array": [0]}
    params = {f: good[kind.kind] for f, kind in method.fields.items() if kind.required}
    reach = {
        "MENU": lambda: player("menu"),
        "BLIND_SELECT": player.start,
        "SELECTING_HAND": player.to_hand,
        "ROUND_EVAL": player.to_eval,
        "SHOP": player.to_shop,
        "SMODS_BOOSTER_OPENED": lambda: player.to_pack("p_arcana_normal_1"),
    }
    for state, go in reach.items():
        go()
        if state not in method.states:
            assert player.refused(name, **params) == "INVALID_STATE"


def test_start(player: Player) -> None:
    assert player.refused("start", deck="RED", stake="PINK") == "BAD_REQUEST"
    assert player.refused("start", deck="b_red", stake="WHITE") == "BAD_REQUEST"
    assert player.refused("start", deck="RED", stake="WHITE", seed="TOOLONG99") == "BAD_REQUEST"
    state = player("start", deck="MAGIC", stake="GOLD")
    assert len(state["seed"]) == 8
    assert [card["key"] for card in state["consumables"]["cards"]] == ["c_fool", "c_fool"]
    assert list(state["used_vouchers"]) == ["v_crystal_ball"]


def test_skip_gives_the_tag_and_a_boss_cannot_be_skipped(player: Player) -> None:
    player.start()
    state = player("gamestate")
    skipped = player("skip")
    assert skipped["blinds"]["small"]["status"] == "SKIPPED"
    if skipped["state"] == "BLIND_SELECT" and "tags" in skipped:
        assert skipped["tags"][0]["name"] == state["blinds"]["small"]["tag_name"]
    while player("gamestate")["state"] != "BLIND_SELECT":
        player("pack", skip=True)
    player("skip")
    while player("gamestate")["state"] != "BLIND_SELECT":
        player("pack", skip=True)
    assert player.refused("skip") == "NOT_ALLOWED"


def test_play_and_discard(player: Player) -> None:
    player.to_hand()
    for method in ("play", "discard"):
        for cards in ([], [0, 1, 2, 3, 4, 5], [8], [-1], [0, 0]):
            assert player.refused(method, cards=cards) == "BAD_REQUEST"
    player("set", discards=0)
    assert player.refused("discard", cards=[0]) == "BAD_REQUEST"


def test_a_forced_card_must_be_among_those_played(player: Player) -> None:
    player.start()
    player("set", boss="bl_final_bell")
    player.run.on_deck = 2
    player("select")
    forced = [
        card["state"].get("highlight", False) for card in player("gamestate")["hand"]["cards"]
    ]
    assert forced.count(True) == 1
    assert player.refused("play", cards=[forced.index(False)]) == "BAD_REQUEST"
    player("discard", cards=[forced.index(True)])


def test_buy(player: Player) -> None:
    player.to_shop()
    assert player.refused("buy") == "BAD_REQUEST"
    assert player.refused("buy", card=0, pack=0) == "BAD_REQUEST"
    for what in ("card", "voucher", "pack"):
        assert player.refused("buy", **{what: 9}) == "BAD_REQUEST"
        assert player.refused("buy", **{what: -1}) == "BAD_REQUEST"
    player("set", money=0)
    assert player.refused("buy", voucher=0) == "BAD_REQUEST"
    assert player.refused("reroll") == "NOT_ALLOWED"
    player("set", money=100)
    voucher = player("gamestate")["vouchers"]["cards"][0]
    state = player("buy", voucher=0)
    assert voucher["key"] in state["used_vouchers"]
    assert state["vouchers"]["count"] == 0
    assert player.refused("buy", voucher=0) == "BAD_REQUEST"
    assert player("buy", pack=0)["state"] == "SMODS_BOOSTER_OPENED"


def test_no_room_for_jokers_and_consumables() -> None:
    player = Player(validate_one_in=10)
    player.to_shop()
    for _ in range(5):
        player("add", key="j_joker")
    for _ in range(2):
        player("add", key="c_hermit")
    for seen in ("JOKER", "TAROT"):
        for _ in range(300):
            kinds = [card["set"] for card in player("gamestate")["shop"]["cards"]]
            if seen in kinds:
                break
            player("set", money=100)
            player("reroll")
        place = kinds.index(seen)
        if "edition" not in player("gamestate")["shop"]["cards"][place]["modifier"]:
            assert player.refused("buy", card=place) == "BAD_REQUEST"
    player("menu")
    player.to_pack("p_buffoon_normal_1")
    while player("gamestate")["jokers"]["count"] < 5:
        player.run.add_joker(player.run.pack.cards[0].joker.copy())  # type: ignore[union-attr]
    if "edition" not in player("gamestate")["pack"]["cards"][0]["modifier"]:
        assert player.refused("pack", card=0) == "NOT_ALLOWED"


def test_buy_and_use() -> None:
    player = Player(validate_one_in=10)
    player.to_shop()
    for _ in range(300):
        keys = [card["set"] for card in player("gamestate")["shop"]["cards"]]
        if "PLANET" in keys:
            break
        player("set", money=100)
        player("reroll")
    place = keys.index("PLANET")
    if "JOKER" in keys:
        assert player.refused("buy_and_use", card=keys.index("JOKER")) == "BAD_REQUEST"
    assert player.refused("buy_and_use", card=7) == "BAD_REQUEST"
    state = player("buy_and_use", card=place)
    assert state["consumables"]["count"] == 0
    assert max(hand["level"] for hand in state["hands"].values()) == 2


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("p_arcana_normal_1", {"TAROT", "SPECTRAL"}),
        ("p_celestial_jumbo_1", {"PLANET", "SPECTRAL"}),
        ("p_spectral_normal_2", {"SPECTRAL"}),
        ("p_standard_mega_1", {"DEFAULT", "ENHANCED"}),
        ("p_buffoon_normal_1", {"JOKER"}),
    ],
)
def test_packs(player: Player, key: str, kinds: set[str]) -> None:
    player.to_pack(key)
    state = player("gamestate")
    assert {card["set"] for card in state["pack"]["cards"]} <= kinds
    assert (state["hand"]["count"] > 0) == ("arcana" in key or "spectral" in key)
    assert player.refused("pack") == "BAD_REQUEST"
    assert player.refused("pack", card=0, skip=True) == "BAD_REQUEST"
    assert player.refused("pack", card=9) == "BAD_REQUEST"
    assert player.refused("pack", card=-1) == "BAD_REQUEST"
    if "standard" in key:
        cards = state["cards"]["count"]
        assert player("pack", card=1)["state"] == "SMODS_BOOSTER_OPENED"
        state = player("pack", card=0)
        assert (state["state"], state["cards"]["count"]) == ("SHOP", cards + 2)
        assert "pack" not in state
    else:
        assert player("pack", skip=True)["state"] == "SHOP"


def test_targets_in_a_pack() -> None:
    player = Player(validate_one_in=20)
    for number in range(60):
        player("menu")
        player("start", deck="RED", stake="WHITE", seed=f"P{number}")
        player("select")
        player("set", chips=10_000)
        player("play", cards=[0])
        player("cash_out")
        player("set", money=100)
        player("buy", pack=0)
        player("pack", skip=True)
        player("add", key="p_arcana_mega_1")
        player("buy", pack=1)
        keys = [card["key"] for card in player("gamestate")["pack"]["cards"]]
        if "c_empress" in keys:
            break
    place = keys.index("c_empress")
    assert player.refused("pack", card=place) == "BAD_REQUEST"
    assert player.refused("pack", card=place, targets=[0, 1, 2]) == "BAD_REQUEST"
    assert player.refused("pack", card=place, targets=[0, 70]) == "BAD_REQUEST"
    assert player.refused("pack", card=place, targets=[0, 0]) == "BAD_REQUEST"
    ids = [card["id"] for card in player("gamestate")["hand"]["cards"]]
    state = player("pack", card=place, targets=[3, 0])
    shown = {card["id"]: card for card in state["hand"]["cards"]}
    assert [shown[ids[n]]["modifier"].get("enhancement") for n in (0, 3)] == ["MULT", "MULT"]


def test_sell(player: Player) -> None:
    player.to_shop()
    assert player.refused("sell") == "BAD_REQUEST"
    assert player.refused("sell", joker=0) == "NOT_ALLOWED"
    assert player.refused("sell", consumable=0) == "NOT_ALLOWED"
    player("add", key="j_egg")
    player("add", key="c_fool")
    assert player.refused("sell", joker=0, consumable=0) == "BAD_REQUEST"
    assert player.refused("sell", joker=1) == "BAD_REQUEST"
    state = player("gamestate")
    worth = state["jokers"]["cards"][0]["cost"]["sell"]
    assert player("sell", joker=0)["money"] == state["money"] + worth
    player("sell", consumable=0)
    player("add", key="j_egg", eternal=True)
    assert player.refused("sell", joker=0) == "NOT_ALLOWED"


def test_use(player: Player) -> None:
    player.to_shop()
    player("add", key="c_magician")
    player("add", key="c_pluto")
    assert player.refused("use", consumable=2) == "BAD_REQUEST"
    assert player.refused("use", consumable=0, cards=[0]) == "INVALID_STATE"
    state = player("use", consumable=1)
    assert state["hands"]["High Card"]["level"] == 2
    player("add", key="c_wheel_of_fortune")
    assert player.refused("use", consumable=1) == "NOT_ALLOWED"
    player("next_round")
    player("select")
    for cards in ([], [0, 1, 2], [99], [0, 0]):
        assert player.refused("use", consumable=0, cards=cards) == "BAD_REQUEST"
    state = player("use", consumable=0, cards=[1])
    assert state["hand"]["cards"][1]["modifier"]["enhancement"] == "LUCKY"
    assert state["hand"]["cards"][1]["set"] == "ENHANCED"


def test_rearrange(player: Player) -> None:
    player.to_hand()
    ids = [card["id"] for card in player("gamestate")["hand"]["cards"]]
    assert player.refused("rearrange") == "BAD_REQUEST"
    assert player.refused("rearrange", hand=[0], jokers=[]) == "BAD_REQUEST"
    for order in ([0], [0, 0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6, 8]):
        assert player.refused("rearrange", hand=order) == "BAD_REQUEST"
    state = player("rearrange", hand=[7, 6, 5, 4, 3, 2, 1, 0])
    assert [card["id"] for card in state["hand"]["cards"]] == ids[::-1]
    for key in ("j_joker", "j_brainstorm", "c_fool", "c_hermit"):
        player("add", key=key)
    state = player("rearrange", jokers=[1, 0])
    assert [card["key"] for card in state["jokers"]["cards"]] == ["j_brainstorm", "j_joker"]
    state = player("rearrange", consumables=[1, 0])
    assert [card["key"] for card in state["consumables"]["cards"]] == ["c_hermit", "c_fool"]
    player("menu")
    player.to_shop()
    assert player.refused("rearrange", hand=[]) == "INVALID_STATE"
    player.to_pack("p_buffoon_normal_1")
    assert player.refused("rearrange", hand=[]) == "NOT_ALLOWED"


def test_add(player: Player) -> None:
    player.to_hand()
    for bad in (
        {"key": "x"},
        {"key": "j_nobody"},
        {"key": "c_nothing"},
        {"key": "H_1"},
        {"key": "j_joker", "seal": "RED"},
        {"key": "j_joker", "enhancement": "GLASS"},
        {"key": "j_joker", "edition": "SHINY"},
        {"key": "j_joker", "edition": ""},
        {"key": "j_joker", "perishable": 0},
        {"key": "c_fool", "edition": "FOIL"},
        {"key": "c_fool", "eternal": True},
        {"key": "H_A", "rental": True},
        {"key": "H_A", "seal": "PINK"},
    ):
        assert player.refused("add", **bad) == "BAD_REQUEST", bad
    assert player.refused("add", key="v_blank") == "INVALID_STATE"
    assert player.refused("add", key="p_arcana_normal_1") == "INVALID_STATE"
    state = player("add", key="S_T", seal="GOLD", edition="HOLO", enhancement="STEEL")
    added = next(card for card in state["hand"]["cards"] if card["modifier"])
    assert added["key"] == "S_T"
    assert added["modifier"] == {"seal": "GOLD", "edition": "HOLO", "enhancement": "STEEL"}
    assert state["hand"]["count"] == 9
    state = player(
        "add", key="j_joker", edition="NEGATIVE", eternal=True, perishable=3, rental=True
    )
    joker = state["jokers"]["cards"][0]
    assert joker["modifier"] == {
        "edition": "NEGATIVE",
        "eternal": True,
        "perishable": 3,
        "rental": True,
    }
    assert state["jokers"]["limit"] == 6
    assert player("add", key="c_fool", edition="NEGATIVE")["consumables"]["limit"] == 3
    player("menu")
    player.to_shop()
    assert player.refused("add", key="H_A") == "INVALID_STATE"
    assert player.refused("add", key="p_arcana_normal_1") == "NOT_ALLOWED"
    player("buy", pack=0)
    player("pack", skip=True)
    assert player.refused("add", key="p_golden_normal_1") == "BAD_REQUEST"
    assert player("add", key="p_spectral_mega_1")["packs"]["cards"][1]["key"] == "p_spectral_mega_1"
    assert player("add", key="v_antimatter")["vouchers"]["count"] == 2
    assert player("buy", voucher=1)["jokers"]["limit"] == 6


@pytest.mark.parametrize("kind", ["JokerKey", "TarotKey", "PlanetKey", "SpectralKey", "VoucherKey"])
def test_everything_in_the_document_can_be_added(kind: str) -> None:
    player = Player(validate_one_in=10)
    player.to_shop()
    for entry in document()["components"]["schemas"][kind]["oneOf"]:
        state = player("add", key=entry["const"])
        area = {"J": "jokers", "V": "vouchers"}.get(kind[0], "consumables")
        assert state[area]["cards"][-1]["key"] == entry["const"]


def test_set(player: Player) -> None:
    assert player.refused("set", money=1) == "INVALID_STATE"
    player.start()
    assert player.refused("set") == "BAD_REQUEST"
    for name in ("money", "chips", "ante", "round", "hands", "discards"):
        assert player.refused("set", **{name: -1}) == "BAD_REQUEST"
        assert player.refused("set", **{name: 10**400}) == "BAD_REQUEST"
    assert player.refused("set", shop=True) == "NOT_ALLOWED"
    assert player.refused("set", money=5, shop=True) == "NOT_ALLOWED"
    assert player.refused("set", boss="bl_small") == "BAD_REQUEST"
    assert player.refused("set", boss="bl_nobody") == "BAD_REQUEST"
    state = player("set", money=7, ante=3, round=9, hands=2, discards=1, boss="bl_hook")
    assert (state["money"], state["ante_num"], state["round_num"]) == (7, 3, 9)
    assert (state["round"]["hands_left"], state["round"]["discards_left"]) == (2, 1)
    assert state["blinds"]["boss"]["name"] == "The Hook"
    assert state["blinds"]["small"]["score"] == 2000
    player("select")
    assert player.refused("set", boss="bl_hook") == "INVALID_STATE"
    player.to_shop()
    player("buy", pack=0)
    player("pack", skip=True)
    state = player("set", shop=True)
    assert (state["shop"]["count"], state["vouchers"]["count"], state["packs"]["count"]) == (
        2,
        1,
        2,
    )


def test_save_and_load(player: Player) -> None:
    assert player.refused("save", path="s") == "INVALID_STATE"
    assert player.refused("load", path="s") == "INTERNAL_ERROR"
    player.to_shop()
    saved = player.run.digest()
    assert player("save", path="s") == {"success": True, "path": "s"}
    assert player.refused("save", path="bad") == "INTERNAL_ERROR"
    player("menu")
    assert player("load", path="s") == {"success": True, "path": "s"}
    assert player.run.digest() == saved
    for damaged in (b"", b"not a save", b"[" * 100_000, player.files.files["s"][:-30], b"{}"):
        player.files.files["t"] = damaged
        assert player.refused("load", path="t") == "INTERNAL_ERROR"


def test_a_fault_of_the_game_is_an_internal_error(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    player.start()

    def fails(*_: object) -> None:
        raise ZeroDivisionError("x")

    monkeypatch.setattr("jimbot.mcp.balatrobot.methods.game_state", fails)
    assert player.ask("gamestate")["error"]["data"]["name"] == "INTERNAL_ERROR"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["card", "cards", "key", "path", "skip", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_request_gets_an_answer_that_is_one(data: st.DataObject) -> None:
    player = Player(validate_one_in=20)
    player.to_shop()
    for _ in range(4):
        method = data.draw(st.sampled_from(sorted(METHODS)) | st.text(max_size=5))
        fields = list(METHODS[method].fields) if method in METHODS else ["x"]
        params = data.draw(
            st.dictionaries(st.sampled_from(fields or ["x"]), _JSON | st.integers(-1, 3)) | _JSON
        )
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1})
        answer = json.loads(rpc.answer(body.encode(), player.game.call))
        assert ("error" in answer) != ("result" in answer)
        if "error" in answer:
            check_error(answer["error"])
            assert answer["error"]["data"]["name"] != "INTERNAL_ERROR" or method in ("load", "save")
