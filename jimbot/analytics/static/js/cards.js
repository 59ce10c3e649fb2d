// Playing cards, jokers and everything else that lies on a table, drawn.

import { h, svg } from "./dom.js";
import { one } from "./words.js";

const SHAPES = {
  Spades: "M16 3c-3 4.7-10 8.2-10 13.8a5 5 0 0 0 8.6 3.5c-.2 2.5-1.1 4.7-2.9 6.700h8.600c-1.800-2-2.700-4.200-2.900-6.700a5 5 0 0 0 8.600-3.500C26 11.200 19 7.700 16 3Z",
  Hearts: "M16 28C10 22.500 4 17.400 4 11.400A6.400 6.400 0 0 1 16 8.200 6.400 6.400 0 0 1 28 11.400C28 17.400 22 22.500 16 28Z",
  Clubs: "M16 3.500a5.600 5.600 0 0 0-4.700 8.700 5.600 5.600 0 1 0 3.500 8.300c-.2 2.500-1.200 4.600-3 6.500h8.400c-1.800-1.900-2.800-4-3-6.500a5.600 5.600 0 1 0 3.500-8.300A5.600 5.600 0 0 0 16 3.500Z",
  Diamonds: "M16 3 26.500 16 16 29 5.500 16Z",
};
const FACES = { Jack: "J", Queen: "Q", King: "K", Ace: "A" };
const RARITY = ["", "common", "uncommon", "rare", "legendary"];

const suit = (name) => svg("svg", { viewBox: "0 0 32 32", "aria-hidden": "true", class: "suit" }, svg("path", { d: SHAPES[name] }));

// What a card is, in words: what is drawn says nothing more.
export function cardName(card, ...more) {
  if (card.face_down) return ["A card that lies face down", ...more].join(", ");
  const face = card.enhancement === "Stone" ? "Stone card" : `${card.rank} of ${card.suit}`;
  return [face, card.enhancement && card.enhancement !== "Stone" ? `${card.enhancement} card` : "", card.edition, card.seal,
    card.bonus ? `${card.bonus} extra chips` : "", card.debuffed ? "debuffed" : "", ...more].filter(Boolean).join(", ");
}

export function card(card, { note = "", scores = false, dim = false } = {}) {
  const words = cardName(card, scores ? "scores" : "", note);
  const classes = ["card", scores ? "scores" : "", dim ? "dim" : "", card.debuffed ? "debuffed" : "", card.face_down ? "back" : ""];
  const node = h("li", { class: classes.filter(Boolean).join(" "), title: words, "data-suit": card.suit,
    "data-enhancement": card.enhancement || null, "data-edition": card.edition || null });
  node.append(h("span", { class: "unseen" }, words));
  if (card.face_down) return node;
  if (card.enhancement === "Stone") {
    node.append(h("b", { class: "word", "aria-hidden": "true" }, "Stone"));
  } else {
    node.append(h("span", { class: "corner", "aria-hidden": "true" }, h("b", {}, FACES[card.rank] ?? card.rank), suit(card.suit)),
      h("span", { class: "middle", "aria-hidden": "true" }, suit(card.suit)));
    if (card.enhancement) node.append(h("span", { class: "enhancement", "aria-hidden": "true" }, card.enhancement));
  }
  if (card.seal) node.append(h("span", { class: "seal", "data-seal": card.seal.split(" ")[0], "aria-hidden": "true" }, card.seal[0]));
  if (card.edition) node.append(h("span", { class: "edition", "aria-hidden": "true" }, card.edition.slice(0, 4)));
  if (card.debuffed) node.append(svg("svg", { viewBox: "0 0 10 10", class: "cross", "aria-hidden": "true", preserveAspectRatio: "none" }, svg("path", { d: "M1 1 9 9M9 1 1 9" })));
  return node;
}

// A joker, consumable, voucher, pack or tag: its name, and what it does.
export function thing(it, { cost = null } = {}) {
  const notes = [it.edition, ...(it.notes ?? [])].filter(Boolean);
  const kind = it.kind === "Joker" ? RARITY[it.rarity ?? 0] : it.kind.toLowerCase();
  return h("li", { class: "thing", "data-kind": it.kind, "data-rarity": it.rarity || null, "data-edition": it.edition || null },
    h("b", {}, it.name),
    h("span", { class: "kind" }, kind, cost === null ? "" : ` · ${cost ? `$${cost}` : "free"}`),
    it.text ? h("span", { class: "text" }, it.text) : null,
    it.value ? h("span", { class: "value" }, `now ${one(it.value)}`) : null,
    notes.length ? h("span", { class: "notes" }, notes.join(", ")) : null);
}

// `priced`: on a shelf; what lies in a pack is paid for.
export function offer(it, priced) {
  if (it.thing) return thing(it.thing, { cost: priced ? it.cost ?? 0 : null });
  return card(it.card, { note: priced && it.cost ? `costs $${it.cost}` : "" });
}
