// The dashboard: hears the stream, and asks again for what does not come with it.

import * as alerts from "./alerts.js";
import { Stream, ask } from "./api.js";
import * as charts from "./charts.js";
import { $, h, say } from "./dom.js";
import * as games from "./games.js";
import * as replay from "./replay.js";
import * as services from "./services.js";
import * as theme from "./theme.js";
import * as upkeep from "./upkeep.js";
import { NONE, chips, clock, percent, plural, short, significant, two, whole } from "./words.js";
import * as works from "./works.js";

let now = Date.now(); // by the server's clock
let summary = null;
let stale = false;

// --- Figures ------------------------------------------------------------------------------------

function card(id, text, note, title = "") {
  say($(id), text);
  $(id).title = title;
  say($(`${id}_note`), note || "\u00a0");
}

function showSummary(answer) {
  now = answer.time;
  summary = answer;
  const none = summary.games_finished && !summary.games_last_day ? "no game in 24 hours" : "";
  card("games_per_hour", whole(summary.games_per_hour), `${whole(summary.games_last_hour)} in the last hour`);
  card("win_rate", percent(summary.win_rate), summary.win_rate === null ? none
    : `${percent(summary.win_rate_low)} to ${percent(summary.win_rate_high)}`);
  card("mean_ante", two(summary.mean_ante), summary.mean_ante === null ? none : "of 8, in the last 24 h");
  const best = chips(summary.best_hand);
  card("best_hand", summary.best_hand === null ? NONE : short(summary.best_hand, best),
    summary.best_hand_last_day === null ? none
      : summary.best_hand_last_day === summary.best_hand ? "chips, in the last 24 h"
        : `chips; ${short(summary.best_hand_last_day, chips(summary.best_hand_last_day))} in 24 h`, best);
  card("loss", significant(summary.loss), summary.training_iterations
    ? plural(summary.training_iterations, "iteration") : "no training yet");
  card("games_finished", short(summary.games_finished, whole(summary.games_finished)),
    summary.events_behind > 1000 ? `${whole(summary.events_behind)} events to catch up`
      : `${whole(summary.games_won)} won; ${plural(summary.events_in_log, "event")}`,
    whole(summary.games_finished));
  games.tell(now, summary.games_finished);
  showEmpty();
  $("problem").hidden = true;
  if (summary.games_finished !== shown) refreshSoon();
}

function showProblem(problem) {
  $("problem").hidden = false;
  say($("problem"), [problem.detail, problem.hint].filter(Boolean).join(". "));
}
const failed = (error) => { if (!stale) showProblem({ detail: `Could not read the figures: ${error.message}` }); };

function showEmpty() {
  const empty = summary !== null && summary.games_finished === 0;
  $("empty").hidden = !empty;
  if (!empty) return;
  const trainer = services.expected().find((service) => service.name === "trainer");
  const text = trainer && ["ok", "warn"].includes(trainer.status)
    ? ["The trainer is running. Figures appear here when the first game ends, usually within a minute."]
    : ["Start training with ", h("code", {}, "jimbot up"),
      ". Every game it finishes appears here by itself; nothing has to be reloaded."];
  $("empty-text").replaceChildren(...text);
}

// --- The sentence on top ------------------------------------------------------------------------

function showVerdict() {
  if (stale) return;
  const expected = services.expected();
  const of = (...states) => expected.filter((service) => states.includes(service.status));
  const names = (list) => list.map((service) => service.name).join(", ");
  const [down, unsure, warned] = [of("fail"), of("unknown", "unchecked"), of("warn")];
  const firing = alerts.firing();
  const critical = firing.some((alert) => alert.severity === "critical");
  const [status, text] =
    down.length ? ["fail", `${names(down)} ${down.length === 1 ? "is" : "are"} down`]
      : unsure.length ? ["unknown", `Could not tell how ${names(unsure)} ${unsure.length === 1 ? "is" : "are"}`]
        : warned.length ? ["warn", `Running; ${names(warned)} ${warned.length === 1 ? "needs" : "need"} a look`]
          : expected.length ? ["ok", `${firing.length ? "" : "All well: "}${plural(expected.length, "service")} healthy`]
            : ["unknown", "No service has been checked"];
  const rank = ["ok", "warn", "unknown", "fail"];
  const worst = firing.length ? rank[Math.max(rank.indexOf(status), rank.indexOf(critical ? "fail" : "warn"))] : status;
  setVerdict(worst, firing.length ? `${text}; ${plural(firing.length, "alert")} ${firing.length === 1 ? "fires" : "fire"}` : text);
}

function setVerdict(status, text) {
  $("verdict").dataset.status = status;
  say($("verdict"), text);
  document.title = status === "ok" ? "JimBot" : `${text} · JimBot`;
}

// --- Keeping it fresh ---------------------------------------------------------------------------

let shown = null;
let refreshing = false;
let again = null;

// At most every three seconds, however fast games end.
function refreshSoon() {
  if (again === null && !document.hidden) again = setTimeout(() => { again = null; refresh(); }, shown === null ? 0 : 3000);
}

async function refresh() {
  if (refreshing) return refreshSoon();
  refreshing = true;
  try {
    const finished = summary?.games_finished ?? null;
    charts.chooseSpan(summary?.first_game_at ?? null, now);
    await Promise.all([charts.refresh(), games.onFirstPage() ? games.refresh() : null, works.refresh()]);
    shown = finished;
  } catch (error) {
    failed(error);
  } finally {
    refreshing = false;
  }
}

const refreshUpkeep = () => upkeep.refresh(now).catch((error) => upkeep.unknown(error.message));

function live(heard) {
  if (stale) { shown = null; refreshSoon(); refreshUpkeep(); }
  stale = false;
  document.body.classList.remove("stale");
  say($("link"), "Live");
  say($("clock"), clock(heard));
}

function lost(heard) {
  // A session that has ended looks the same here; asking leads to the login.
  if (!stale) ask("/api/v1/games/live").catch(() => {});
  stale = true;
  // What cannot be asked must not look healthy.
  setVerdict("unknown", `Analytics cannot be reached; shown is how it was at ${clock(heard)}`);
  services.forget();
  alerts.forget();
  document.body.classList.add("stale");
  say($("link"), `Stale since ${clock(heard)}, connecting again`);
  say($("clock"), "");
}

theme.start();
charts.start(failed);
games.start(failed);
replay.start();
new Stream({
  summary: showSummary,
  problem: showProblem,
  services: (answer) => { services.show(answer); showVerdict(); showEmpty(); },
  resources: services.showResources,
  alerts: (answer) => { alerts.show(answer, now); showVerdict(); },
  live: (answer) => { games.showLive(answer); replay.grow(answer); },
}, live, lost);
refreshUpkeep();
ask("/api/v1/session").then((who) => { $("logout").hidden = who.csrf === null; }).catch(() => {});
// Without new games charts still move on with time.
setInterval(() => { if (!stale && !document.hidden) refresh(); }, 15000);
setInterval(() => { if (!stale && !document.hidden) refreshUpkeep(); }, 60000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) { refreshSoon(); refreshUpkeep(); } });
