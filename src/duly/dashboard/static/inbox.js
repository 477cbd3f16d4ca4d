// The inbox: what was delivered to its owner, the newest first; unread, read, and how many.

import { html, signal, useEffect, useSignal } from "./html.js";
import { get, post } from "./api.js";
import { ago } from "./format.js";
import { listen } from "./live.js";
import { useList } from "./more.js";
import { Action, attempt, Badge, calm, Rows } from "./parts.js";
import { language, t } from "./words.js";

const CALM_MS = 1000;

/** How many lines are unread; the menu shows it. */
export const unread = signal(0);

export const count = () => attempt(async () => (unread.value = (await get("/api/notifications/stats")).unread));

export function Inbox() {
  const only = useSignal(false);
  const list = useList("/api/notifications", "notifications", { newest: true, unread: only.value || null });
  const mark = async (which) => ((unread.value = (await post("/api/notifications/read", which)).unread), list.look());
  useEffect(() => listen(calm(list.look, CALM_MS)), [only.value]);
  const chip = (wanted, name) => html`<button type="button" class="chip" aria-pressed=${only.value === wanted}
    onClick=${() => (only.value = wanted)}>${name}</button>`;
  return html`<section><h1>${t("inbox")}</h1>
    <div class="chips bar">${chip(false, t("all"))}${chip(true, `${t("unread")} ${unread.value}`)}
      ${unread.value > 0 && html`<${Action} run=${() => mark({ all: true })} kind="quiet">${t("read_all")}<//>`}</div>
    <${Rows} list=${list} none="no_notifications" head=${["state", "message", "task", "made"]}
      row=${(one) => html`<${Row} key=${one.id} one=${one} mark=${mark} />`} />
  </section>`;
}

function Row({ one, mark }) {
  const read = !one.read_at;
  return html`<tr class=${read ? "unread" : ""}>
    <td>${one.status && html`<${Badge} status=${one.status} />`}</td>
    <td>${one.title} <small class="line">${one.message}</small></td>
    <td>${one.task_id && html`<a class="id" href="#/tasks/${one.task_id}">…${one.task_id.slice(-8)}</a>`}</td>
    <td title=${one.created_at}>${ago(one.created_at, language.value)}</td>
    <td class="actions"><${Action} run=${() => mark({ ids: [one.id], read })} kind="quiet">${t(read ? "mark_read" : "mark_unread")}<//></td>
  </tr>`;
}
