// One game: its summary, and its table after every action, stepped through or played.

import { ask } from "./api.js";
import * as cards from "./cards.js";
import { $, h, meter, say, terms } from "./dom.js";
import { chips, moment, plural, significant, whole } from "./words.js";

const CHUNK = 50;
const CHUNKS_KEPT = 8;
const STEP_MS = 1400;
const PREFIX = "#game=";

let game = null; // { id, total, finished, chunks: Map of first number -> Promise of frames }
let at = 0;
let timer = null;
let opening = 0;
let playing = new Set();

const still = matchMedia("(prefers-reduced-motion: reduce)");

export function start() {
  addEventListener("hashchange", follow);
  const dialog = $("game");
  dialog.addEventListener("close", closed);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", key);
  $("replay-first").addEventListener("click", () => go(0));
  $("replay-back").addEventListener("click", () => go(at - 1));
  $("replay-play").addEventListener("click", () => (timer === null ? play() : pause()));
  $("replay-next").addEventListener("click", () => go(at + 1));
  $("replay-last").addEventListener("click", () => go(game.total - 1));
  $("replay-at").addEventListener("input", () => go(Number($("replay-at").value)));
  $("replay-speed").addEventListener("change", () => { if (timer !== null) play(); });
  follow();
}

// --- The address --------------------------------------------------------------------------------

function follow() {
  const wanted = named();
  if (!wanted) {
    leave();
    if ($("game").open) $("game").close();
    return;
  }
  const step = Number.parseInt(wanted.get("step") ?? "0", 10);
  if (game?.id !== wanted.get("game")) open(wanted.get("game"), Number.isFinite(step) ? Math.max(step, 0) : 0);
}

// What the address names, if it names a game.
function named() {
  return location.hash.startsWith(PREFIX) ? new URLSearchParams(location.hash.slice(1)) : null;
}

// A dialog tells of its closing later, when another game may be open or in the address already.
function closed() {
  if (!game || $("game").open) return;
  const left = game.id;
  leave();
  if (named()?.get("game") === left) history.replaceState(null, "", location.pathname + location.search);
}

function leave() {
  pause();
  opening++;
  game = null;
  $("stage").replaceChildren();
}

// --- A game -------------------------------------------------------------------------------------

async function open(id, step) {
  pause();
  const mine = ++opening;
  game = { id, total: 1, finished: true, chunks: new Map() };
  say($("game-title"), "Game");
  say($("game-sub"), "");
  $("game-body").replaceChildren("Loading");
  $("replay").hidden = true;
  $("replay-note").hidden = true;
  if (!$("game").open) $("game").showModal();
  const path = `/api/v1/games/${encodeURIComponent(id)}`;
  let answer = null;
  try {
    const summary = playing.has(id) ? null : await ask(path).catch((error) => { if (error.status !== 404) throw error; return null; });
    if (mine !== opening) return;
    if (summary) showSummary(summary);
    if (summary?.recorded === false) return note("Kept as a summary only: its actions were not kept, so it cannot be watched.");
    answer = await ask(`${path}/replay?from=${firstOf(step)}&count=${CHUNK}`);
    if (mine !== opening) return;
    if (!summary) {
      say($("game-title"), `${answer.seed}, ${playing.has(id) ? "being played" : "not finished"}`);
      say($("game-sub"), `${answer.deck} deck, ${answer.stake} stake, ${answer.policy}`);
      $("game-body").replaceChildren("It has not ended, so there is no summary.");
    }
  } catch (error) {
    if (mine !== opening) return;
    if ($("game-body").textContent === "Loading") $("game-body").replaceChildren();
    return note(error.message);
  }
  take(answer);
  if (answer.problem) note(answer.problem);
  $("replay").hidden = false;
  at = -1;
  await go(Math.min(step, game.total - 1));
  $("replay-play").focus({ preventScroll: true });
}

const firstOf = (number) => Math.floor(number / CHUNK) * CHUNK;

function take(answer) {
  game.total = answer.total;
  game.finished = answer.finished;
  game.won = answer.won;
  game.chunks.set(answer.start, Promise.resolve(answer.frames));
  $("replay-at").max = game.total - 1;
}

function note(text) {
  $("replay-note").hidden = false;
  say($("replay-note"), text);
}

function showSummary(it) {
  say($("game-title"), `${it.seed}, ${it.won ? "won" : `lost in ante ${it.ante}`}`);
  say($("game-sub"), `${it.deck} deck, ${it.stake} stake, played by ${it.policy}`);
  const hands = Object.entries(it.hands).sort((a, b) => b[1] - a[1]).map(([hand, times]) => `${hand} ${whole(times)}`);
  const rows = [
    ["Ended", moment(it.time)],
    ["Played by", `${it.policy} (${it.source})`],
    ["Round", whole(it.round)],
    ["Best hand", `${chips(it.best_hand)} chips`],
    ["Money left", `$${whole(it.money)}`],
    ["Actions", `${whole(it.actions)} in ${significant(it.duration_ms / 1000)} s`],
    ["Jokers", it.jokers.join(", ") || "none"],
    ["Hands played", hands.join(", ") || "none"],
    ["Also", it.recorded ? h("code", {}, `jimbot games replay ${it.game_id}`) : "kept as a summary only"],
  ];
  $("game-body").replaceChildren(h("dl", {}, ...terms(rows)));
}

