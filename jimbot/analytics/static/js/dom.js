// Elements. What comes from the API is only ever set as text.

export const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
export const h = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// Only what changed is written, so that screen readers are not told the same thing twice.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Words in which `commands` stand between backticks.
export const withCode = (text) => text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));

// A share of a limit; `level` colours it. Without a figure the track stays empty, and says so.
export function meter(share, label, text, level = "") {
  const known = share !== null && share !== undefined && Number.isFinite(share);
  const node = h("span", {
    class: "meter", role: "meter", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100",
    "aria-valuenow": known ? Math.round(Math.min(share, 1) * 100) : 0, "aria-valuetext": text,
    "data-level": known ? level : "unknown",
  });
  node.style.setProperty("--share", known ? Math.min(Math.max(share, 0), 1) : 0);
  return node;
}

// How a share of memory or money stands.
export const level = (share) => (share > .9 ? "bad" : share > .75 ? "high" : "fine");

// Names and values, as a description list's children.
export const terms = (rows) => rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);

// Rows that are built again keep the focus, and the part that was unfolded.
export function replace(parent, children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
  const open = new Set([...parent.querySelectorAll("details[open][data-key]")].map((node) => node.dataset.key));
  parent.replaceChildren(...children);
  for (const node of parent.querySelectorAll("details[data-key]")) node.open = open.has(node.dataset.key);
  if (focused) {
    const node = parent.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    (node?.matches("details") ? node.querySelector("summary") : node)?.focus({ preventScroll: true });
  }
}
