"""An analysed seed as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_STICKERS = ("eternal", "perishable", "rental")


def lines(antes: list[dict[str, Any]]) -> Iterator[str]:
    """The antes of `jimbot.game.analyse`, for a person."""
    for ante in antes:
        yield f"Ante {ante['ante']}: {ante['boss']}"
        yield f"  voucher  {ante['voucher']}"
        yield f"  tags     {', '.join(ante['tags'])}"
        yield f"  shop     {', '.join(_thing(card) for card in ante['shop'])}"
        for pack in ante["packs"]:
            yield f"  {pack['pack']}: {', '.join(_thing(item) for item in pack['items'])}"


def _thing(item: dict[str, Any]) -> str:
    name = item.get("name") or item["card"]
    extra = [item[key] for key in ("enhancement", "edition", "seal") if key in item]
    extra += [sticker for sticker in _STICKERS if item.get(sticker)]
    return f"{name} ({', '.join(extra)})" if extra else str(name)