// A game that is being played grows; who looks at its last action goes along.
export function grow(live) {
  playing = new Set(live.map((it) => it.game_id));
  if (!game || game.finished) return;
  const now = live.find((it) => it.game_id === game.id);
  const total = now ? now.actions + 1 : game.total;
  if (now && total > game.total) {
    const along = at === game.total - 1;
    game.chunks.delete(firstOf(game.total - 1));
    game.chunks.delete(firstOf(total - 1));
    game.total = total;
    $("replay-at").max = total - 1;
    if (along) go(total - 1);
    else told();
  }
}

// --- Steps --------------------------------------------------------------------------------------

function chunk(first) {
  const mine = game;
  if (!mine.chunks.has(first)) {
    const asked = ask(`/api/v1/games/${encodeURIComponent(mine.id)}/replay?from=${first}&count=${CHUNK}`);
    mine.chunks.set(first, asked.then((answer) => answer.frames));
    asked.catch(() => mine.chunks.delete(first));
    // Those farthest from here are asked for again when they are needed.
    if (mine.chunks.size > CHUNKS_KEPT) {
      const far = [...mine.chunks.keys()].sort((a, b) => Math.abs(b - first) - Math.abs(a - first))[0];
      mine.chunks.delete(far);
    }
  }
  return mine.chunks.get(first);
}

async function go(to) {
  if (!game) return;
  const mine = game;
  const wanted = Math.min(Math.max(to, 0), game.total - 1);
  if (wanted === at) return void (timer !== null && pause());
  at = wanted;
  told();
  try {
    const frames = await chunk(firstOf(wanted));
    if (mine !== game || at !== wanted) return;
    const frame = frames[wanted - firstOf(wanted)];
    if (frame) draw(frame);
    if (wanted + CHUNK / 2 < game.total) chunk(firstOf(wanted + CHUNK / 2)).catch(() => {});
  } catch (error) {
    if (mine === game) { pause(); note(error.message); }
  }
  if (game === mine && at === game.total - 1 && game.finished) pause();
}

function told() {
  const last = game.total - 1;
  $("replay-at").value = at;
  $("replay-at").setAttribute("aria-valuetext", `${at} of ${plural(last, "action")}`);
  say($("replay-count"), `${whole(at)} / ${whole(last)}`);
  // A disabled button would lose the focus in the middle of stepping.
  for (const [id, off] of [["replay-first", at === 0], ["replay-back", at === 0], ["replay-next", at === last], ["replay-last", at === last]]) {
    $(id).setAttribute("aria-disabled", off);
  }
  history.replaceState(null, "", `${PREFIX}${encodeURIComponent(game.id)}${at ? `&step=${at}` : ""}`);
}

function play() {
  pause();
  if (at >= game.total - 1 && game.finished) at = -1;
  const every = STEP_MS / Number($("replay-speed").value);
  timer = setInterval(() => go(at + 1), every);
  button(true);
  go(at + 1);
}

function pause() {
  if (timer !== null) clearInterval(timer);
  timer = null;
  button(false);
}

function button(playing) {
  $("replay-play").dataset.playing = playing;
  say($("replay-play-word"), playing ? "Pause" : "Play");
  // Played quickly, every step said aloud would drown everything else.
  $("replay-told").setAttribute("aria-live", playing ? "off" : "polite");
}

const KEYS = {
  ArrowLeft: () => at - 1, ArrowRight: () => at + 1, PageUp: () => at - 10, PageDown: () => at + 10,
  Home: () => 0, End: () => game.total - 1,
};

function key(event) {
  if ($("replay").hidden || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("select")) return;
  if (event.key === " " && !event.target.closest("button, summary, a")) {
    event.preventDefault();
    if (timer === null) play();
    else pause();
    return;
  }
  const to = KEYS[event.key];
  if (!to) return;
  event.preventDefault();
  pause();
  go(to());
}

// --- The table ----------------------------------------------------------------------------------

const PHASES = {
  blind_select: "Choosing a blind", selecting_hand: "Playing", round_eval: "Round won", shop: "In the shop", pack: "Opening a pack", game_over: "The game is over",
};
const BLIND = { upcoming: "ahead", next: "next", playing: "now", beaten: "beaten", skipped: "skipped" };

function draw(frame) {
  say($("replay-told"), tell(frame));
  const table = frame.table;
  if (!table) return void $("stage").replaceChildren(h("p", { class: "nothing" }, frame.text));
  $("stage").replaceChildren(side(table), h("div", { class: "felt-table" }, top(table), middle(frame), hand(table)));
  if (!still.matches) $("stage").classList.add("moves");
}

