// The dashboard: one module, no libraries. What comes from the API is only ever set as text.

const $ = (id) => document.getElementById(id);
const NONE = "–";

// --- Words and numbers --------------------------------------------------------------------------

const format = (options) => {
  const formatter = new Intl.NumberFormat("en", options);
  return (value) => (value === null || value === undefined ? NONE : formatter.format(value));
};
const whole = format({ maximumFractionDigits: 0 });
const two = format({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = format({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const significant = format({ maximumSignificantDigits: 4 });
const compact = format({ notation: "compact", maximumSignificantDigits: 3 });

// As the game does: plain up to a hundred billion, then with an exponent.
const chips = (value) =>
  value === null || value === undefined ? NONE
    : value < 1e11 ? whole(value) : value.toExponential(3).replace("e+", "e");
// A card holds seven digits; more are shortened, the whole number is in its title.
const short = (value, text) => (text.length <= 9 || value >= 1e11 ? text : compact(value));

const clock = (time) => new Date(time).toLocaleTimeString("en-GB");
const day = (time) => new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short" });

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
function age(ms) {
  const seconds = Math.max(Math.floor(ms / 1000), 0);
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS[3];
  return `${Math.floor(seconds / size)} ${unit}`;
}
const plural = (count, word) => `${whole(count)} ${word}${count === 1 ? "" : "s"}`;

// --- Elements -----------------------------------------------------------------------------------

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const h = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
// Only what changed is written, so that screen readers are not told the same thing twice.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(10000) });
  const answer = await response.json();
  if (!response.ok) throw new Error([answer.detail, answer.hint].filter(Boolean).join(". "));
  return answer;
}

// --- Figures ------------------------------------------------------------------------------------

let now = Date.now(); // by the server's clock
let lastSummary = null;

function card(id, text, note, title = "") {
  say($(id), text);
  $(id).title = title;
  say($(`${id}_note`), note || "\u00a0");
}

function showSummary(summary) {
  now = summary.time;
  lastSummary = summary;
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
  showEmpty();
  $("problem").hidden = true;
  if (summary.games_finished !== shown.games) refreshSoon();
}

function showProblem(problem) {
  $("problem").hidden = false;
  say($("problem"), [problem.detail, problem.hint].filter(Boolean).join(". "));
}

function showEmpty() {
  const empty = lastSummary !== null && lastSummary.games_finished === 0;
  $("empty").hidden = !empty;
  if (!empty) return;
  const trainer = services?.services.find((service) => service.name === "trainer");
  const running = trainer?.expected && ["ok", "warn"].includes(trainer.status);
  const text = running
    ? ["The trainer is running. Figures appear here when the first game ends, usually within a minute."]
    : ["Start training with ", h("code", {}, "jimbot up"),
      ". Every game it finishes appears here by itself; nothing has to be reloaded."];
  $("empty-text").replaceChildren(...text);
}

// --- Services -----------------------------------------------------------------------------------

const STATE = { ok: "ok", warn: "warning", fail: "down", unknown: "could not tell", unchecked: "not checked" };
let services = null;
let servicesText = "";

function showServices(answer) {
  services = answer;
  const text = JSON.stringify(answer.services);
  if (text === servicesText) return;
  servicesText = text;
  const expected = answer.services.filter((service) => service.expected);
  const rank = ["fail", "unknown", "warn", "unchecked", "ok"];
  const order = [...expected].sort((a, b) => rank.indexOf(a.status) - rank.indexOf(b.status));
  $("services").replaceChildren(...order.map((service) =>
    h("li", { "data-status": service.status },
      h("span", { class: "sign", "aria-hidden": "true" }),
      h("span", { class: "title" }, service.name, " ", h("span", {}, service.title)),
      h("span", { class: "state" }, STATE[service.status]),
      service.reason && service.status !== "ok" ? h("p", {}, sentence(service.reason)) : null,
      service.hint && service.status !== "ok" ? h("p", { class: "hint" }, sentence(service.hint)) : null)));
  const others = answer.services.filter((service) => !service.expected);
  say($("services-aside"), others.length
    ? `Not checked, because not part of this run: ${others.map((service) => service.name).join(", ")}.` : "");
  showVerdict(expected);
  showEmpty();
}

const sentence = (text) => {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
};

function showVerdict(expected) {
  const of = (...states) => expected.filter((service) => states.includes(service.status));
  const names = (list) => list.map((service) => service.name).join(", ");
  const down = of("fail");
  const unsure = of("unknown", "unchecked");
  const warned = of("warn");
  const [status, text] =
    down.length ? ["fail", `${names(down)} ${down.length === 1 ? "is" : "are"} down`]
      : unsure.length ? ["unknown", `Could not tell how ${names(unsure)} ${unsure.length === 1 ? "is" : "are"}`]
        : warned.length ? ["warn", `Running; ${names(warned)} ${warned.length === 1 ? "needs" : "need"} a look`]
          : expected.length ? ["ok", `All well: ${plural(expected.length, "service")} healthy`]
            : ["unknown", "No service has been checked"];
  setVerdict(status, text);
}

function setVerdict(status, text) {
  $("verdict").dataset.status = status;
  say($("verdict"), text);
  document.title = status === "ok" ? "JimBot" : `${text} · JimBot`;
}

// --- Charts -------------------------------------------------------------------------------------

const MARGIN = { top: 10, right: 6, bottom: 22, left: 44 };

// Round steps that people count in, so that an axis has three to five of them.
function ticks(low, high, count = 4) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= raw * 0.999);
  const first = Math.floor(low / step + 1e-9) * step;
  const last = Math.ceil(high / step - 1e-9) * step;
  const values = [];
  for (let i = 0; first + i * step <= last + step / 2; i++) values.push(first + i * step);
  return values;
}

const MINUTE = 60e3, HOUR = 36e5, DAY = 864e5;
const TIME_STEPS = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY];
function timeTicks(start, end, count) {
  const step = TIME_STEPS.find((step) => (end - start) / step <= count + .5) ?? 56 * DAY;
  const local = new Date(start).getTimezoneOffset() * MINUTE;
  const values = [];
  for (let time = Math.ceil((start - local) / step) * step + local; time <= end; time += step) values.push(time);
  const label = step >= DAY ? day : (time) => clock(time).slice(0, 5);
  return values.map((time) => [time, label(time)]);
}

