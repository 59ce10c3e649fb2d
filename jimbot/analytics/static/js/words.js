// Numbers, times and sizes in words. What was not measured is a dash, never a zero.

export const NONE = "–";

export const format = (options) => {
  const formatter = new Intl.NumberFormat("en", options);
  return (value) => (value === null || value === undefined ? NONE : formatter.format(value));
};
export const whole = format({ maximumFractionDigits: 0 });
export const one = format({ maximumFractionDigits: 1 });
export const two = format({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
export const percent = format({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
export const percentWhole = format({ style: "percent", maximumFractionDigits: 0 });
export const significant = format({ maximumSignificantDigits: 4 });
export const compact = format({ notation: "compact", maximumSignificantDigits: 3 });
const dollarsTwo = format({ style: "currency", currency: "USD" });
const dollarsSmall = format({ style: "currency", currency: "USD", maximumSignificantDigits: 2 });
export const dollars = (value) => (value > 0 && value < 0.1 ? dollarsSmall(value) : dollarsTwo(value));

// As the game does: plain up to a hundred billion, then with an exponent.
export const chips = (value) =>
  value === null || value === undefined ? NONE
    : value < 1e11 ? whole(value) : value.toExponential(3).replace("e+", "e");
// A card holds nine characters; more are shortened, the whole number is in its title.
export const short = (value, text) => (text.length <= 9 || value >= 1e11 ? text : compact(value));

const SIZES = [["GB", 2 ** 30], ["MB", 2 ** 20], ["kB", 2 ** 10]];
export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  const [unit, size] = SIZES.find(([, size]) => value >= size) ?? ["B", 1];
  const number = value / size;
  return `${unit === "GB" && number < 100 ? one(number) : whole(number)} ${unit}`;
}

export const clock = (time) => new Date(time).toLocaleTimeString("en-GB");
export const day = (time) => new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
export const moment = (time) => new Date(time).toLocaleString("en-GB");

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
export function age(ms) {
  const seconds = Math.max(Math.floor(ms / 1000), 0);
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS[3];
  return `${Math.floor(seconds / size)} ${unit}`;
}

export const plural = (count, word) => `${whole(count)} ${word}${count === 1 ? "" : "s"}`;

export const sentence = (text) => {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
};
