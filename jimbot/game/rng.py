"""Balatro's seeded draws: named streams over LuaJIT's generator.

Every purpose in the game ("the kind of shop card in ante 3", "does this glass card break") has a
stream of its own, named by a key. A stream is a float that is advanced once a draw; the advanced
value seeds LuaJIT's ``math.random`` anew, so a draw depends on the seed, the key and how often the
key was drawn before, and on nothing else.

The generator is L'Ecuyer's Tausworthe with period 2^223: four words of 63, 58, 55 and 47 bits. The
words are kept shifted down to those widths, so all values here are non-negative and below 2^63:
the same source is right with Python's integers and fast with mypyc's ``i64``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from jimbot.game._compiled import COMPILED

if TYPE_CHECKING:
    from mypy_extensions import i64

_PI: Final = 3.14159265358979323846
_E: Final = 2.7182818284590452354
_TWO52: Final = 4503599627370496.0
# LuaJIT throws the first outcomes after seeding away.
_DISCARDED: Final = 10


def pseudohash(text: str) -> float:
    """Hash text to a float in [0, 1), or NaN where the game divides by zero."""
    data = text.encode()
    num = 1.0
    i = len(data)
    while i > 0:
        if num == 0.0:
            return math.nan
        num = ((1.1239285023 / num) * float(data[i - 1]) * _PI + _PI * float(i)) % 1.0
        i -= 1
    return num


def round13(x: float) -> float:
    """What printing x (0 <= x < 1) with 13 decimals and reading it back gives.

    The product is off by less than 2^-9; only so near a tie does the rounding need the slow way.
    A quotient of two integers below 2^53 is rounded as reading the decimal is.
    """
    scaled = x * 1e13
    whole = math.floor(scaled)
    rest = scaled - float(whole)
    if 0.498 < rest < 0.502:
        return float(f"{x:.13f}")
    if rest > 0.5:
        whole += 1
    return float(whole) / 1e13


def _bits(d: float) -> int:
    """The 64 bits of a double between 2 and 256, as all seeds are here; NaN's for NaN."""
    if d != d:
        return 0x7FF8000000000000
    exponent = 1
    scale = 2.0
    while d >= scale * 2.0:
        scale *= 2.0
        exponent += 1
    return ((1022 + exponent) << 52) + int(d / scale * _TWO52)


class Tausworthe:
    """LuaJIT 2.1's math.random after math.randomseed(seed)."""

    __slots__ = ("a", "b", "c", "d")

    def __init__(self, seed: float) -> None:
        x = seed * _PI + _E
        self.a: i64 = _bits(x) >> 1
        x = x * _PI + _E
        self.b: i64 = _bits(x) >> 6
        x = x * _PI + _E
        self.c: i64 = _bits(x) >> 9
        x = x * _PI + _E
        self.d: i64 = _bits(x) >> 17
        if _JUMPS:
            self.a = _jump(_JUMPS[0], self.a)
            self.b = _jump(_JUMPS[1], self.b)
            self.c = _jump(_JUMPS[2], self.c)
            self.d = _jump(_JUMPS[3], self.d)
        else:
            self.step(_DISCARDED)

    def step(self, steps: i64) -> i64:
        """Step so many times, and return the low 52 bits of the last outcome."""
        a, b, c, d = self.a, self.b, self.c, self.d
        out: i64 = 0
        n: i64 = 0
        while n < steps:
            # Each word: low is the feedback, high the word moved up within its width.
            low: i64 = (a >> 44) ^ ((a >> 13) & 0x7FFFF)
            high: i64 = (a & 0x1FFFFFFFFFFF) << 18
            a = high ^ (low >> 1)
            out = low ^ ((high & 0x7FFFFFFFFFFFF) << 1)

            low = (b >> 24) ^ ((b >> 5) & 0x3FFFFFFFF)
            high = (b & 0x3FFFFFFF) << 28
            b = high ^ (low >> 6)
            out ^= low ^ ((high & 0x3FFFFFFFFFFF) << 6)

            low = (c >> 39) ^ ((c >> 15) & 0xFFFF)
            high = (c & 0xFFFFFFFFFFFF) << 7
            c = high ^ (low >> 9)
            out ^= low ^ ((high & 0x7FFFFFFFFFF) << 9)

            low = (d >> 22) ^ ((d >> 1) & 0x1FFFFFF)
            high = (d & 0x7FFFFFFFFF) << 8
            d = high ^ (low >> 17)
            out ^= low ^ ((high & 0x7FFFFFFFF) << 17)
            n += 1
        self.a, self.b, self.c, self.d = a, b, c, d
        return out

    def random(self) -> float:
        """A float in [0, 1)."""
        return float(self.step(1)) / _TWO52

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return math.floor(self.random() * float(n))