class Chart {
  // `draw` says how a figure is shown; see `charts` below.
  constructor(draw) {
    this.draw = draw;
    this.data = null;
    this.at = null;
    this.output = h("output", { "aria-hidden": "true" });
    this.plot = h("div", {
      class: `plot ${draw.class ?? ""}`, tabindex: "0", role: "slider", "aria-label": `${draw.title}, ${draw.unit}, by time`,
      "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0", "aria-valuetext": "no figures yet",
      onkeydown: (event) => this.key(event),
      onpointermove: (event) => this.point(event),
      onpointerdown: (event) => this.point(event),
      onpointerleave: () => this.choose(null),
      onblur: () => this.choose(null),
      onfocus: () => this.plot.matches(":focus-visible") && this.choose(this.data?.points.length - 1),
    });
    this.figure = h("figure", { "data-chart": draw.key },
      h("figcaption", {}, h("span", {}, h("b", {}, draw.title), " ", h("i", {}, draw.unit)), this.output), this.plot);
    new ResizeObserver(() => this.paint()).observe(this.plot);
  }

  show(data) {
    let points = data.points.filter((point) => point[this.draw.key] !== null);
    // A bucket that has just begun holds too little to be set beside whole ones.
    if (points.length > 3 && data.end - points.at(-1).time < data.step_ms / 4) points = points.slice(0, -1);
    const chosen = this.at !== null ? this.data?.points[this.at]?.time : null;
    this.data = { ...data, points };
    const again = chosen === null ? -1 : points.findIndex((point) => point.time === chosen);
    this.at = again < 0 ? null : again;
    this.paint();
    this.speak();
  }

