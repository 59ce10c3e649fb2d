"""Balatro's rules: deterministic, without I/O, from a seed to the end of a run.

`Run` is one run; `Action` is what a player does; `jimbot.game.catalogue` lists what exists.
`COMPILED` tells whether the compiled form runs: `jimbot.game._compiled` chooses it on import, and
has to be imported first.

In three places Balatro itself does not always repeat from a seed, and this package chooses:

- To Do List, Orbital Tag and The Ox count the hand types in the order of a hash table, which is
  another one once a saved run was loaded; here it is always that of a run played through.
- Stone cards get a random rank each time one is asked for, so that a pair of them is possible in
  the game, though very unlikely; here they never pair.
- The art of some packs is drawn without the seed; here packs have no art.
"""

from __future__ import annotations

from jimbot.game._compiled import COMPILED
from jimbot.game.actions import Action, ActionKind, Phase
from jimbot.game.analyser import analyse
from jimbot.game.cards import Blind, Card, Consumable, Joker, Offer, Tag
from jimbot.game.catalogue import DECKS, STAKES
from jimbot.game.errors import CorruptSave, GameError, IllegalAction, InvalidSeed
from jimbot.game.hands import HandLevel, HandType
from jimbot.game.run import BlindAhead, Run, random_seed
from jimbot.game.scoring import Preview
from jimbot.game.state import OpenPack, Stats

__all__ = [
    "COMPILED",
    "DECKS",
    "STAKES",
    "Action",
    "ActionKind",
    "Blind",
    "BlindAhead",
    "Card",
    "Consumable",
    "CorruptSave",
    "GameError",
    "HandLevel",
    "HandType",
    "IllegalAction",
    "InvalidSeed",
    "Joker",
    "Offer",
    "OpenPack",
    "Phase",
    "Preview",
    "Run",
    "Stats",
    "Tag",
    "analyse",
    "random_seed",
]
