"""The draws are those of the real LuaJIT, which the development dependency lupa brings."""

from __future__ import annotations

import math
import random

import pytest

from jimbot.game.rng import Tausworthe, pseudohash, round13, streams

luajit = pytest.importorskip("lupa.luajit21")


@pytest.fixture(scope="module")
def lua():
    return luajit.LuaRuntime()


def test_draws_equal_luajits_on_100_000_values(lua):
    run = lua.eval(
        """function(seed) math.randomseed(seed)
           return math.random(), math.random(1, 52), math.random(), math.random(3, 9) end"""
    )
    rng = random.Random(20)
    for _ in range(25_000):
        seed = rng.random()
        ours = Tausworthe(seed)
        assert run(seed) == (
            ours.random(),
            ours.below(52) + 1,
            ours.random(),
            ours.below(7) + 3,
        )


def test_nan_seeds_like_luajits(lua):
    run = lua.eval("function() math.randomseed(0/0) return math.random(1, 52) end")
    assert Tausworthe(math.nan).below(52) + 1 == run()


def test_streams_equal_the_games_own_arithmetic(lua):
    lua.execute(
        """
        function pseudohash(str)
            local num = 1
            for i = #str, 1, -1 do
                num = ((1.1239285023 / num) * string.byte(str, i) * math.pi + math.pi * i) % 1
            end
            return num
        end
        function advance(state)
            return math.abs(tonumber(string.format("%.13f",
                (2.134453429141 + state * 1.72431234) % 1)))
        end
        """
    )
    lua_hash = lua.globals().pseudohash
    lua_advance = lua.globals().advance
    rng = random.Random(3)
    for _ in range(300):
        seed = "".join(rng.choice("123456789ABCDEFGHIJKLMNPQRSTUVWXYZ") for _ in range(8))
        draws = streams(seed)
        assert draws.hashed_seed == lua_hash(seed) == pseudohash(seed)
        for key in ("boss", "cdt1", "soul_Tarot12", "lucky_mult"):
            state = lua_hash(key + seed)
            for _ in range(5):
                state = lua_advance(state)
                assert draws.advance(key) == (state + lua_hash(seed)) / 2


def test_round13_is_printing_and_reading_back():
    rng = random.Random(4)
    for _ in range(20_000):
        x = rng.random()
        assert round13(x) == float(f"{x:.13f}")
    for k in range(2_000):
        x = (k * 7919 + 0.5) / 1e13  # on the verge of a tie
        assert round13(x) == float(f"{x:.13f}")
