// Handing in: files, a folder or a text, several at once; below it the caller's own tasks, alive.

import { html, useEffect, useRef, useSignal } from "../../html.js";
import { get, post, upload } from "../../api.js";
import { ago, duration, ran, size } from "../../format.js";
import { listen } from "../../live.js";
import { Action, attempt, Badge, Bar, calm } from "../../parts.js";
import { Actions } from "../../tasks.js";
import { language, t } from "../../words.js";

export const TYPES = { bidding: "bidding_analysis", workload: "workload_split" };
const ACCEPT = ".pdf,.docx,.xlsx,.html,.htm,.txt,.md,.csv";
const PAGE = 20;
const CALM_MS = 400;

export function Desk({ kind }) {
  return html`<section class="desk">
    <h1>${t(kind)}</h1><p class="soft">${t(`${kind}_hint`)}</p>
    <${HandIn} kind=${kind} />
    <h2>${t("mine")}</h2>
    <${List} type=${TYPES[kind]} />
  </section>`;
}

function HandIn({ kind }) {
  const files = useSignal([]);
  const share = useSignal(null);
  const wrong = useSignal("");
  const send = async (event) => {
    event.preventDefault();
    const form = event.target, given = new FormData(form), text = given.get("text").trim();
    wrong.value = files.value.length || text ? "" : t("no_files");
    if (wrong.value || share.value !== null) return;
    share.value = 0;
    const done = await attempt(async () => {
      const inputs = await sent(files.value, (part) => (share.value = part));
      if (text) inputs.push({ text });
      await submit(TYPES[kind], inputs, Number(given.get("priority")));
    });
    share.value = null;
    if (done) (form.reset(), (files.value = []));
  };
  return html`<form class="sheet wide" onSubmit=${send}>
    <${Files} files=${files} />
    <details><summary>${t("or_text")}</summary><textarea name="text" rows="6" aria-label=${t("or_text")}></textarea></details>
    <p class="wrong" role="alert">${wrong.value}</p>
    <p class="row"><button class="main" disabled=${share.value !== null}>${t("start")}</button>
      <label>${t("urgency")} <select name="priority">${[["5", "normal"], ["8", "high"], ["2", "low"]].map(
        ([value, name]) => html`<option value=${value}>${t(name)}</option>`)}</select></label>
      ${share.value !== null && html`<span role="status">${t("starting")} <progress max="1" value=${share.value}></progress></span>`}</p>
  </form>`;
}

function Files({ files }) {
  const over = useSignal(false);
  const folder = useRef(null);
  const take = (chosen) => (files.value = [...files.value, ...[...chosen].filter((one) => one.size)]);
  const drop = (event) => (event.preventDefault(), (over.value = false), take(event.dataTransfer.files));
  const drag = (inside) => (event) => (event.preventDefault(), (over.value = inside));
  const pick = (event) => (take(event.target.files), (event.target.value = ""));
  const without = (one) => () => (files.value = files.value.filter((other) => other !== one));
  return html`<label class="drop ${over.value ? "over" : ""}" onDragOver=${drag(true)} onDragLeave=${drag(false)} onDrop=${drop}>
      <input type="file" name="files" multiple accept=${ACCEPT} onChange=${pick} />
      <b>${t("drop_many")}</b><br /><small>${t("kinds_of_file")}</small></label>
    <p class="row"><button type="button" onClick=${() => folder.current.click()}>${t("folder")}</button>
      <input ref=${folder} class="outside" type="file" name="folder" webkitdirectory multiple tabindex="-1" aria-hidden="true" onChange=${pick} /></p>
    ${files.value.length > 0 && html`<ul class="plain chosen">${files.value.map((one) => html`<li><span>${one.name} <small>${size(one.size)}</small></span>
      <button type="button" class="quiet" aria-label="${t("remove")} ${one.name}" onClick=${without(one)}>✕</button></li>`)}</ul>`}`;
}

/** Sends the files one after the other; `told` hears the share of all bytes. */
async function sent(files, told) {
  const all = files.reduce((sum, one) => sum + one.size, 0) || 1;
  const inputs = [];
  let before = 0;
  for (const one of files) {
    inputs.push({ file: await upload(one, (part) => told((before + part) / all)) });
    before += one.size;
  }
  return inputs;
}

/** One task, or a batch with a task for each. */
async function submit(task_type, inputs, priority) {
  const tasks = inputs.map((input) => ({ task_type, input, priority, metadata: input.file ? { source: "file", name: input.file.name } : { source: "text" } }));
  if (tasks.length > 1) return void (await post("/api/batches", { tasks, metadata: { source: "files" } }));
  const task = await post("/api/tasks", tasks[0]);
  location.hash = `#/tasks/${task.id}`;
}

function List({ type }) {
  const rows = useSignal(null);
  const more = useSignal(false);
  const page = async (before) => (await get("/api/tasks", { task_type: type, before, limit: PAGE })).tasks;
  const look = () => attempt(async () => {
    const found = await page();
    const older = (rows.value ?? []).filter((row) => row.id < (found.at(-1)?.id ?? ""));
    more.value = older.length ? more.value : found.length === PAGE;
    rows.value = [...found, ...older];
  });
  const further = async () => {
    const found = await page(rows.value.at(-1)?.id);
    more.value = found.length === PAGE;
    rows.value = [...rows.value, ...found];
  };
  useEffect(() => (look(), listen(calm(look, CALM_MS))), [type, language.value]);
  if (rows.value === null) return html`<p class="empty">${t("busy")}</p>`;
  if (!rows.value.length) return html`<p class="empty">${t("empty_desk")}</p>`;
  return html`<table class="tasks">
      <thead><tr>${["state", "name", "progress", "created", "took"].map((name) => html`<th scope="col">${t(name)}</th>`)}<th></th></tr></thead>
      <tbody>${rows.value.map((task) => html`<${Row} key=${task.id} task=${task} changed=${look} />`)}</tbody>
    </table>
    ${more.value && html`<p class="center"><${Action} run=${further}>${t("more")}<//></p>`}`;
}

function Row({ task, changed }) {
  const running = !task.completed_at;
  return html`<tr>
    <td><${Badge} status=${task.status} /></td>
    <td><a href="#/tasks/${task.id}">${task.metadata.name ?? t("pasted")}</a></td>
    <td class="progress">${running && html`<${Bar} value=${task.progress} />`} ${task.error ? html`<small class="bad">${task.error}</small>` : null}</td>
    <td title=${task.created_at}>${ago(task.created_at, language.value)}</td>
    <td>${duration(ran(task))}</td>
    <td class="actions"><${Actions} task=${task} changed=${changed} /></td>
  </tr>`;
}
