// The state of every service, and memory against its budget.

import { $, h, level, meter, say, replace } from "./dom.js";
import { NONE, bytes, one, percentWhole, sentence } from "./words.js";

const STATE = { ok: "ok", warn: "warning", fail: "down", unknown: "could not tell", unchecked: "not checked" };
const RANK = ["fail", "unknown", "warn", "unchecked", "ok"];

let services = null;
let resources = null;
let shown = "";

export const expected = () => (services?.services ?? []).filter((service) => service.expected);

export function show(answer) {
  services = answer;
  draw();
}

export function forget() {
  shown = "";
}

function draw() {
  const uses = new Map((resources?.services ?? []).map((use) => [use.name, use]));
  const order = [...expected()].sort((a, b) => RANK.indexOf(a.status) - RANK.indexOf(b.status));
  const rows = order.map((service) => [service, uses.get(service.name)]);
  const text = JSON.stringify(rows.map(([service, use]) => [service.name, service.status, service.reason, service.hint, bytes(use?.used)]));
  if (text === shown) return;
  shown = text;
  replace($("services"), rows.map(([service, use]) => h("li", { "data-status": service.status, "data-key": service.name },
    h("span", { class: "sign", "aria-hidden": "true" }),
    h("span", { class: "title" }, service.name, " ", h("span", {}, service.title)),
    h("span", { class: "state" }, STATE[service.status]),
    use && use.used !== null ? h("span", { class: "use" },
      meter(use.used / use.limit, `Memory of ${service.name}`, `${bytes(use.used)} of ${bytes(use.limit)}`, level(use.used / use.limit)),
      h("span", { class: "amount" }, `${bytes(use.used)} of ${bytes(use.limit)}${use.cores === null ? "" : `, ${one(use.cores)} cores`}`)) : null,
    service.reason && service.status !== "ok" ? h("p", {}, sentence(service.reason)) : null,
    service.hint && service.status !== "ok" ? h("p", { class: "hint" }, sentence(service.hint)) : null)));
  const others = (services?.services ?? []).filter((service) => !service.expected);
  say($("services-aside"), others.length
    ? `Not checked, because not part of this run: ${others.map((service) => service.name).join(", ")}.` : "");
}

// --- Memory against budget ----------------------------------------------------------------------

const row = (name, share, text, label) =>
  h("tr", {}, h("th", { scope: "row", class: "row" }, name, meter(share, label, text, level(share))),
    h("td", { class: "number" }, text));

function of(used, size, checked) {
  return used === null ? `${checked ? "nothing runs" : "not measured"}, of ${bytes(size)}` : `${bytes(used)} of ${bytes(size)}`;
}

export function showResources(answer) {
  resources = answer;
  draw();
  const rows = answer.groups.map((group) =>
    row(group.name, group.used === null ? null : group.used / group.limit, of(group.used, group.limit, answer.checked), `Memory of the group ${group.name}`));
  for (const [number, gpu] of (answer.gpus ?? []).entries()) {
    rows.push(row(`GPU ${number}: ${gpu.name}${gpu.busy === null ? "" : `, ${percentWhole(gpu.busy)} busy`}`, gpu.used / gpu.size, of(gpu.used, gpu.size), `Memory of GPU ${number}`));
  }
  if (answer.disk_size) rows.push(row("disk", answer.disk_used / answer.disk_size, of(answer.disk_used, answer.disk_size), "Disk in use"));
  $("groups").replaceChildren(...rows);
  const parts = Object.entries(answer.storage).sort((a, b) => b[1] - a[1]).filter(([, size]) => size > 0).slice(0, 4)
    .map(([name, size]) => `${name} ${bytes(size)}`);
  say($("memory-aside"), [
    answer.checked ? "" : sentence(answer.reason),
    answer.gpus === null ? "GPU not checked: nvidia-smi is not here." : "",
    parts.length ? `Of the home: ${parts.join(", ")}.` : "",
  ].filter(Boolean).join(" ") || NONE);
}