function tell(frame) {
  const play = frame.play;
  const how = play && play.chips !== null ? `: ${chips(play.chips)} chips × ${significant(play.mult)} mult` : "";
  const end = at === game.total - 1 && game.finished ? (game.won ? " The game is won." : " The game is lost.") : "";
  return `${frame.text}${how}.${end}`;
}

function side(table) {
  const beaten = table.required ? table.chips / table.required : 0;
  const now = table.blinds.find((blind) => blind.state === "playing") ?? table.blinds.find((blind) => blind.state === "next")
    ?? (table.phase === "round_eval" ? table.blinds.findLast((blind) => blind.state === "beaten") : undefined);
  const number = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
  return h("div", { class: "side" },
    h("p", { class: "phase" }, PHASES[table.phase] ?? table.phase),
    h("div", { class: "blind", "data-slot": now?.slot },
      h("b", {}, now?.name ?? "Between blinds"), now?.text ? h("span", {}, now.text) : null,
      now ? h("span", { class: "goal" }, `${chips(table.chips)} of ${chips(table.required)}`) : null,
      now ? meter(beaten, "Score against the blind", `${chips(table.chips)} of ${chips(table.required)}`, "fine") : null),
    h("dl", { class: "numbers" },
      ...number("Ante", whole(table.ante)), ...number("Round", whole(table.round)), ...number("Money", `$${whole(table.money)}`),
      ...number("Hands", whole(table.hands)), ...number("Discards", whole(table.discards)), ...number("Deck", `${whole(table.deck)}/${whole(table.deck_size)}`)),
    h("ol", { class: "blinds" }, ...table.blinds.map((blind) => h("li", { "data-state": blind.state, title: blind.text ?? "" },
      h("b", {}, blind.name), h("span", {}, `${chips(blind.required)}, $${whole(blind.reward)}`), h("i", {}, BLIND[blind.state] + (blind.tag ? `; skip: ${blind.tag}` : ""))))),
    table.vouchers.length || table.tags.length ? h("p", { class: "owned" }, [...table.vouchers, ...table.tags.map((tag) => tag.name)].join(", ")) : null);
}

const shelf = (name, count, list) => h("section", { class: "shelf", "aria-label": name },
  h("h3", {}, name, h("span", {}, count)), h("ul", { class: "things" }, ...list));

function top(table) {
  return h("div", { class: "held" },
    shelf("Jokers", `${table.jokers.length} of ${table.joker_slots}`, table.jokers.map((it) => cards.thing(it))),
    table.consumables.length ? shelf("Consumables", `${table.consumables.length} of ${table.consumable_slots}`, table.consumables.map((it) => cards.thing(it))) : null);
}

function middle(frame) {
  const { table, play } = frame;
  if (play) {
    const scoring = new Set(play.scoring);
    return h("section", { class: "middle played", "aria-label": "Played" },
      h("ul", { class: "row" }, ...play.cards.map((it, place) => cards.card(it, { scores: scoring.has(place), dim: !scoring.has(place) }))),
      h("p", { class: "score" }, h("b", {}, play.hand), h("span", { class: "level" }, `level ${whole(play.level)}`),
        play.chips === null ? null : h("span", { class: "sum" }, h("span", { class: "chips" }, chips(play.chips)), " × ", h("span", { class: "mult" }, significant(play.mult))),
        h("output", {}, play.chips === null ? "" : "= ", play.score === null ? "past all numbers" : chips(play.score))),
      play.chips === null ? h("p", { class: "luck" }, "Chance had a say: the rules tell the score, not its parts.") : null);
  }
  if (frame.discarded?.length) {
    return h("section", { class: "middle offers-in", "aria-label": "Discarded" }, h("h3", {}, "Discarded"),
      h("ul", { class: "row" }, ...frame.discarded.map((it) => cards.card(it, { dim: true }))));
  }
  if (table.pack.length) {
    return h("section", { class: "middle offers-in", "aria-label": "Pack" }, h("h3", {}, table.pack_name || "Pack"), h("ul", { class: "row offers" }, ...table.pack.map((it) => cards.offer(it, false))));
  }
  if (table.shop.length) {
    return h("section", { class: "middle offers-in", "aria-label": "Shop" }, h("h3", {}, "Shop"), h("ul", { class: "row offers" }, ...table.shop.map((it) => cards.offer(it, true))));
  }
  return h("section", { class: "middle", "aria-label": "Table" }, h("p", { class: "nothing" }, frame.text));
}

function hand(table) {
  return h("section", { class: "hand", "aria-label": "Hand" },
    h("ul", { class: "row" }, ...table.hand.map((it) => cards.card(it))),
    table.hand.length ? null : h("p", { class: "nothing" }, "No hand is dealt"));
}
