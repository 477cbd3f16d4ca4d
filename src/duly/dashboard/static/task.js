// One task: how it stands and why, its output as it comes, its timeline, its result, where the answer went.

import { html, useEffect, useSignal } from "./html.js";
import { get } from "./api.js";
import { duration, joined, moment, ran, said } from "./format.js";
import { follow } from "./live.js";
import { attempt, Badge, Bar, calm, Copy, Json } from "./parts.js";
import { Actions } from "./tasks.js";
import { event, language, sent, t } from "./words.js";

const CALM_MS = 250;
/** Lines that are kept on the page; the API has them all. */
const LINES = 500;

export function Task({ id }) {
  const task = useSignal(null);
  const why = useSignal(null);
  const deliveries = useSignal([]);
  const lines = useSignal([]);
  const output = useSignal({ attempt: 0, text: "" });
  const look = () => attempt(async () => {
    task.value = await get(`/api/tasks/${id}`);
    [why.value, deliveries.value] = await Promise.all([
      get(`/api/tasks/${id}/why`),
      get(`/api/tasks/${id}/deliveries`).then((said) => said.deliveries),
    ]);
  });
  useEffect(() => {
    task.value = null;
    lines.value = [];
    output.value = { attempt: 0, text: "" };
    look();
    const soon = calm(look, CALM_MS);
    return follow(id, (event) => {
      if (event.type === "partial") output.value = joined(output.value, event.data);
      else {
        lines.value = [...lines.value, event].slice(-LINES);
        soon();
      }
    }, soon);
  }, [id, language.value]);
  const one = task.value;
  if (!one) return html`<p class="empty">${t("busy")}</p>`;
  return html`<article>
    <p><a href="#/tasks">← ${t("back")}</a></p>
    <header class="head"><h1>${one.task_type}</h1><${Badge} status=${one.status} /><${Actions} task=${one} changed=${look} /></header>
    <p class="id">${one.id} <${Copy} text=${one.id} /></p>
    ${!one.completed_at && html`<p><${Bar} value=${one.progress} /> ${one.progress_message}</p>`}
    <${Why} why=${why.value} />
    ${one.error && html`<section class="error"><h2>${t("error")}</h2><p>${one.error} <code>${one.error_code}</code></p></section>`}
    ${output.value.text && one.result == null && html`<section><h2>${t("output")}</h2><pre class="output" aria-live="polite">${output.value.text}</pre></section>`}
    ${one.result != null && html`<section><h2>${t("result")}</h2><${Json} value=${one.result} /></section>`}
    <${Details} task=${one} />
    <${Deliveries} rows=${deliveries.value} />
    <${Timeline} lines=${lines.value} />
  </article>`;
}

function Why({ why }) {
  if (!why?.summary) return null;
  return html`<section class="why"><h2>${t("why")}</h2><p>${why.summary}</p>
    ${why.reasons.length > 1 && html`<ul>${why.reasons.slice(1).map((reason) => html`<li>${reason.text}</li>`)}</ul>`}</section>`;
}

function Details({ task }) {
  const now = language.value;
  const rows = [
    ["queue", task.queue], ["owner", [task.tenant, task.owner].filter(Boolean).join(" / ")], ["priority", task.priority],
    ["attempt", `${task.retry_count + 1} / ${task.max_retries + 1}`], ["created", moment(task.created_at, now)],
    ["took", duration(ran(task))], ["tag", task.tags.join(", ")],
  ].filter(([, value]) => value != null && value !== "");
  return html`<section><h2>${t("details")}</h2><dl>${rows.map(([name, value]) => html`<dt>${t(name)}</dt><dd>${value}</dd>`)}</dl></section>`;
}

function Deliveries({ rows }) {
  if (!rows.length) return null;
  const line = (one) => html`<li><span class="badge ${one.status}">${sent(one.status)}</span> ${one.channel} ${one.url}
    <small>${one.attempt} ${t("tried")} ${one.last_error}</small></li>`;
  return html`<section><h2><a href="#/deliveries?task=${rows[0].task_id}">${t("deliveries")}</a></h2><ul class="plain">${rows.map(line)}</ul></section>`;
}

function Timeline({ lines }) {
  const line = (one) => html`<li key=${one.seq}><time datetime=${one.at}>${moment(one.at, language.value)}</time>
    <b>${event(one.type)}</b> <small>${said(one.data)}</small></li>`;
  return html`<section><h2>${t("timeline")}</h2><ol class="timeline">${lines.map(line)}</ol></section>`;
}