def _jump(tables: list[list[int]], word: int) -> int:
    """The word after the discarded outcomes, looked up byte by byte."""
    return (
        tables[0][word & 255]
        ^ tables[1][word >> 8 & 255]
        ^ tables[2][word >> 16 & 255]
        ^ tables[3][word >> 24 & 255]
        ^ tables[4][word >> 32 & 255]
        ^ tables[5][word >> 40 & 255]
        ^ tables[6][word >> 48 & 255]
        ^ tables[7][word >> 56]
    )


def _jump_tables() -> list[list[list[int]]]:
    """For each word and each of its bytes, what the byte turns into over the discarded outcomes.

    Every step is linear in the bits, so the bytes can be looked up apart and joined with xor. In
    plain Python that is many times faster than stepping; compiled, stepping is faster.
    """
    powers: list[list[int]] = [[], [], [], []]
    generator = Tausworthe(0.0)
    for bit in range(64):
        generator.a = 1 << bit if bit < 63 else 0
        generator.b = 1 << bit if bit < 58 else 0
        generator.c = 1 << bit if bit < 55 else 0
        generator.d = 1 << bit if bit < 47 else 0
        generator.step(_DISCARDED)
        powers[0].append(generator.a)
        powers[1].append(generator.b)
        powers[2].append(generator.c)
        powers[3].append(generator.d)
    jumps: list[list[list[int]]] = []
    for word in range(4):
        tables: list[list[int]] = []
        for byte in range(8):
            table = [0]
            for bit in range(8):
                power = powers[word][8 * byte + bit]
                table += [entry ^ power for entry in table]
            tables.append(table)
        jumps.append(tables)
    return jumps


_JUMPS: list[list[list[int]]] = []
if not COMPILED:
    _JUMPS = _jump_tables()


class Streams:
    """The draws of one run.

    A stream is advanced by drawing from it; `states` holds the streams touched so far.
    """

    __slots__ = ("hashed_seed", "seed", "states")

    def __init__(self, seed: str, hashed_seed: float, states: dict[str, float]) -> None:
        self.seed = seed
        self.hashed_seed = hashed_seed
        self.states = states

    def copy(self) -> Streams:
        return Streams(self.seed, self.hashed_seed, self.states.copy())

    def advance(self, key: str) -> float:
        """Advance a stream; the seed for LuaJIT's generator."""
        state = self.states.get(key, -1.0)
        if state == -1.0:
            state = pseudohash(key + self.seed)
        if state == state:
            state = round13((2.134453429141 + state * 1.72431234) % 1.0)
        self.states[key] = state
        return (state + self.hashed_seed) / 2.0

    def generator(self, key: str) -> Tausworthe:
        return Tausworthe(self.advance(key))

    def random(self, key: str) -> float:
        """A float in [0, 1)."""
        return Tausworthe(self.advance(key)).random()

    def below(self, key: str, n: int) -> int:
        """An integer in [0, n)."""
        return Tausworthe(self.advance(key)).below(n)

    def between(self, key: str, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return Tausworthe(self.advance(key)).below(high - low + 1) + low

    def swaps(self, key: str, n: int) -> list[int]:
        """The partners of a shuffle: for i = n - 1 down to 1, the place in [0, i] to swap with."""
        generator = Tausworthe(self.advance(key))
        return [generator.below(i + 1) for i in range(n - 1, 0, -1)]


def streams(seed: str) -> Streams:
    """The streams of a run that starts."""
    return Streams(seed, pseudohash(seed), {})
