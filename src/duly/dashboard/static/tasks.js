// The list of tasks: filtered by the address, newest first, alive.

import { html, useEffect, useSignal } from "./html.js";
import { get, post } from "./api.js";
import { ago, duration, ran } from "./format.js";
import { listen } from "./live.js";
import { Action, attempt, Badge, Bar, calm } from "./parts.js";
import { language, state, t } from "./words.js";

const STATES = ["running", "pending", "waiting", "scheduled", "retry", "blocked", "completed", "failed", "cancelled"];
const FIELDS = [["task_type", "type"], ["queue", "queue"], ["tag", "tag"]];
const PAGE = 50;
const CALM_MS = 400;

export const href = (filter) => {
  const kept = Object.entries(filter).filter(([, value]) => value);
  return `#/tasks${kept.length ? `?${new URLSearchParams(kept)}` : ""}`;
};

export function Tasks({ filter }) {
  const rows = useSignal(null);
  const more = useSignal(false);
  const key = JSON.stringify(filter);
  const page = async (before) => (await get("/api/tasks", { ...filter, before, limit: PAGE })).tasks;
  const look = () => attempt(async () => {
    const found = await page();
    const last = found.at(-1)?.id ?? "";
    const older = (rows.value ?? []).filter((row) => row.id < last);
    more.value = older.length ? more.value : found.length === PAGE;
    rows.value = [...found, ...older];
  });
  const further = async () => {
    const found = await page(rows.value.at(-1)?.id);
    more.value = found.length === PAGE;
    rows.value = [...rows.value, ...found];
  };
  useEffect(() => {
    rows.value = null;
    look();
    return listen(calm(look, CALM_MS));
  }, [key, language.value]);
  const filtered = Object.values(filter).some(Boolean);
  return html`<section>
    <${Filters} filter=${filter} />
    ${rows.value?.length === 0 && html`<p class="empty">${t(filtered ? "none_found" : "none")}</p>`}
    ${rows.value?.length > 0 && html`<${Table} rows=${rows.value} changed=${look} />`}
    ${rows.value === null && html`<p class="empty">${t("busy")}</p>`}
    ${more.value && html`<p class="center"><${Action} run=${further}>${t("more")}<//></p>`}
  </section>`;
}

function Filters({ filter }) {
  const chip = (name) => html`<a class="chip" href=${href({ ...filter, status: name })}
    aria-current=${(filter.status ?? "") === name ? "true" : null}>${name ? state(name) : t("all")}</a>`;
  const change = (name) => (event) => (location.hash = href({ ...filter, [name]: event.target.value.trim() }));
  return html`<nav class="filters" aria-label=${t("filter")}>
    <div class="chips">${["", ...STATES].map(chip)}</div>
    <div class="fields">${FIELDS.map(([name, word]) => html`<label>${t(word)}
      <input name=${name} value=${filter[name] ?? ""} onChange=${change(name)} maxlength="100" /></label>`)}</div>
  </nav>`;
}

function Table({ rows, changed }) {
  return html`<table class="tasks">
    <thead><tr>${["state", "type", "progress", "created", "took"].map((name) => html`<th scope="col">${t(name)}</th>`)}<th></th></tr></thead>
    <tbody>${rows.map((task) => html`<${Row} key=${task.id} task=${task} changed=${changed} />`)}</tbody>
  </table>`;
}

function Row({ task, changed }) {
  return html`<tr>
    <td><${Badge} status=${task.status} /></td>
    <td><a href="#/tasks/${task.id}">${task.task_type}</a> <small class="id">${task.id.slice(-8)}</small>
      ${task.tags.map((tag) => html`<a class="tag" href=${href({ tag })}>${tag}</a>`)}</td>
    <td class="progress"><${Bar} value=${task.completed_at ? null : task.progress} /></td>
    <td title=${task.created_at}>${ago(task.created_at, language.value)}</td>
    <td>${duration(ran(task))}</td>
    <td class="actions"><${Actions} task=${task} changed=${changed} /></td>
  </tr>`;
}

const ENDED = ["completed", "failed", "cancelled"];

/** What may be done with a task as it stands. */
export function Actions({ task, changed }) {
  const act = (verb) => async () => (await post(`/api/tasks/${task.id}/${verb}`), changed());
  if (!ENDED.includes(task.status))
    return html`<${Action} run=${act("cancel")} ask=${t("sure_cancel")} kind="danger">${t("cancel")}<//>`;
  return task.status === "completed" ? null : html`<${Action} run=${act("retry")}>${t("retry")}<//>`;
}
