// One task: how it stands, its tabs as they come, its result, and where in the source each finding stands.

import { html, useEffect, useSignal } from "../../html.js";
import { address, get } from "../../api.js";
import { joined } from "../../format.js";
import { follow } from "../../live.js";
import { attempt, Badge, Bar, calm } from "../../parts.js";
import { Actions } from "../../tasks.js";
import { language, t } from "../../words.js";
import { Findings } from "./findings.js";
import { said } from "./partial.js";
import { Source } from "./source.js";
import { Work } from "./work.js";

const CALM_MS = 250;
const FORMATS = ["docx", "xlsx", "json"];

export function Result({ id }) {
  const task = useSignal(null);
  const output = useSignal({ attempt: 0, text: "" });
  const shown = useSignal(null);
  const look = () => attempt(async () => (task.value = await get(`/api/tasks/${id}`)));
  useEffect(() => {
    task.value = shown.value = null;
    output.value = { attempt: 0, text: "" };
    look();
    const soon = calm(look, CALM_MS);
    return follow(id, (event) => {
      if (event.type === "partial") output.value = joined(output.value, event.data);
      else soon();
    }, soon);
  }, [id, language.value]);
  const one = task.value;
  if (!one) return html`<p class="empty">${t("busy")}</p>`;
  const result = one.result ?? said(output.value.text);
  const jump = (item) => (shown.value = item);
  return html`<article class="result">
    <p><a href=${one.task_type === "workload_split" ? "#/workload" : "#/"}>← ${t("back_to_list")}</a></p>
    <header class="head"><h1>${one.metadata.name ?? t("pasted")}</h1><${Badge} status=${one.status} /><${Actions} task=${one} changed=${look} />
      ${one.result && html`<${Exports} id=${id} />`}</header>
    ${!one.completed_at && html`<p role="status"><${Bar} value=${one.progress ?? 0} /> ${one.progress_message ?? t("reading")}</p>`}
    ${one.error && html`<section class="error"><h2>${t("error")}</h2><p>${one.error} <code>${one.error_code}</code></p></section>`}
    ${result.summary && html`<p class="summary">${result.summary}</p>`}
    ${result.tabs?.length > 0 && html`<${Findings} tabs=${result.tabs} jump=${jump} shown=${shown.value} />`}
    ${result.items?.length > 0 && html`<${Work} items=${result.items} totals=${result.totals} jump=${jump} shown=${shown.value} />`}
    ${shown.value && html`<${Source} id=${id} item=${shown.value} close=${() => (shown.value = null)} />`}
    ${one.result && html`<${Provenance} task=${one} />`}
    <p><small><a href=${address(`#/tasks/${id}`).href}>${t("details_of")}</a> · ${id}</small></p>
  </article>`;
}

function Exports({ id }) {
  return html`<span class="exports"><small>${t("export")}</small> ${FORMATS.map((format) => html`<a class="chip" download
    href=${address(`/api/tender/tasks/${id}/export/${format}`).href}>${format.toUpperCase()}</a>`)}</span>`;
}

function Provenance({ task }) {
  const result = task.result, about = result.document;
  const file = task.metadata.source === "file" && address(`/api/tasks/${task.id}/files/${about.sha256}`).href;
  return html`<section class="provenance"><h2>${t("limits")}</h2>
    <p>${result.engine} · ${result.method} ${result.version}${file && html` · <a download href=${file}>${t("original")}</a>`}</p>
    <ul>${[...result.limits, ...about.warnings].map((limit) => html`<li>${limit}</li>`)}</ul></section>`;
}
