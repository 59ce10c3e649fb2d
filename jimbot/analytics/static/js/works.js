// What works: jokers, pairs, hands and strategies, the surest winners first.

import { ask } from "./api.js";
import { $, h, meter } from "./dom.js";
import { percent, percentWhole, plural, whole } from "./words.js";

const ROWS = 8;

const none = (text) => h("tr", {}, h("td", { class: "none", colspan: 3 }, text));

function rows(list, name, text) {
  if (!list.length) return [none(text)];
  const highest = Math.max(...list.map((it) => it.confidence)) || 1;
  return list.map((it) => h("tr", {},
    h("th", { scope: "row", class: "row" }, name(it),
      meter(it.confidence / highest, `Confidence in ${name(it)}`, percent(it.confidence), "fine")),
    h("td", { class: "number" }, `${whole(it.wins)} of ${whole(it.games)}`),
    h("td", { class: "number" }, percent(it.confidence))));
}

const won = (list) => list.filter((it) => it.wins > 0);

export async function refresh() {
  const answer = await ask(`/api/v1/knowledge?limit=${ROWS}`);
  const name = (it) => it.name;
  const unknown = `Not known: ${answer.pairs_reason}`;
  $("jokers").replaceChildren(...rows(won(answer.jokers), name, "No game has been won yet."));
  $("hands").replaceChildren(...rows(won(answer.hands), name, "No game has been won yet."));
  $("policies").replaceChildren(...rows(answer.policies, name, "No game has been played yet."));
  $("pairs").replaceChildren(...(answer.pairs === null ? [none(unknown)]
    : rows(won(answer.pairs), (it) => it.names.join(" + "), "No pair has won yet.")));
  const sets = answer.combinations;
  $("combinations").replaceChildren(...(sets === null ? [h("li", {}, unknown)]
    : sets.length ? sets.slice(0, 5).map((set) => h("li", {},
      h("a", { href: `#game=${encodeURIComponent(set.game_id)}` }, plural(set.wins, "win")), `: ${set.names.join(", ") || "no jokers"}`))
      : [h("li", {}, "No game has been won yet.")]));
  const notes = answer.opinions ?? [];
  $("opinions-part").hidden = !notes.length;
  $("opinions").replaceChildren(...notes.slice(0, 4).map((note) => h("li", {},
    h("b", {}, `${note.subject} ${note.relation} ${note.object}`), ` ${note.claim} `,
    h("span", { class: "amount" }, `Claude's own confidence ${percentWhole(note.confidence)}`))));
}
