// What happens on the server, heard once for all tabs: one of them holds the stream and tells the others.

import { signal } from "./html.js";
import { address } from "./api.js";

/** How news come in: live, polling or offline. */
export const mode = signal("polling");

const POLL_MS = 3000;
const NAME = `duly.live:${address("").href}`;
const EVENTS = [
  "accepted", "due", "started", "blocked", "unblocked", "step", "progress", "log", "usage", "cancel_requested",
  "lost", "handed_back", "retry", "waiting", "signalled", "woken", "job", "compacted", "completed", "failed",
  "cancelled", "retried", "moved", "aged", "reset",
];
const listeners = new Set();
const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(NAME) : null;
let stop = null;

/** Calls `heard({type, task_id?})` for each thing that happens; answers how to end that. */
export function listen(heard) {
  listeners.add(heard);
  if (listeners.size === 1) begin();
  return () => {
    listeners.delete(heard);
    if (!listeners.size) end();
  };
}

function tell(news) {
  for (const heard of listeners) heard(news);
}

function begin() {
  const ended = new AbortController();
  stop = () => ended.abort();
  if (channel) channel.onmessage = ({ data }) => {
    if (data.mode) mode.value = data.mode;
    else tell(data);
  };
  const lead = () => new Promise((resolve) => hold(ended.signal, resolve));
  if (!navigator.locks || !channel) return void lead();
  navigator.locks.request(NAME, { signal: ended.signal }, lead).catch(() => {});
}

function end() {
  stop?.();
  stop = null;
}

/** Holds the stream until it is over; without a stream it looks every few seconds. */
function hold(over, resolve) {
  const pass = (news) => (tell(news), channel?.postMessage(news));
  const say = (word) => (mode.value = word, channel?.postMessage({ mode: word }));
  let timer = null;
  const source = new EventSource(address("/api/events"));
  const poll = () => (timer ??= setInterval(() => pass({ type: "look" }), POLL_MS));
  const rest = () => (clearInterval(timer), (timer = null));
  source.onopen = () => (rest(), say("live"), pass({ type: "look" }));
  source.onerror = () => (say(navigator.onLine ? "polling" : "offline"), poll());
  const heard = (event) => pass({ type: event.type, ...read(event.data) });
  for (const type of EVENTS) source.addEventListener(type, heard);
  source.onmessage = heard;
  over.addEventListener("abort", () => (rest(), source.close(), resolve()));
}

function read(text) {
  try { return JSON.parse(text); } catch { return {}; }
}

/** Follows one task: `heard({type, seq?, at?, data})` for each line and each piece of output; answers how to
 * end it. `over` is called when there is nothing more to come. */
export function follow(id, heard, over = () => {}) {
  const source = new EventSource(address(`/api/tasks/${id}/events`));
  for (const type of EVENTS) source.addEventListener(type, (event) => heard({ type, ...read(event.data) }));
  source.addEventListener("partial", (event) => heard({ type: "partial", data: read(event.data) }));
  source.onerror = () => source.readyState === EventSource.CLOSED && over();
  return () => source.close();
}
