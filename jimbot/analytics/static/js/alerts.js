// What fires, and what to do about it.

import { $, h, replace, say, withCode } from "./dom.js";
import { age, clock, plural, sentence, whole } from "./words.js";

const STATE = { firing: "firing", pending: "about to fire", silenced: "silenced", resolved: "over" };
let shown = "";
let alerts = null;

export const firing = () => (alerts?.alerts ?? []).filter((alert) => alert.state === "firing");

export function forget() {
  shown = "";
}

export function show(answer, now) {
  alerts = answer;
  const text = JSON.stringify([answer.alerts, answer.rules, answer.status, Math.floor(now / 60000)]);
  if (text === shown) return;
  shown = text;
  const current = answer.alerts.filter((alert) => alert.state !== "resolved");
  const over = answer.alerts.filter((alert) => alert.state === "resolved").slice(0, 20);
  // What fires for several things at once is one matter.
  const groups = new Map();
  for (const alert of current) {
    const key = `${alert.name} ${alert.state}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(alert);
  }
  replace($("alerts"), [...groups].slice(0, 20).map(([key, alerts]) => item(key, alerts.slice(0, 20), now)));
  $("alerts-over").hidden = !over.length;
  say($("alerts-over-title"), `${plural(over.length, "alert")} lately over`);
  $("alerts-over-list").replaceChildren(...over.map((alert) =>
    h("li", {}, `${alert.name}${labels(alert)}: ${alert.summary}. Over since ${clock(alert.resolved_at ?? alert.since)}`)));
  const unchecked = answer.rules.filter((rule) => rule.state === "unchecked");
  const looked = answer.rules.filter((rule) => !["unchecked", "off"].includes(rule.state)).length;
  $("alerts-calm").dataset.status = answer.status === "unchecked" || !looked || unchecked.length ? "unchecked" : "ok";
  $("alerts-calm").hidden = current.length > 0;
  say($("alerts-calm"), answer.status === "unchecked" ? "Not checked: nobody has looked yet."
    : !looked ? "Not checked: no rule has a figure to look at." : `Nothing fires. ${plural(looked, "rule")} checked${unchecked.length ? `, ${whole(unchecked.length)} not` : ""}.`);
  $("alerts-unchecked").hidden = !unchecked.length;
  say($("alerts-unchecked-title"), `${plural(unchecked.length, "rule")} not checked`);
  $("alerts-unchecked-list").replaceChildren(...unchecked.map((rule) =>
    h("li", {}, h("b", {}, rule.name), rule.reason ? `: ${sentence(rule.reason)}` : "")));
}

const thing = (alert) => Object.values(alert.labels).join(" ");
const labels = (alert) => (thing(alert) ? ` of ${thing(alert)}` : "");

function item(key, alerts, now) {
  const [first, ...others] = alerts;
  const web = /^https?:\/\//.test(first.runbook);
  const things = alerts.map(thing).filter(Boolean).join(", ");
  return h("li", { "data-state": first.state, "data-severity": first.severity },
    h("span", { class: "sign", "aria-hidden": "true" }),
    h("span", { class: "title" }, first.name, things ? h("span", {}, ` of ${things}`) : null),
    h("span", { class: "state" }, `${first.severity}, ${STATE[first.state]}`),
    ...told(first, now),
    others.length ? h("details", { "data-key": key }, h("summary", {}, `${others.length} more: ${others.map(thing).join(", ")}`), ...others.flatMap((alert) => told(alert, now))) : null,
    first.runbook ? h("p", { class: "runbook" }, "Runbook: ", web ? h("a", { href: first.runbook, rel: "noreferrer" }, first.runbook) : h("code", {}, first.runbook)) : null);
}

// A value that the summary says already, or a mere yes or no, is not said again.
function told(alert, now) {
  const value = alert.summary.includes(alert.value) || ["0", "1"].includes(alert.value) ? "" : ` now ${alert.value},`;
  // A service keeps its name as it is written.
  const own = Object.values(alert.labels).some((label) => alert.summary.startsWith(label));
  const summary = (own ? alert.summary : sentence(alert.summary)).replace(/\.$/, "");
  return [
    h("p", {}, `${summary};${value} for ${age(now - alert.since)}.`),
    alert.what_to_do ? h("p", { class: "hint" }, h("b", {}, "Do: "), ...withCode(sentence(alert.what_to_do))) : null,
  ];
}