  text(point) {
    const { key, low, high, text } = this.draw;
    return text(point[key]) + (low ? ` (${text(point[low])} to ${text(point[high])})` : "");
  }

  when(point) {
    const old = this.data.end - this.data.start > 1.5 * DAY;
    return `${old ? `${day(point.time)} ` : ""}${clock(point.time).slice(0, this.data.step_ms < MINUTE ? 8 : 5)}`;
  }

  speak() {
    const { points } = this.data;
    const last = points.length - 1;
    const point = points[this.at ?? last];
    say(this.output, !point ? "" : this.at === null ? `last ${this.draw.text(point[this.draw.key])}` : `${this.when(point)}  ${this.text(point)}`);
    this.figure.classList.toggle("chosen", this.at !== null);
    this.plot.setAttribute("aria-valuemax", Math.max(last, 0));
    this.plot.setAttribute("aria-valuenow", this.at ?? Math.max(last, 0));
    this.plot.setAttribute("aria-valuetext", 
      point ? `${this.when(point)}: ${this.text(point)}${point.games === undefined ? "" : `, ${plural(point.games, "game")}`}` : "no figures in this time");
  }

  choose(at) {
    if (!this.data || this.at === at || (at !== null && at < 0)) return;
    this.at = Number.isInteger(at) ? at : null;
    this.paint();
    this.speak();
  }

  key(event) {
    const last = (this.data?.points.length ?? 0) - 1;
    if (last < 0) return;
    const at = this.at ?? last;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.choose(null);
    if (to === undefined) return;
    event.preventDefault();
    this.choose(Math.min(Math.max(to, 0), last));
  }

  point(event) {
    if (!this.data?.points.length) return;
    const x = event.clientX - this.plot.getBoundingClientRect().left;
    let best = 0;
    this.data.points.forEach((point, i) => {
      if (Math.abs(this.x(point) - x) < Math.abs(this.x(this.data.points[best]) - x)) best = i;
    });
    this.choose(best);
  }

  // A bucket is drawn at its middle; the last one may not be over yet.
  x(point) {
    const { start, end, step_ms } = this.data;
    const middle = Math.min(point.time + step_ms / 2, (Math.min(point.time, end) + end) / 2);
    return MARGIN.left + ((middle - start) / (end - start)) * (this.width - MARGIN.left - MARGIN.right);
  }

