// Light, dark, or as the system has it; remembered where the browser lets us.

import { $, say } from "./dom.js";

const THEMES = ["auto", "light", "dark"];

function set(theme) {
  document.documentElement.dataset.theme = theme;
  say($("theme"), `Theme: ${theme}`);
  try { localStorage.setItem("theme", theme); } catch { /* kept for this visit only */ }
}

export function start() {
  let theme = "auto";
  try { theme = THEMES.find((it) => it === localStorage.getItem("theme")) ?? "auto"; } catch { /* the default */ }
  set(theme);
  $("theme").addEventListener("click", () =>
    set(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));
}
