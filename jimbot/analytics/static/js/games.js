// The games that are being played, and pages of those that ended.

import { ask } from "./api.js";
import { $, h, replace, say } from "./dom.js";
import { age, chips, moment, plural, whole } from "./words.js";

const A_PAGE = 15;
const page = { before: null, next: null, back: [] };
let now = Date.now();
let any = false;
let liveShown = "";

export const onFirstPage = () => page.before === null;

export function start(onerror) {
  const turn = (before) => { page.before = before; refresh().catch(onerror); };
  const first = () => { page.back = []; turn(null); };
  for (const name of ["won", "policy", "recorded"]) $(name).addEventListener("change", first);
  $("older").addEventListener("click", () => { page.back.push(page.before); turn(page.next); });
  $("newer").addEventListener("click", () => turn(page.back.pop() ?? null));
  $("newest").addEventListener("click", first);
  setInterval(() => {
    for (const time of document.querySelectorAll("#games time")) say(time, age(now - time.dataset.time));
  }, 1000);
}

export function tell(time, finished) {
  now = time;
  any = finished > 0;
}

export async function refresh() {
  const query = new URLSearchParams({ limit: A_PAGE });
  if (page.before !== null) query.set("before", page.before);
  for (const name of ["won", "policy"]) if ($(name).value) query.set(name, $(name).value);
  if ($("recorded").checked) query.set("recorded", "true");
  const answer = await ask(`/api/v1/games?${query}`);
  replace($("games"), answer.games.length ? answer.games.map(row)
    : [h("tr", {}, h("td", { class: "none", colspan: 8 }, any ? "No game is like that." : "No game yet."))]);
  const known = [...$("policy").options].slice(1).map((option) => option.value);
  if (known.join("\n") !== answer.policies.join("\n")) {
    const chosen = $("policy").value;
    $("policy").replaceChildren($("policy").options[0], ...answer.policies.map((policy) => h("option", { value: policy }, policy)));
    $("policy").value = answer.policies.includes(chosen) ? chosen : "";
  }
  page.next = answer.next;
  $("older").hidden = answer.next === null;
  $("newer").hidden = page.back.length < 2;
  $("newest").hidden = page.before === null;
  say($("games-note"), page.before === null ? "" : "Older games; new ones are not added here.");
}

const link = (id, text, label) =>
  h("a", { class: "seed", href: `#game=${encodeURIComponent(id)}`, "data-key": id, "aria-label": label, title: label }, text);

function row(game) {
  const table = [game.deck, game.stake, game.policy];
  return h("tr", {},
    h("th", { scope: "row", class: "row" },
      link(game.game_id, game.seed, `${game.recorded ? "Watch" : "Show"} game ${game.seed}`),
      game.recorded ? h("span", { class: "kept", title: "Kept action by action: it can be watched" }, "replay") : null,
      h("span", { class: "under" }, [...table, game.recorded ? "replay" : ""].filter(Boolean).join(", "))),
    ...table.map((text) => h("td", { class: "wide" }, text)),
    h("td", { class: "number ante" }, whole(game.ante)),
    h("td", { class: game.won ? "won" : "lost" }, game.won ? "won" : "lost"),
    h("td", { class: "number" }, chips(game.best_hand)),
    h("td", { class: "number" }, h("time", { datetime: new Date(game.time).toISOString(), "data-time": game.time, title: moment(game.time) }, age(now - game.time))));
}

// --- Now ----------------------------------------------------------------------------------------

export function showLive(games) {
  const text = JSON.stringify(games.map((game) => [game.game_id, game.actions]));
  if (text === liveShown) return;
  liveShown = text;
  $("live").hidden = !games.length;
  replace($("live-list"), games.slice(0, 8).map((game) => h("li", {},
    link(game.game_id, game.seed, `Watch game ${game.seed}`),
    h("span", {}, `${game.policy}, ${game.deck} deck, ${game.stake} stake`),
    h("span", { class: "amount" }, `${plural(game.actions, "action")}${game.replayable ? "" : `, dealt by ${game.played_on}`}`))));
}
