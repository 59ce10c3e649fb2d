// Claude's costs with the month's forecast, and backups' age: asked once a minute.

import { ask } from "./api.js";
import { $, h, level, meter, say, svg, terms } from "./dom.js";
import { NONE, age, dollars, moment, plural, sentence, whole } from "./words.js";

export async function refresh(now) {
  const [costs, backups] = await Promise.all([ask("/api/v1/costs"), ask("/api/v1/backups")]);
  showCosts(costs);
  showBackups(backups, now);
}

// --- Costs --------------------------------------------------------------------------------------

function showCosts(costs) {
  const report = costs.report;
  $("costs-away").hidden = costs.state === "ok";
  say($("costs-away"), costs.state === "ok" ? "" : [costs.state === "away" ? "Gateway away:" : "Not checked:", sentence(costs.reason), costs.hint ? sentence(costs.hint) : ""].join(" "));
  $("costs").hidden = report === null;
  if (report === null) return;
  const share = report.month_budget ? report.this_month / report.month_budget : null;
  const figures = [
    ["This month", h("span", {}, `${dollars(report.this_month)} of ${dollars(report.month_budget)}`,
      meter(share, "This month's budget", `${dollars(report.this_month)} of ${dollars(report.month_budget)}`, level(share)))],
    ["At the month's end", h("span", { class: report.over_budget ? "bad" : "" }, `${dollars(report.month_forecast)} forecast${report.over_budget ? ", over budget" : ""}`)],
    ["A game that asked", report.per_game === null ? `${NONE} (none yet)` : `${dollars(report.per_game)}, ${plural(report.games, "game")}`],
    ["A won game", report.per_won_game === null ? `${NONE} (none yet)` : dollars(report.per_won_game)],
    ["30 days", `${dollars(report.dollars)}, ${plural(report.requests, "request")}`],
  ];
  $("costs-figures").replaceChildren(...terms(figures));
  $("costs-days").replaceChildren(bars(report.by_day));
  $("costs-models").replaceChildren(...report.by_model.slice(0, 5).map((row) => h("tr", {},
    h("th", { scope: "row", class: "row" }, row.key), h("td", { class: "number" }, whole(row.requests)), h("td", { class: "number" }, dollars(row.dollars)))));
  $("costs-by-model").hidden = !report.by_model.length;
}

// A bar a day; the newest at the right. The same is read out in words.
function bars(days) {
  const known = days.slice(-30);
  const most = Math.max(...known.map((day) => day.dollars), 0);
  if (!most) return h("p", { class: "aside" }, "Nothing was spent in these 30 days.");
  const best = known.find((day) => day.dollars === most);
  const title = `Dollars a day, ${plural(known.length, "day")} with requests; most on ${best.key}: ${dollars(most)}`;
  const byDay = new Map(known.map((day) => [day.key, day.dollars]));
  const last = new Date(`${known.at(-1).key}T00:00:00Z`).getTime();
  const root = svg("svg", { viewBox: "0 0 300 48", role: "img", "aria-label": title, preserveAspectRatio: "none", class: "bars" }, svg("title", {}, title));
  for (let i = 0; i < 30; i++) {
    const key = new Date(last - (29 - i) * 864e5).toISOString().slice(0, 10);
    const height = Math.max(((byDay.get(key) ?? 0) / most) * 46, byDay.has(key) ? 1.5 : 0);
    root.append(svg("rect", { x: i * 10 + 1, y: 47 - height, width: 8, height }));
  }
  root.append(svg("line", { x1: 0, x2: 300, y1: 47.5, y2: 47.5 }));
  return h("figure", {}, root, h("figcaption", {}, h("span", {}, "Dollars a day"), h("span", {}, `most ${dollars(most)}`)));
}

// --- Backups ------------------------------------------------------------------------------------

const WORDS = { ok: "fresh", stale: "stale", none: "none yet", unchecked: "not checked" };
const STATUS = { ok: "ok", stale: "fail", none: "fail", unchecked: "unchecked" };

function showBackups(backups, now) {
  $("backups-state").dataset.status = STATUS[backups.state];
  say($("backups-word"), WORDS[backups.state]);
  say($("backups-age"), backups.last_ok === null ? "No proved backup" : `${age(now - backups.last_ok)} old`);
  const rows = [];
  if (backups.last_ok !== null) rows.push(["Newest proved", moment(backups.last_ok)]);
  if (backups.stale_after_s !== null) rows.push(["Stale after", age(backups.stale_after_s * 1000)]);
  for (const [kind, at] of Object.entries(backups.last)) rows.push([`Last ${kind}`, `${age(now - at)} ago`]);
  if (backups.snapshots !== null) rows.push(["Snapshots", whole(backups.snapshots)]);
  $("backups-figures").replaceChildren(...terms(rows));
  const words = [backups.reason, backups.hint].filter(Boolean).map(sentence).join(" ");
  $("backups-reason").hidden = !words;
  say($("backups-reason"), words);
}

export function unknown(reason) {
  showBackups({ state: "unchecked", reason, hint: "", last_ok: null, stale_after_s: null, snapshots: null, last: {} }, 0);
  showCosts({ state: "unchecked", reason, hint: "", report: null });
}