  paint() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (!this.data || width < 60) return;
    this.width = width;
    const { points, start, end, step_ms } = this.data;
    const { key, low, high, zero, most, tick } = this.draw;
    const bottom = height - MARGIN.bottom;
    const root = svg("svg", { "aria-hidden": "true", focusable: "false" });
    for (const [time, label] of timeTicks(start, end, Math.max(Math.floor(width / 85), 2))) {
      const x = MARGIN.left + ((time - start) / (end - start)) * (width - MARGIN.left - MARGIN.right);
      if (x > width - 14 || x < MARGIN.left + 8) continue;
      root.append(svg("text", { x, y: height - 5, "text-anchor": "middle" }, label));
    }
    if (!points.length) {
      root.append(svg("line", { class: "base", x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom, y2: bottom }),
        svg("text", { class: "none", x: (width + MARGIN.left) / 2, y: height / 2, "text-anchor": "middle" }, this.draw.none));
      this.plot.replaceChildren(root);
      return;
    }
    const all = points.flatMap((point) => [point[key], ...(low ? [point[low], point[high]] : [])]);
    let bot = zero ? 0 : Math.min(...all);
    let top = Math.min(Math.max(...all), most ?? Infinity);
    if (top - bot < 1e-9 * Math.max(Math.abs(top), 1)) [bot, top] = zero ? [0, top || 1] : [bot - (Math.abs(bot) || 1) * .1, top + (Math.abs(top) || 1) * .1];
    const scale = ticks(bot, top);
    [bot, top] = [scale[0], scale.at(-1)];
    const y = (value) => bottom - ((value - bot) / (top - bot)) * (bottom - MARGIN.top);
    for (const value of scale) {
      root.append(svg("line", { class: value === scale[0] ? "base" : "rule", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
        svg("text", { x: MARGIN.left - 7, y: y(value) + 4, "text-anchor": "end" }, tick(value)));
    }
    // A line does not go over buckets in which there was nothing.
    const runs = [];
    points.forEach((point, i) => {
      if (i === 0 || point.time - points[i - 1].time > step_ms * (this.draw.bridge ?? 2.5)) runs.push([]);
      runs.at(-1).push(point);
    });
    const path = (run, field) => run.map((point) => `${this.x(point).toFixed(1)},${y(point[field]).toFixed(1)}`);
    for (const run of runs) {
      if (low) {
        root.append(svg("path", { class: "band", d: `M${[...path(run, low), ...path(run, high).reverse()].join("L")}Z` }));
      } else if (this.draw.area) {
        root.append(svg("path", { class: "area", d: `M${this.x(run[0]).toFixed(1)},${bottom}L${path(run, key).join("L")}L${this.x(run.at(-1)).toFixed(1)},${bottom}Z` }));
      }
      root.append(svg("path", { class: "line", d: `M${path(run, key).join("L")}` }));
    }
    const chosen = points[this.at ?? points.length - 1];
    if (this.at !== null) root.append(svg("line", { class: "cross", x1: this.x(chosen), x2: this.x(chosen), y1: MARGIN.top, y2: bottom }));
    root.append(svg("circle", { class: "dot", cx: this.x(chosen), cy: y(chosen[key]), r: this.at === null ? 3 : 4 }));
    this.plot.replaceChildren(root);
  }
}

const charts = {
  trends: [
    new Chart({ key: "games_per_hour", title: "Games", unit: "per hour", text: whole, tick: compact, zero: true, area: true, none: "No game in this time" }),
    new Chart({ key: "win_rate", low: "win_rate_low", high: "win_rate_high", title: "Win rate", unit: "with 95 % interval", text: percent, tick: format({ style: "percent", maximumFractionDigits: 1 }), zero: true, most: 1, none: "No game in this time" }),
    new Chart({ key: "mean_ante", title: "Ante reached", unit: "mean, of 8", text: two, tick: significant, none: "No game in this time" }),
  ],
  training: [
    new Chart({ key: "loss", title: "Loss", unit: "total, mean of iterations", text: significant, tick: compact, bridge: 12, class: "cool", none: "No training in this time" }),
  ],
};

const SPANS = [["15 min", .25], ["1 h", 1], ["6 h", 6], ["24 h", 24], ["7 d", 168], ["30 d", 720]];
let hours = null;

function makeSpans() {
  $("spans").append(...SPANS.map(([label, value]) =>
    h("label", {}, h("input", { type: "radio", name: "span", value, onchange: () => { hours = value; refreshCharts(); } }), label)));
}

// At first the shortest time that holds all there is, at most a day.
function chooseSpan(first) {
  if (hours !== null) return;
  const past = first === null ? 0 : (now - first) / HOUR;
  hours = SPANS.map(([, value]) => value).find((value) => value >= past && value <= 24) ?? 24;
  document.querySelector(`#spans input[value="${hours}"]`).checked = true;
}

async function refreshCharts() {
  if (hours === null) return;
  const wanted = hours;
  const [trends, training] = await Promise.all([ask(`/api/v1/trends?hours=${wanted}`), ask(`/api/v1/training?hours=${wanted}`)]);
  if (wanted !== hours) return;
  for (const chart of charts.trends) chart.show(trends);
  for (const chart of charts.training) chart.show(training);
}

// --- Games --------------------------------------------------------------------------------------

const page = { before: null };

async function refreshGames() {
  const query = new URLSearchParams({ limit: 18 });
  if (page.before !== null) query.set("before", page.before);
  for (const name of ["won", "policy"]) if ($(name).value) query.set(name, $(name).value);
  const answer = await ask(`/api/v1/games?${query}`);
  const focused = document.activeElement?.dataset?.game;
  $("games").replaceChildren(...(answer.games.length ? answer.games.map(gameRow)
    : [h("tr", {}, h("td", { class: "none", colspan: 8 }, lastSummary?.games_finished ? "No game is like that." : "No game yet."))]));
  if (focused) $("games").querySelector(`[data-game="${CSS.escape(focused)}"]`)?.focus();
  const known = [...$("policy").options].slice(1).map((option) => option.value);
  if (known.join("\n") !== answer.policies.join("\n")) {
    const chosen = $("policy").value;
    $("policy").replaceChildren($("policy").options[0], ...answer.policies.map((policy) => h("option", { value: policy }, policy)));
    $("policy").value = answer.policies.includes(chosen) ? chosen : "";
  }
  page.next = answer.next;
  $("older").hidden = answer.next === null;
  $("newest").hidden = page.before === null;
  say($("games-note"), page.before === null ? "" : "Older games; new ones are not added here.");
}

function gameRow(game) {
  const table = [game.deck, game.stake, game.policy];
  return h("tr", {},
    h("th", { scope: "row", class: "row" },
      h("button", { type: "button", class: "seed", "data-game": game.game_id, title: "Show this game", onclick: () => showGame(game.game_id) }, game.seed),
      h("span", { class: "under" }, table.join(", "))),
    ...table.map((text) => h("td", { class: "wide" }, text)),
    h("td", { class: "number ante" }, whole(game.ante)),
    h("td", { class: game.won ? "won" : "lost" }, game.won ? "won" : "lost"),
    h("td", { class: "number" }, chips(game.best_hand)),
    h("td", { class: "number" }, h("time", { datetime: new Date(game.time).toISOString(), "data-time": game.time, title: new Date(game.time).toLocaleString("en-GB") }, age(now - game.time))));
}

async function showGame(id) {
  const body = $("game-body");
  say($("game-title"), "Game");
  body.replaceChildren("Loading");
  $("game").showModal();
  try {
    const game = await ask(`/api/v1/games/${encodeURIComponent(id)}`);
    say($("game-title"), `${game.seed}, ${game.won ? "won" : `lost in ante ${game.ante}`}`);
    const hands = Object.entries(game.hands).sort((a, b) => b[1] - a[1]).map(([hand, times]) => `${hand} ${whole(times)}`);
    const rows = [
      ["Deck and stake", `${game.deck}, ${game.stake}`],
      ["Played by", `${game.policy} (${game.source})`],
      ["Ended", new Date(game.time).toLocaleString("en-GB")],
      ["Round", whole(game.round)],
      ["Best hand", `${chips(game.best_hand)} chips`],
      ["Money left", `$${whole(game.money)}`],
      ["Actions", `${whole(game.actions)} in ${significant(game.duration_ms / 1000)} s`],
      ["Jokers", game.jokers.join(", ") || "none"],
      ["Hands played", hands.join(", ") || "none"],
      ["Record", game.recorded ? h("span", {}, "kept action by action: ", h("code", {}, `jimbot games replay ${game.game_id}`)) : "summary only"],
    ];
    body.replaceChildren(h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
  } catch (error) {
    body.replaceChildren(error.message);
  }
}

// --- Jokers -------------------------------------------------------------------------------------

async function refreshJokers() {
  const answer = await ask("/api/v1/knowledge?limit=6");
  const highest = Math.max(...answer.jokers.map((it) => it.confidence), ...(answer.pairs ?? []).map((it) => it.confidence), 0) || 1;
  const rows = (list, name, none) => {
    const won = list.filter((it) => it.wins > 0);
    if (!won.length) return [h("tr", {}, h("td", { class: "none", colspan: 3 }, none))];
    return won.map((it) => {
      const meter = h("i", { class: "meter" });
      meter.style.setProperty("--share", it.confidence / highest);
      return h("tr", {}, h("th", { scope: "row", class: "row" }, name(it), meter),
        h("td", { class: "number" }, `${whole(it.wins)} of ${whole(it.games)}`), h("td", { class: "number" }, percent(it.confidence)));
    });
  };
  $("jokers").replaceChildren(...rows(answer.jokers, (it) => it.name, "No game has been won yet."));
  $("pairs").replaceChildren(...rows(answer.pairs ?? [], (it) => it.names.join(" + "),
    answer.pairs === null ? `Not known: ${answer.pairs_reason}` : "No pair has won yet."));
}

// --- Keeping it fresh ---------------------------------------------------------------------------

const shown = { games: null };
let refreshing = false;
let again = null;

// At most every three seconds, however fast games end.
function refreshSoon() {
  if (again === null && !document.hidden) again = setTimeout(() => { again = null; refresh(); }, shown.games === null ? 0 : 3000);
}

async function refresh() {
  if (refreshing) return refreshSoon();
  refreshing = true;
  try {
    const games = lastSummary?.games_finished ?? null;
    chooseSpan(lastSummary?.first_game_at ?? null);
    await Promise.all([refreshCharts(), page.before === null ? refreshGames() : null, refreshJokers()]);
    shown.games = games;
  } catch (error) {
    if (!stale) showProblem({ detail: `Could not read the figures: ${error.message}` });
  } finally {
    refreshing = false;
  }
}

let stale = false;
let heard = Date.now();
let wait = 1000;
let stream = null;

function connect() {
  stream?.close();
  stream = new EventSource("/api/v1/stream");
  const on = (name, show) => stream.addEventListener(name, (event) => {
    heard = Date.now();
    wait = 1000;
    setStale(false);
    show(JSON.parse(event.data));
  });
  on("summary", showSummary);
  on("services", showServices);
  on("problem", showProblem);
  stream.onerror = () => {
    setStale(true);
    stream.close();
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 10000);
  };
}

function setStale(is) {
  if (is !== stale && !is) { shown.games = null; refreshSoon(); }
  stale = is;
  if (is) {
    // What cannot be asked must not look healthy.
    setVerdict("unknown", `Analytics cannot be reached; shown is how it was at ${clock(heard)}`);
    servicesText = "";
  }
  document.body.classList.toggle("stale", is);
  say($("link"), is ? `Stale since ${clock(heard)}, connecting again` : "Live");
  say($("clock"), is ? "" : clock(heard));
}

setInterval(() => {
  // A connection can die without an error; it is silent then.
  if (!stale && Date.now() - heard > 6000) { setStale(true); connect(); }
  for (const time of document.querySelectorAll("#games time")) say(time, age(now - time.dataset.time));
}, 1000);
// Without new games charts still move on with time.
setInterval(() => { if (!stale && !document.hidden) refresh(); }, 15000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshSoon(); });

// --- Controls -----------------------------------------------------------------------------------

const THEMES = ["auto", "light", "dark"];
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  say($("theme"), `Theme: ${theme}`);
  try { localStorage.setItem("theme", theme); } catch { /* kept for this visit only */ }
}
let theme = "auto";
try { theme = THEMES.find((it) => it === localStorage.getItem("theme")) ?? "auto"; } catch { /* the default */ }
setTheme(theme);
$("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % 3]));

const turn = (before) => { page.before = before; refreshGames().catch((error) => showProblem({ detail: error.message })); };
for (const name of ["won", "policy"]) $(name).addEventListener("change", () => turn(null));
$("older").addEventListener("click", () => turn(page.next));
$("newest").addEventListener("click", () => turn(null));
$("game").addEventListener("click", (event) => { if (event.target === $("game")) $("game").close(); });

makeSpans();
$("charts").append(...[...charts.trends, ...charts.training].map((chart) => chart.figure));
connect();
