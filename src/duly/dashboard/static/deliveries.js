// What is owed or was sent, by task and endpoint, with the log of its sends; dead letters, sent again.

import { html, useEffect } from "./html.js";
import { post } from "./api.js";
import { ago, moment } from "./format.js";
import { listen } from "./live.js";
import { useList } from "./more.js";
import { Action, calm, Rows } from "./parts.js";
import { language, sent, t } from "./words.js";

const STATES = ["dead", "pending", "sending", "held", "delivered"];
const CALM_MS = 1000;
/** A send is no event of a task: while one is due, it is looked for. */
const LOOK_MS = 3000;

export const href = (filter) => {
  const kept = Object.entries(filter).filter(([, value]) => value);
  return `#/deliveries${kept.length ? `?${new URLSearchParams(kept)}` : ""}`;
};

export function Deliveries({ filter }) {
  const list = useList("/api/deliveries", "deliveries", filter);
  useEffect(() => listen(calm(list.look, CALM_MS)), [JSON.stringify(filter)]);
  const due = list.rows?.some((one) => ["pending", "sending"].includes(one.status));
  useEffect(() => {
    const timer = due ? setInterval(list.look, LOOK_MS) : null;
    return () => clearInterval(timer);
  }, [due, JSON.stringify(filter)]);
  const chip = (name) => html`<a class="chip" href=${href({ ...filter, status: name })}
    aria-current=${(filter.status ?? "") === name ? "true" : null}>${name ? sent(name) : t("all")}</a>`;
  const only = ["task", "endpoint"].filter((name) => filter[name]);
  return html`<section><h1>${t("deliveries")}</h1>
    <nav class="filters" aria-label=${t("filter")}><div class="chips">${["", ...STATES].map(chip)}
      ${only.map((name) => html`<a class="chip" aria-current="true" href=${href({ ...filter, [name]: "" })}>
        ${t(name)} …${filter[name].slice(-8)} ✕</a>`)}</div></nav>
    <${Rows} list=${list} none="no_deliveries" head=${["state", "target", "task", "tried", "made"]}
      row=${(one) => html`<${Row} key=${one.id} one=${one} changed=${list.look} />`} />
  </section>`;
}

function Row({ one, changed }) {
  const again = async () => (await post(`/api/deliveries/${one.id}/resend`), changed());
  return html`<tr>
    <td><span class="badge ${one.status}">${sent(one.status)}</span></td>
    <td><b>${one.channel}</b> ${one.url}${one.endpoint_id && html` <a class="id" href=${href({ endpoint: one.endpoint_id })}>…${one.endpoint_id.slice(-8)}</a>`}
      <${Log} one=${one} /></td>
    <td><a class="id" href="#/tasks/${one.task_id}">…${one.task_id.slice(-8)}</a></td>
    <td>${one.attempt} ×</td>
    <td title=${one.created_at}>${ago(one.created_at, language.value)}</td>
    <td class="actions">${one.status === "dead" && html`<${Action} run=${again}>${t("resend")}<//>`}</td>
  </tr>`;
}

/** Each send: when, how it ended, what the receiver said. */
function Log({ one }) {
  if (!one.log.length) return null;
  const line = (send) => html`<li><time datetime=${send.at}>${moment(send.at, language.value)}</time>
    <b>${sent(send.outcome)}</b> <small>${[send.code, send.error].filter(Boolean).join(" · ")}</small></li>`;
  return html`<details class="log"><summary>${t("log")}</summary><ol class="timeline">${one.log.map(line)}</ol></details>`;
}
