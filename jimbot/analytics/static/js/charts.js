// Line charts in SVG, with an interval's band, read by pointer, by arrow keys and as a table.

import { ask } from "./api.js";
import { $, h, say, svg } from "./dom.js";
import { clock, compact, day, format, percent, plural, significant, two, whole } from "./words.js";

const MARGIN = { top: 10, right: 6, bottom: 22, left: 44 };

// Round steps that people count in, so that an axis has three to five of them.
function ticks(low, high) {
  const raw = (high - low) / 4;
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

// The stretches of `points` for which `holds`.
function split(points, holds) {
  const runs = [[]];
  for (const point of points) {
    if (holds(point)) runs.at(-1).push(point);
    else if (runs.at(-1).length) runs.push([]);
  }
  return runs.filter((run) => run.length > 1);
}

export class Chart {
  // `draw`: how a figure is shown, see `CHARTS` below.
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
    this.figure = h("figure", { "data-chart": draw.id ?? draw.key },
      h("figcaption", {}, h("span", {}, h("b", {}, draw.title), " ", h("i", {}, draw.unit)), this.output), this.plot, this.table());
    new ResizeObserver(() => this.paint()).observe(this.plot);
  }

  show(data) {
    let points = data.points.filter((point) => point[this.draw.key] !== null);
    // A bucket that has just begun holds too little to be set beside whole ones.
    if (points.length > 3 && data.end - points.at(-1).time < data.step_ms / 4) points = points.slice(0, -1);
    const chosen = this.at !== null ? this.data?.points[this.at]?.time : null;
    this.data = { ...data, points };
    if (this.draw.hides) this.figure.hidden = !points.length;
    const again = chosen === null ? -1 : points.findIndex((point) => point.time === chosen);
    this.at = again < 0 ? null : again;
    this.paint();
    this.speak();
    this.fillTable();
  }

  text(point) {
    const { key, low, high, text } = this.draw;
    return text(point[key]) + (low && point[low] !== null ? ` (${text(point[low])} to ${text(point[high])})` : "");
  }

  // The same figures for those who would rather read them; filled while it is unfolded.
  table() {
    const { title, unit, low } = this.draw;
    this.rows = h("tbody");
    this.unfolded = h("details", { class: "as-table", ontoggle: () => this.fillTable() },
      h("summary", {}, "As a table", h("span", { class: "unseen" }, `: ${title}`)),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title} as a table` },
        h("table", { "aria-label": `${title}, ${unit}` },
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "From"), h("th", { scope: "col", class: "number" }, title),
            ...(low ? [h("th", { scope: "col", class: "number" }, "95 % interval")] : []))),
          this.rows)));
    return this.unfolded;
  }

  fillTable() {
    if (!this.unfolded.open || !this.data) return;
    const { key, low, high, text } = this.draw;
    this.rows.replaceChildren(...[...this.data.points].reverse().map((point) =>
      h("tr", {}, h("th", { scope: "row", class: "row" }, this.when(point)), h("td", { class: "number" }, text(point[key])),
        ...(low ? [h("td", { class: "number" }, point[low] === null ? "too few games" : `${text(point[low])} to ${text(point[high])}`)] : []))));
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
    const all = points.flatMap((point) => [point[key], ...(low && point[low] !== null ? [point[low], point[high]] : [])]);
    let bot = zero ? 0 : Math.max(Math.min(...all), this.draw.least ?? -Infinity);
    let top = Math.min(Math.max(...all), most ?? Infinity);
    if (top - bot < 1e-9 * Math.max(Math.abs(top), 1)) [bot, top] = zero ? [0, top || 1] : [bot - (Math.abs(bot) || 1) * .1, top + (Math.abs(top) || 1) * .1];
    const scale = ticks(bot, top);
    [bot, top] = [scale[0], scale.at(-1)];
    const y = (value) => bottom - ((Math.min(Math.max(value, bot), top) - bot) / (top - bot)) * (bottom - MARGIN.top);
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
        for (const sure of split(run, (point) => point[low] !== null)) {
          root.append(svg("path", { class: "band", d: `M${[...path(sure, low), ...path(sure, high).reverse()].join("L")}Z` }));
        }
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

const NO_GAMES = "No game in this time";
const SHARE = format({ style: "percent", maximumFractionDigits: 1 });
const CHARTS = {
  // Of the policy in training, on seeds that it never trains on; hidden while there are none.
  evaluations: [
    { id: "held_out_ante", key: "mean_ante", low: "mean_ante_low", high: "mean_ante_high", title: "Learned: ante", unit: "held-out seeds, 95 %", text: two, tick: significant, least: 1, most: 9, bridge: Infinity, class: "cool", hides: true },
    { id: "held_out_wins", key: "win_rate", low: "win_rate_low", high: "win_rate_high", title: "Learned: win rate", unit: "held-out seeds, 95 %", text: percent, tick: SHARE, zero: true, most: 1, bridge: Infinity, class: "cool", hides: true },
  ],
  trends: [
    { key: "mean_ante", low: "mean_ante_low", high: "mean_ante_high", title: "Ante reached", unit: "mean of 8, 95 %", text: two, tick: significant, least: 1, most: 9, none: NO_GAMES },
    { key: "win_rate", low: "win_rate_low", high: "win_rate_high", title: "Win rate", unit: "of games, 95 %", text: percent, tick: SHARE, zero: true, most: 1, none: NO_GAMES },
    { key: "games_per_hour", title: "Games", unit: "per hour", text: whole, tick: compact, zero: true, area: true, none: NO_GAMES },
  ],
  training: [
    { key: "loss", title: "Loss", unit: "total, mean of iterations", text: significant, tick: compact, bridge: 12, class: "cool", none: "No training in this time" },
  ],
};
const SPANS = [["15 min", .25, "15 minutes"], ["1 h", 1, "1 hour"], ["6 h", 6, "6 hours"], ["24 h", 24, "24 hours"], ["7 d", 168, "7 days"], ["30 d", 720, "30 days"], ["1 y", 8760, "1 year"]];

const charts = {};
let hours = null;

export function start(onerror) {
  for (const [kind, draws] of Object.entries(CHARTS)) charts[kind] = draws.map((draw) => new Chart(draw));
  for (const chart of charts.evaluations) chart.figure.hidden = true;
  $("charts").append(...Object.values(charts).flat().map((chart) => chart.figure));
  $("spans").append(...SPANS.map(([label, value, name]) =>
    h("label", {}, h("input", {
      type: "radio", name: "span", value, "aria-label": name,
      onchange: () => { hours = value; refresh().catch(onerror); },
    }), label)));
}

// At first the shortest time that holds all there is, at most a day.
export function chooseSpan(first, now) {
  if (hours !== null) return;
  const past = first === null ? 0 : (now - first) / HOUR;
  hours = SPANS.map(([, value]) => value).find((value) => value >= past && value <= 24) ?? 24;
  document.querySelector(`#spans input[value="${hours}"]`).checked = true;
}

export async function refresh() {
  if (hours === null) return;
  const wanted = hours;
  const kinds = Object.keys(charts);
  const answers = await Promise.all(kinds.map((kind) => ask(`/api/v1/${kind}?hours=${wanted}`)));
  if (wanted !== hours) return;
  kinds.forEach((kind, i) => charts[kind].forEach((chart) => chart.show(answers[i])));
}
