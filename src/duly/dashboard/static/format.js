// Times, sizes and durations as a person reads them; pure, so that they are tested without a browser.

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

/** Milliseconds as at most two units: 92000 -> "1 min 32 s". */
export function duration(ms) {
  if (ms == null || Number.isNaN(ms)) return "–";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const first = UNITS.findIndex(([, size]) => ms >= size);
  const [name, size] = UNITS[first];
  const whole = Math.floor(ms / size);
  const next = UNITS[first + 1];
  const rest = next ? Math.floor((ms - whole * size) / next[1]) : 0;
  return rest ? `${whole} ${name} ${rest} ${next[0]}` : `${whole} ${name}`;
}

/** Bytes: 1536 -> "1.5 KiB". */
export function size(bytes) {
  const names = ["B", "KiB", "MiB", "GiB"];
  let value = bytes, at = 0;
  while (value >= 1024 && at < names.length - 1) [value, at] = [value / 1024, at + 1];
  return `${at ? value.toFixed(1) : value} ${names[at]}`;
}

/** A moment in the reader's zone; empty for none. */
export function moment(text, language) {
  if (!text) return "";
  const options = { dateStyle: "medium", timeStyle: "medium" };
  return new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", options).format(new Date(text));
}

/** How long ago: "3 min ago"; `now` in milliseconds. */
export function ago(text, language, now = Date.now()) {
  if (!text) return "";
  const seconds = Math.round((new Date(text).getTime() - now) / 1000);
  const units = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, length] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units[3];
  const words = new Intl.RelativeTimeFormat(language === "zh" ? "zh-CN" : "en", { numeric: "auto" });
  return words.format(Math.trunc(seconds / length), unit);
}

/** How long an attempt has run or ran, in milliseconds; null before it began. */
export function ran(task, now = Date.now()) {
  if (!task.started_at) return null;
  return (task.completed_at ? new Date(task.completed_at).getTime() : now) - new Date(task.started_at).getTime();
}

/** Streamed output after one more piece; another attempt begins anew. */
export function joined(held, piece) {
  const text = piece.attempt === held.attempt ? held.text : "";
  return { attempt: piece.attempt, text: text + piece.text };
}

/** What a timeline line says, in one line. */
export function said({ progress, message, ...data }) {
  const words = progress == null ? [] : [`${Math.round(progress * 100)} %`];
  if (message) words.push(message);
  for (const [name, value] of Object.entries(data)) {
    if (value == null || value === "") continue;
    words.push(`${name} ${typeof value === "object" ? JSON.stringify(value) : value}`);
  }
  return words.join(" · ");
}

/** The object of a JSON text, or null. */
export function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch { return null; }
}
