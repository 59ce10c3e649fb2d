"""What exists in Balatro: plain data, one entry each, in the order in which the game lists it.

The position of an entry in its list is the number by which the engine knows it, and the order of
the lists is the order in which draws count through them.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class JokerEntry(NamedTuple):
    key: str
    name: str
    rarity: int  # 1 common, 2 uncommon, 3 rare, 4 legendary
    cost: int
    text: str
    # "b": Blueprint cannot copy it, "e": never eternal, "p": never perishable.
    limits: str = ""
    gate: str = ""  # the enhancement the deck must hold before it appears


class ConsumableEntry(NamedTuple):
    key: str
    name: str
    kind: str  # "Tarot", "Planet" or "Spectral"
    cost: int
    text: str


class VoucherEntry(NamedTuple):
    key: str
    name: str
    cost: int
    text: str
    requires: str = ""


class TagEntry(NamedTuple):
    key: str
    name: str
    min_ante: int
    text: str


class BlindEntry(NamedTuple):
    key: str
    name: str
    min_ante: int  # 0 for the small and big blinds
    scale: float  # of the ante's base chips
    reward: int
    finisher: bool
    text: str


class PackEntry(NamedTuple):
    key: str
    name: str
    kind: str  # "Arcana", "Celestial", "Spectral", "Standard" or "Buffoon"
    cost: int
    size: int
    picks: int


JOKERS: Final[tuple[JokerEntry, ...]] = (
    JokerEntry("j_joker", "Joker", 1, 2, "+4 Mult"),
    JokerEntry("j_greedy_joker", "Greedy Joker", 1, 5, "+3 Mult per scored Diamond"),
    JokerEntry("j_lusty_joker", "Lusty Joker", 1, 5, "+3 Mult per scored Heart"),
    JokerEntry("j_wrathful_joker", "Wrathful Joker", 1, 5, "+3 Mult per scored Spade"),
    JokerEntry("j_gluttenous_joker", "Gluttonous Joker", 1, 5, "+3 Mult per scored Club"),
    JokerEntry("j_jolly", "Jolly Joker", 1, 3, "+8 Mult if the hand contains a Pair"),
    JokerEntry("j_zany", "Zany Joker", 1, 4, "+12 Mult if the hand contains Three of a Kind"),
    JokerEntry("j_mad", "Mad Joker", 1, 4, "+10 Mult if the hand contains Two Pair"),
    JokerEntry("j_crazy", "Crazy Joker", 1, 4, "+12 Mult if the hand contains a Straight"),
    JokerEntry("j_droll", "Droll Joker", 1, 4, "+10 Mult if the hand contains a Flush"),
    JokerEntry("j_sly", "Sly Joker", 1, 3, "+50 Chips if the hand contains a Pair"),
    JokerEntry("j_wily", "Wily Joker", 1, 4, "+100 Chips if the hand contains Three of a Kind"),
    JokerEntry("j_clever", "Clever Joker", 1, 4, "+80 Chips if the hand contains Two Pair"),
    JokerEntry("j_devious", "Devious Joker", 1, 4, "+100 Chips if the hand contains a Straight"),
    JokerEntry("j_crafty", "Crafty Joker", 1, 4, "+80 Chips if the hand contains a Flush"),
    JokerEntry("j_half", "Half Joker", 1, 5, "+20 Mult if at most 3 cards are played"),
    JokerEntry("j_stencil", "Joker Stencil", 2, 8, "X1 Mult per empty joker slot, itself included"),
    JokerEntry("j_four_fingers", "Four Fingers", 2, 7, "Flushes and Straights need 4 cards", "b"),
    JokerEntry("j_mime", "Mime", 2, 5, "Retriggers the abilities of held cards"),
    JokerEntry("j_credit_card", "Credit Card", 1, 1, "Allows a debt of $20", "b"),
    JokerEntry(
        "j_ceremonial",
        "Ceremonial Dagger",
        2,
        6,
        "At a blind's start destroys the joker to its right and gains twice its sell value in Mult",
        "p",
    ),
    JokerEntry("j_banner", "Banner", 1, 5, "+30 Chips per discard left"),
    JokerEntry("j_mystic_summit", "Mystic Summit", 1, 5, "+15 Mult with no discards left"),
    JokerEntry(
        "j_marble", "Marble Joker", 2, 6, "Adds a Stone card to the deck at a blind's start"
    ),
    JokerEntry("j_loyalty_card", "Loyalty Card", 2, 5, "X4 Mult every 6th hand"),
    JokerEntry("j_8_ball", "8 Ball", 1, 5, "1 in 4 chance of a Tarot card per scored 8"),
    JokerEntry("j_misprint", "Misprint", 1, 4, "+0 to +23 Mult at random"),
    JokerEntry("j_dusk", "Dusk", 2, 5, "Retriggers played cards in the round's last hand"),
    JokerEntry("j_raised_fist", "Raised Fist", 1, 5, "Adds twice the lowest held rank to Mult"),
    JokerEntry("j_chaos", "Chaos the Clown", 1, 4, "One free reroll a shop", "b"),
    JokerEntry("j_fibonacci", "Fibonacci", 2, 8, "+8 Mult per scored Ace, 2, 3, 5 or 8"),
    JokerEntry("j_steel_joker", "Steel Joker", 2, 7, "X0.2 Mult per Steel card owned", "", "Steel"),
    JokerEntry("j_scary_face", "Scary Face", 1, 4, "+30 Chips per scored face card"),
    JokerEntry("j_abstract", "Abstract Joker", 1, 4, "+3 Mult per joker"),
    JokerEntry(
        "j_delayed_grat",
        "Delayed Gratification",
        1,
        4,
        "$2 per discard at round's end if none was used",
        "b",
    ),
    JokerEntry("j_hack", "Hack", 2, 6, "Retriggers scored 2, 3, 4 and 5"),
    JokerEntry("j_pareidolia", "Pareidolia", 2, 5, "All cards count as face cards", "b"),
    JokerEntry(
        "j_gros_michel", "Gros Michel", 1, 5, "+15 Mult; 1 in 6 to go bad after a round", "e"
    ),
    JokerEntry("j_even_steven", "Even Steven", 1, 4, "+4 Mult per scored even rank"),
    JokerEntry("j_odd_todd", "Odd Todd", 1, 4, "+31 Chips per scored odd rank"),
    JokerEntry("j_scholar", "Scholar", 1, 4, "+20 Chips and +4 Mult per scored Ace"),
    JokerEntry("j_business", "Business Card", 1, 4, "1 in 2 chance of $2 per scored face card"),
    JokerEntry("j_supernova", "Supernova", 1, 5, "Adds the times the hand was played to Mult"),
    JokerEntry(
        "j_ride_the_bus", "Ride the Bus", 1, 6, "+1 Mult per hand in a row without a face", "p"
    ),
    JokerEntry("j_space", "Space Joker", 2, 5, "1 in 4 chance to level up the played hand"),
    JokerEntry("j_egg", "Egg", 1, 4, "Gains $3 of sell value a round", "b"),
    JokerEntry("j_burglar", "Burglar", 2, 6, "+3 hands and no discards at a blind's start"),
    JokerEntry("j_blackboard", "Blackboard", 2, 6, "X3 Mult if all held cards are black"),
    JokerEntry("j_runner", "Runner", 1, 5, "Gains +15 Chips per Straight", "p"),
    JokerEntry("j_ice_cream", "Ice Cream", 1, 5, "+100 Chips, -5 per hand played", "e"),
    JokerEntry("j_dna", "DNA", 3, 8, "Copies the card if a round's first hand is a single card"),
    JokerEntry("j_splash", "Splash", 1, 3, "Every played card scores", "b"),
    JokerEntry("j_blue_joker", "Blue Joker", 1, 5, "+2 Chips per card left in the deck"),
    JokerEntry(
        "j_sixth_sense",
        "Sixth Sense",
        2,
        6,
        "Turns a first hand of a single 6 into a Spectral",
        "b",
    ),
    JokerEntry("j_constellation", "Constellation", 2, 6, "Gains X0.1 Mult per Planet used", "p"),
    JokerEntry("j_hiker", "Hiker", 2, 5, "Scored cards gain +5 Chips for good"),
    JokerEntry("j_faceless", "Faceless Joker", 1, 4, "$5 for discarding 3 or more face cards"),
    JokerEntry("j_green_joker", "Green Joker", 1, 4, "+1 Mult per hand, -1 per discard", "p"),
    JokerEntry("j_superposition", "Superposition", 1, 4, "A Tarot for a Straight with an Ace"),
    JokerEntry("j_todo_list", "To Do List", 1, 4, "$4 for playing the named hand"),
    JokerEntry("j_cavendish", "Cavendish", 1, 4, "X3 Mult; 1 in 1000 to go bad after a round", "e"),
    JokerEntry("j_card_sharp", "Card Sharp", 2, 6, "X3 Mult for a hand played before this round"),
    JokerEntry("j_red_card", "Red Card", 1, 5, "Gains +3 Mult per skipped pack", "p"),
    JokerEntry(
        "j_madness", "Madness", 2, 7, "Gains X0.5 Mult a blind, destroying another joker", "p"
    ),
    JokerEntry("j_square", "Square Joker", 1, 4, "Gains +4 Chips per hand of 4 cards", "p"),
    JokerEntry("j_seance", "Seance", 2, 6, "A Spectral for a Straight Flush"),
    JokerEntry("j_riff_raff", "Riff-raff", 1, 6, "2 common jokers at a blind's start"),
    JokerEntry(
        "j_vampire", "Vampire", 2, 7, "Gains X0.1 Mult per scored enhancement, removing it", "p"
    ),
    JokerEntry("j_shortcut", "Shortcut", 2, 7, "Straights may have gaps of one rank", "b"),
    JokerEntry("j_hologram", "Hologram", 2, 7, "Gains X0.25 Mult per card added"),
    JokerEntry("j_vagabond", "Vagabond", 3, 8, "A Tarot if a hand is played with $4 or less"),
    JokerEntry("j_baron", "Baron", 3, 8, "X1.5 Mult per held King"),
    JokerEntry("j_cloud_9", "Cloud 9", 2, 7, "$1 per 9 owned at round's end", "b"),
    JokerEntry("j_rocket", "Rocket", 2, 6, "$1 at round's end, $2 more per boss beaten", "bp"),
    JokerEntry(
        "j_obelisk", "Obelisk", 3, 8, "Gains X0.2 Mult per hand that is not the favourite", "p"
    ),
    JokerEntry("j_midas_mask", "Midas Mask", 2, 7, "Scored face cards turn to Gold", "b"),
    JokerEntry("j_luchador", "Luchador", 2, 5, "Sell it to disable the boss", "e"),
    JokerEntry("j_photograph", "Photograph", 1, 5, "X2 Mult for the first scored face card"),
    JokerEntry(
        "j_gift", "Gift Card", 2, 6, "Jokers and consumables gain $1 of sell value a round", "b"
    ),
    JokerEntry("j_turtle_bean", "Turtle Bean", 2, 6, "+5 hand size, -1 a round", "be"),
    JokerEntry("j_erosion", "Erosion", 2, 6, "+4 Mult per card missing from the deck"),
    JokerEntry("j_reserved_parking", "Reserved Parking", 1, 6, "1 in 2 chance of $1 per held face"),
    JokerEntry("j_mail", "Mail-In Rebate", 1, 4, "$5 per discarded card of the named rank"),
    JokerEntry("j_to_the_moon", "To the Moon", 2, 5, "$1 more interest per $5", "b"),
    JokerEntry(
        "j_hallucination", "Hallucination", 1, 4, "1 in 2 chance of a Tarot per pack opened"
    ),
    JokerEntry("j_fortune_teller", "Fortune Teller", 1, 6, "+1 Mult per Tarot used this run"),
    JokerEntry("j_juggler", "Juggler", 1, 4, "+1 hand size", "b"),
    JokerEntry("j_drunkard", "Drunkard", 1, 4, "+1 discard", "b"),
    JokerEntry("j_stone", "Stone Joker", 2, 6, "+25 Chips per Stone card owned", "", "Stone"),
    JokerEntry("j_golden", "Golden Joker", 1, 6, "$4 at round's end", "b"),
    JokerEntry(
        "j_lucky_cat", "Lucky Cat", 2, 6, "Gains X0.25 Mult per lucky trigger", "p", "Lucky"
    ),
    JokerEntry("j_baseball", "Baseball Card", 3, 8, "X1.5 Mult per uncommon joker"),
    JokerEntry("j_bull", "Bull", 2, 6, "+2 Chips per $1"),
    JokerEntry("j_diet_cola", "Diet Cola", 2, 6, "Sell it for a Double Tag", "e"),
    JokerEntry(
        "j_trading", "Trading Card", 2, 6, "$3 for a first discard of one card, destroyed", "b"
    ),
    JokerEntry("j_flash", "Flash Card", 2, 5, "Gains +2 Mult per reroll", "p"),
    JokerEntry("j_popcorn", "Popcorn", 1, 5, "+20 Mult, -4 a round", "e"),
    JokerEntry("j_trousers", "Spare Trousers", 2, 6, "Gains +2 Mult per Two Pair", "p"),
    JokerEntry("j_ancient", "Ancient Joker", 3, 8, "X1.5 Mult per scored card of the named suit"),
    JokerEntry("j_ramen", "Ramen", 2, 6, "X2 Mult, -X0.01 per card discarded", "e"),
    JokerEntry(
        "j_walkie_talkie", "Walkie Talkie", 1, 4, "+10 Chips and +4 Mult per scored 10 or 4"
    ),
    JokerEntry("j_selzer", "Seltzer", 2, 6, "Retriggers played cards for 10 hands", "e"),
    JokerEntry(
        "j_castle", "Castle", 2, 6, "Gains +3 Chips per discarded card of the named suit", "p"
    ),
    JokerEntry("j_smiley", "Smiley Face", 1, 4, "+5 Mult per scored face card"),
    JokerEntry("j_campfire", "Campfire", 3, 9, "Gains X0.25 Mult per card sold, until a boss"),
    JokerEntry("j_ticket", "Golden Ticket", 1, 5, "$4 per scored Gold card", "", "Gold"),
    JokerEntry("j_mr_bones", "Mr. Bones", 2, 5, "Saves a run that scored a quarter", "be"),
    JokerEntry("j_acrobat", "Acrobat", 2, 6, "X3 Mult in the round's last hand"),
    JokerEntry("j_sock_and_buskin", "Sock and Buskin", 2, 6, "Retriggers scored face cards"),
    JokerEntry("j_swashbuckler", "Swashbuckler", 1, 4, "Adds other jokers' sell value to Mult"),
    JokerEntry("j_troubadour", "Troubadour", 2, 6, "+2 hand size, -1 hand", "b"),
    JokerEntry("j_certificate", "Certificate", 2, 6, "A random sealed card at a round's start"),
    JokerEntry("j_smeared", "Smeared Joker", 2, 7, "Only red and black are told apart", "b"),
    JokerEntry("j_throwback", "Throwback", 2, 6, "X0.25 Mult per blind skipped this run"),
    JokerEntry("j_hanging_chad", "Hanging Chad", 1, 4, "Retriggers the first scored card twice"),
    JokerEntry("j_rough_gem", "Rough Gem", 2, 7, "$1 per scored Diamond"),
    JokerEntry("j_bloodstone", "Bloodstone", 2, 7, "1 in 2 chance of X1.5 Mult per scored Heart"),
    JokerEntry("j_arrowhead", "Arrowhead", 2, 7, "+50 Chips per scored Spade"),
    JokerEntry("j_onyx_agate", "Onyx Agate", 2, 7, "+7 Mult per scored Club"),
    JokerEntry(
        "j_glass", "Glass Joker", 2, 6, "Gains X0.75 Mult per Glass card destroyed", "p", "Glass"
    ),
    JokerEntry("j_ring_master", "Showman", 2, 5, "Cards may appear more than once", "b"),
    JokerEntry("j_flower_pot", "Flower Pot", 2, 6, "X3 Mult if all four suits score"),
    JokerEntry("j_blueprint", "Blueprint", 3, 10, "Copies the joker to its right"),
    JokerEntry("j_wee", "Wee Joker", 3, 8, "Gains +8 Chips per scored 2", "p"),
    JokerEntry("j_merry_andy", "Merry Andy", 2, 7, "+3 discards, -1 hand size", "b"),
    JokerEntry("j_oops", "Oops! All 6s", 2, 4, "Doubles all listed chances", "b"),
    JokerEntry("j_idol", "The Idol", 2, 6, "X2 Mult per scored card of the named rank and suit"),
    JokerEntry(
        "j_seeing_double", "Seeing Double", 2, 6, "X2 Mult if a Club and another suit score"
    ),
    JokerEntry("j_matador", "Matador", 2, 7, "$8 when a hand triggers the boss"),
    JokerEntry(
        "j_hit_the_road", "Hit the Road", 3, 8, "Gains X0.5 Mult per Jack discarded a round"
    ),
    JokerEntry("j_duo", "The Duo", 3, 8, "X2 Mult if the hand contains a Pair"),
    JokerEntry("j_trio", "The Trio", 3, 8, "X3 Mult if the hand contains Three of a Kind"),
    JokerEntry("j_family", "The Family", 3, 8, "X4 Mult if the hand contains Four of a Kind"),
    JokerEntry("j_order", "The Order", 3, 8, "X3 Mult if the hand contains a Straight"),
    JokerEntry("j_tribe", "The Tribe", 3, 8, "X2 Mult if the hand contains a Flush"),
    JokerEntry("j_stuntman", "Stuntman", 3, 7, "+250 Chips, -2 hand size"),
    JokerEntry("j_invisible", "Invisible Joker", 3, 8, "Sell after 2 rounds to copy a joker", "be"),
    JokerEntry("j_brainstorm", "Brainstorm", 3, 10, "Copies the leftmost joker"),
    JokerEntry("j_satellite", "Satellite", 2, 6, "$1 per different Planet used, a round", "b"),
    JokerEntry("j_shoot_the_moon", "Shoot the Moon", 1, 5, "+13 Mult per held Queen"),
    JokerEntry("j_drivers_license", "Driver's License", 3, 7, "X3 Mult with 16 enhanced cards"),
    JokerEntry("j_cartomancer", "Cartomancer", 2, 6, "A Tarot at a blind's start"),
    JokerEntry("j_astronomer", "Astronomer", 2, 8, "Planets and Celestial Packs are free", "b"),
    JokerEntry("j_burnt", "Burnt Joker", 3, 8, "Levels up the round's first discarded hand"),
    JokerEntry("j_bootstraps", "Bootstraps", 2, 7, "+2 Mult per $5"),
    JokerEntry("j_caino", "Canio", 4, 20, "Gains X1 Mult per face card destroyed"),
    JokerEntry("j_triboulet", "Triboulet", 4, 20, "X2 Mult per scored King or Queen"),
    JokerEntry("j_yorick", "Yorick", 4, 20, "Gains X1 Mult per 23 cards discarded"),
    JokerEntry("j_chicot", "Chicot", 4, 20, "Disables every boss", "b"),
    JokerEntry("j_perkeo", "Perkeo", 4, 20, "Copies a consumable as Negative after a shop"),
)

CONSUMABLES: Final[tuple[ConsumableEntry, ...]] = (
    ConsumableEntry("c_fool", "The Fool", "Tarot", 3, "Copies the last Tarot or Planet used"),
    ConsumableEntry("c_magician", "The Magician", "Tarot", 3, "2 cards become Lucky"),
    ConsumableEntry("c_high_priestess", "The High Priestess", "Tarot", 3, "2 Planets"),
    ConsumableEntry("c_empress", "The Empress", "Tarot", 3, "2 cards become Mult"),
    ConsumableEntry("c_emperor", "The Emperor", "Tarot", 3, "2 Tarots"),
    ConsumableEntry("c_heirophant", "The Hierophant", "Tarot", 3, "2 cards become Bonus"),
    ConsumableEntry("c_lovers", "The Lovers", "Tarot", 3, "1 card becomes Wild"),
    ConsumableEntry("c_chariot", "The Chariot", "Tarot", 3, "1 card becomes Steel"),
    ConsumableEntry("c_justice", "Justice", "Tarot", 3, "1 card becomes Glass"),
    ConsumableEntry("c_hermit", "The Hermit", "Tarot", 3, "Doubles the money, by $20 at most"),
    ConsumableEntry(
        "c_wheel_of_fortune", "The Wheel of Fortune", "Tarot", 3, "1 in 4: a joker gets an edition"
    ),
    ConsumableEntry("c_strength", "Strength", "Tarot", 3, "Raises the rank of 2 cards by one"),
    ConsumableEntry("c_hanged_man", "The Hanged Man", "Tarot", 3, "Destroys 2 cards"),
    ConsumableEntry("c_death", "Death", "Tarot", 3, "The left of 2 cards becomes the right"),
    ConsumableEntry(
        "c_temperance", "Temperance", "Tarot", 3, "The jokers' sell value, $50 at most"
    ),
    ConsumableEntry("c_devil", "The Devil", "Tarot", 3, "1 card becomes Gold"),
    ConsumableEntry("c_tower", "The Tower", "Tarot", 3, "1 card becomes Stone"),
    ConsumableEntry("c_star", "The Star", "Tarot", 3, "3 cards become Diamonds"),
    ConsumableEntry("c_moon", "The Moon", "Tarot", 3, "3 cards become Clubs"),
    ConsumableEntry("c_sun", "The Sun", "Tarot", 3, "3 cards become Hearts"),
    ConsumableEntry("c_judgement", "Judgement", "Tarot", 3, "A random joker"),
    ConsumableEntry("c_world", "The World", "Tarot", 3, "3 cards become Spades"),
    ConsumableEntry("c_mercury", "Mercury", "Planet", 3, "Levels up Pair"),
    ConsumableEntry("c_venus", "Venus", "Planet", 3, "Levels up Three of a Kind"),
    ConsumableEntry("c_earth", "Earth", "Planet", 3, "Levels up Full House"),
    ConsumableEntry("c_mars", "Mars", "Planet", 3, "Levels up Four of a Kind"),
    ConsumableEntry("c_jupiter", "Jupiter", "Planet", 3, "Levels up Flush"),
    ConsumableEntry("c_saturn", "Saturn", "Planet", 3, "Levels up Straight"),
    ConsumableEntry("c_uranus", "Uranus", "Planet", 3, "Levels up Two Pair"),
    ConsumableEntry("c_neptune", "Neptune", "Planet", 3, "Levels up Straight Flush"),
    ConsumableEntry("c_pluto", "Pluto", "Planet", 3, "Levels up High Card"),
    ConsumableEntry("c_planet_x", "Planet X", "Planet", 3, "Levels up Five of a Kind"),
    ConsumableEntry("c_ceres", "Ceres", "Planet", 3, "Levels up Flush House"),
    ConsumableEntry("c_eris", "Eris", "Planet", 3, "Levels up Flush Five"),
    ConsumableEntry(
        "c_familiar", "Familiar", "Spectral", 4, "A held card becomes 3 enhanced face cards"
    ),
    ConsumableEntry("c_grim", "Grim", "Spectral", 4, "A held card becomes 2 enhanced Aces"),
    ConsumableEntry(
        "c_incantation", "Incantation", "Spectral", 4, "A held card becomes 4 enhanced numbers"
    ),
    ConsumableEntry("c_talisman", "Talisman", "Spectral", 4, "1 card gets a Gold Seal"),
    ConsumableEntry("c_aura", "Aura", "Spectral", 4, "1 card gets an edition"),
    ConsumableEntry("c_wraith", "Wraith", "Spectral", 4, "A rare joker, and no money"),
    ConsumableEntry("c_sigil", "Sigil", "Spectral", 4, "All held cards become one suit"),
    ConsumableEntry("c_ouija", "Ouija", "Spectral", 4, "All held cards one rank, -1 hand size"),
    ConsumableEntry("c_ectoplasm", "Ectoplasm", "Spectral", 4, "A negative joker, less hand size"),
    ConsumableEntry("c_immolate", "Immolate", "Spectral", 4, "Destroys 5 held cards for $20"),
    ConsumableEntry("c_ankh", "Ankh", "Spectral", 4, "Copies a joker, destroys the others"),
    ConsumableEntry("c_deja_vu", "Deja Vu", "Spectral", 4, "1 card gets a Red Seal"),
    ConsumableEntry("c_hex", "Hex", "Spectral", 4, "A polychrome joker, destroys the others"),
    ConsumableEntry("c_trance", "Trance", "Spectral", 4, "1 card gets a Blue Seal"),
    ConsumableEntry("c_medium", "Medium", "Spectral", 4, "1 card gets a Purple Seal"),
    ConsumableEntry("c_cryptid", "Cryptid", "Spectral", 4, "2 copies of 1 card"),
    ConsumableEntry("c_soul", "The Soul", "Spectral", 4, "A legendary joker"),
    ConsumableEntry("c_black_hole", "Black Hole", "Spectral", 4, "Levels up every hand"),
)

FIRST_PLANET: Final = 22
FIRST_SPECTRAL: Final = 34
SOUL: Final = 50
BLACK_HOLE: Final = 51

VOUCHERS: Final[tuple[VoucherEntry, ...]] = (
    VoucherEntry("v_overstock_norm", "Overstock", 10, "+1 shop card"),
    VoucherEntry("v_overstock_plus", "Overstock Plus", 10, "+1 shop card", "v_overstock_norm"),
    VoucherEntry("v_clearance_sale", "Clearance Sale", 10, "25% off"),
    VoucherEntry("v_liquidation", "Liquidation", 10, "50% off", "v_clearance_sale"),
    VoucherEntry("v_hone", "Hone", 10, "Editions twice as often"),
    VoucherEntry("v_glow_up", "Glow Up", 10, "Editions 4 times as often", "v_hone"),
    VoucherEntry("v_reroll_surplus", "Reroll Surplus", 10, "Rerolls cost $2 less"),
    VoucherEntry("v_reroll_glut", "Reroll Glut", 10, "Rerolls cost $2 less", "v_reroll_surplus"),
    VoucherEntry("v_crystal_ball", "Crystal Ball", 10, "+1 consumable slot"),
    VoucherEntry(
        "v_omen_globe", "Omen Globe", 10, "Spectrals may appear in Arcana Packs", "v_crystal_ball"
    ),
    VoucherEntry("v_telescope", "Telescope", 10, "Celestial Packs hold the favourite's Planet"),
    VoucherEntry(
        "v_observatory", "Observatory", 10, "X1.5 Mult per held Planet of the hand", "v_telescope"
    ),
    VoucherEntry("v_grabber", "Grabber", 10, "+1 hand"),
    VoucherEntry("v_nacho_tong", "Nacho Tong", 10, "+1 hand", "v_grabber"),
    VoucherEntry("v_wasteful", "Wasteful", 10, "+1 discard"),
    VoucherEntry("v_recyclomancy", "Recyclomancy", 10, "+1 discard", "v_wasteful"),
    VoucherEntry("v_tarot_merchant", "Tarot Merchant", 10, "Tarots twice as often in the shop"),
    VoucherEntry(
        "v_tarot_tycoon", "Tarot Tycoon", 10, "Tarots 4 times as often", "v_tarot_merchant"
    ),
    VoucherEntry("v_planet_merchant", "Planet Merchant", 10, "Planets twice as often in the shop"),
    VoucherEntry(
        "v_planet_tycoon", "Planet Tycoon", 10, "Planets 4 times as often", "v_planet_merchant"
    ),
    VoucherEntry("v_seed_money", "Seed Money", 10, "Interest up to $10"),
    VoucherEntry("v_money_tree", "Money Tree", 10, "Interest up to $20", "v_seed_money"),
    VoucherEntry("v_blank", "Blank", 10, "Nothing"),
    VoucherEntry("v_antimatter", "Antimatter", 10, "+1 joker slot", "v_blank"),
    VoucherEntry("v_magic_trick", "Magic Trick", 10, "Playing cards in the shop"),
    VoucherEntry("v_illusion", "Illusion", 10, "Enhanced cards in the shop", "v_magic_trick"),
    VoucherEntry("v_hieroglyph", "Hieroglyph", 10, "-1 ante, -1 hand"),
    VoucherEntry("v_petroglyph", "Petroglyph", 10, "-1 ante, -1 discard", "v_hieroglyph"),
    VoucherEntry("v_directors_cut", "Director's Cut", 10, "One boss reroll an ante for $10"),
    VoucherEntry("v_retcon", "Retcon", 10, "Boss rerolls for $10", "v_directors_cut"),
    VoucherEntry("v_paint_brush", "Paint Brush", 10, "+1 hand size"),
    VoucherEntry("v_palette", "Palette", 10, "+1 hand size", "v_paint_brush"),
)

TAGS: Final[tuple[TagEntry, ...]] = (
    TagEntry("tag_uncommon", "Uncommon Tag", 1, "A free uncommon joker in the shop"),
    TagEntry("tag_rare", "Rare Tag", 1, "A free rare joker in the shop"),
    TagEntry("tag_negative", "Negative Tag", 2, "A free negative joker in the shop"),
    TagEntry("tag_foil", "Foil Tag", 1, "A free foil joker in the shop"),
    TagEntry("tag_holo", "Holographic Tag", 1, "A free holographic joker in the shop"),
    TagEntry("tag_polychrome", "Polychrome Tag", 1, "A free polychrome joker in the shop"),
    TagEntry("tag_investment", "Investment Tag", 1, "$25 after the boss"),
    TagEntry("tag_voucher", "Voucher Tag", 1, "One more voucher in the shop"),
    TagEntry("tag_boss", "Boss Tag", 1, "Rerolls the boss"),
    TagEntry("tag_standard", "Standard Tag", 2, "A Mega Standard Pack"),
    TagEntry("tag_charm", "Charm Tag", 1, "A Mega Arcana Pack"),
    TagEntry("tag_meteor", "Meteor Tag", 2, "A Mega Celestial Pack"),
    TagEntry("tag_buffoon", "Buffoon Tag", 2, "A Mega Buffoon Pack"),
    TagEntry("tag_handy", "Handy Tag", 2, "$1 per hand played this run"),
    TagEntry("tag_garbage", "Garbage Tag", 2, "$1 per unused discard this run"),
    TagEntry("tag_ethereal", "Ethereal Tag", 2, "A Spectral Pack"),
    TagEntry("tag_coupon", "Coupon Tag", 1, "The shop's cards and packs are free"),
    TagEntry("tag_double", "Double Tag", 1, "Copies the next tag"),
    TagEntry("tag_juggle", "Juggle Tag", 1, "+3 hand size next round"),
    TagEntry("tag_d_six", "D6 Tag", 1, "Rerolls start at $0"),
    TagEntry("tag_top_up", "Top-up Tag", 2, "Up to 2 common jokers"),
    TagEntry("tag_skip", "Speed Tag", 1, "$5 per blind skipped this run"),
    TagEntry("tag_orbital", "Orbital Tag", 2, "3 levels for the named hand"),
    TagEntry("tag_economy", "Economy Tag", 1, "Doubles the money, by $40 at most"),
)

# The small and big blinds, then the bosses in the byte order of their keys, as draws count.
BLINDS: Final[tuple[BlindEntry, ...]] = (
    BlindEntry("bl_small", "Small Blind", 0, 1, 3, False, ""),
    BlindEntry("bl_big", "Big Blind", 0, 1.5, 4, False, ""),
    BlindEntry("bl_arm", "The Arm", 2, 2, 5, False, "Lowers the level of the played hand"),
    BlindEntry("bl_club", "The Club", 1, 2, 5, False, "Clubs are debuffed"),
    BlindEntry("bl_eye", "The Eye", 3, 2, 5, False, "No hand twice"),
    BlindEntry("bl_final_acorn", "Amber Acorn", 8, 2, 8, True, "Flips and shuffles the jokers"),
    BlindEntry("bl_final_bell", "Cerulean Bell", 8, 2, 8, True, "One card is always selected"),
    BlindEntry("bl_final_heart", "Crimson Heart", 8, 2, 8, True, "A random joker off each hand"),
    BlindEntry(
        "bl_final_leaf", "Verdant Leaf", 8, 2, 8, True, "Cards debuffed until a joker sells"
    ),
    BlindEntry("bl_final_vessel", "Violet Vessel", 8, 6, 8, True, "A very large blind"),
    BlindEntry("bl_fish", "The Fish", 2, 2, 5, False, "Cards drawn after a hand are face down"),
    BlindEntry("bl_flint", "The Flint", 2, 2, 5, False, "Base chips and mult are halved"),
    BlindEntry("bl_goad", "The Goad", 1, 2, 5, False, "Spades are debuffed"),
    BlindEntry("bl_head", "The Head", 1, 2, 5, False, "Hearts are debuffed"),
    BlindEntry("bl_hook", "The Hook", 1, 2, 5, False, "Discards 2 held cards per hand"),
    BlindEntry("bl_house", "The House", 2, 2, 5, False, "The first hand is face down"),
    BlindEntry("bl_manacle", "The Manacle", 1, 2, 5, False, "-1 hand size"),
    BlindEntry("bl_mark", "The Mark", 2, 2, 5, False, "Face cards are face down"),
    BlindEntry("bl_mouth", "The Mouth", 2, 2, 5, False, "Only one hand type"),
    BlindEntry("bl_needle", "The Needle", 2, 1, 5, False, "Only one hand"),
    BlindEntry("bl_ox", "The Ox", 6, 2, 5, False, "The favourite hand takes all money"),
    BlindEntry("bl_pillar", "The Pillar", 1, 2, 5, False, "Cards played this ante are debuffed"),
    BlindEntry("bl_plant", "The Plant", 4, 2, 5, False, "Face cards are debuffed"),
    BlindEntry("bl_psychic", "The Psychic", 1, 2, 5, False, "5 cards must be played"),
    BlindEntry("bl_serpent", "The Serpent", 5, 2, 5, False, "Always draws 3 cards"),
    BlindEntry("bl_tooth", "The Tooth", 3, 2, 5, False, "-$1 per card played"),
    BlindEntry("bl_wall", "The Wall", 2, 4, 5, False, "A large blind"),
    BlindEntry("bl_water", "The Water", 2, 2, 5, False, "No discards"),
    BlindEntry("bl_wheel", "The Wheel", 2, 2, 5, False, "1 in 7 cards is face down"),
    BlindEntry("bl_window", "The Window", 1, 2, 5, False, "Diamonds are debuffed"),
)

PACKS: Final[tuple[PackEntry, ...]] = (
    PackEntry("p_arcana_normal", "Arcana Pack", "Arcana", 4, 3, 1),
    PackEntry("p_arcana_jumbo", "Jumbo Arcana Pack", "Arcana", 6, 5, 1),
    PackEntry("p_arcana_mega", "Mega Arcana Pack", "Arcana", 8, 5, 2),
    PackEntry("p_celestial_normal", "Celestial Pack", "Celestial", 4, 3, 1),
    PackEntry("p_celestial_jumbo", "Jumbo Celestial Pack", "Celestial", 6, 5, 1),
    PackEntry("p_celestial_mega", "Mega Celestial Pack", "Celestial", 8, 5, 2),
    PackEntry("p_standard_normal", "Standard Pack", "Standard", 4, 3, 1),
    PackEntry("p_standard_jumbo", "Jumbo Standard Pack", "Standard", 6, 5, 1),
    PackEntry("p_standard_mega", "Mega Standard Pack", "Standard", 8, 5, 2),
    PackEntry("p_buffoon_normal", "Buffoon Pack", "Buffoon", 4, 2, 1),
    PackEntry("p_buffoon_jumbo", "Jumbo Buffoon Pack", "Buffoon", 6, 4, 1),
    PackEntry("p_buffoon_mega", "Mega Buffoon Pack", "Buffoon", 8, 4, 2),
    PackEntry("p_spectral_normal", "Spectral Pack", "Spectral", 4, 2, 1),
    PackEntry("p_spectral_jumbo", "Jumbo Spectral Pack", "Spectral", 6, 4, 1),
    PackEntry("p_spectral_mega", "Mega Spectral Pack", "Spectral", 8, 4, 2),
)

DECKS: Final[tuple[str, ...]] = (
    "Red",
    "Blue",
    "Yellow",
    "Green",
    "Black",
    "Magic",
    "Nebula",
    "Ghost",
    "Abandoned",
    "Checkered",
    "Zodiac",
    "Painted",
    "Anaglyph",
    "Plasma",
    "Erratic",
)

STAKES: Final[tuple[str, ...]] = (
    "White",
    "Red",
    "Green",
    "Black",
    "Blue",
    "Purple",
    "Orange",
    "Gold",
)

SUITS: Final = ("Spades", "Hearts", "Clubs", "Diamonds")
RANKS: Final = ("2", "3", "4", "5", "6", "7", "8", "9", "10", "Jack", "Queen", "King", "Ace")
ENHANCEMENTS: Final = ("", "Bonus", "Mult", "Wild", "Glass", "Steel", "Stone", "Gold", "Lucky")
EDITIONS: Final = ("", "Foil", "Holographic", "Polychrome", "Negative")
SEALS: Final = ("", "Gold Seal", "Red Seal", "Blue Seal", "Purple Seal")

JOKER_BY_KEY: Final[dict[str, int]] = {entry.key: i for i, entry in enumerate(JOKERS)}
CONSUMABLE_BY_KEY: Final[dict[str, int]] = {entry.key: i for i, entry in enumerate(CONSUMABLES)}
VOUCHER_BY_KEY: Final[dict[str, int]] = {entry.key: i for i, entry in enumerate(VOUCHERS)}
TAG_BY_KEY: Final[dict[str, int]] = {entry.key: i for i, entry in enumerate(TAGS)}
BLIND_BY_KEY: Final[dict[str, int]] = {entry.key: i for i, entry in enumerate(BLINDS)}
PACK_BY_KEY: Final[dict[str, int]] = {entry.key: i for i, entry in enumerate(PACKS)}
