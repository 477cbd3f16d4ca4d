// Where ended tasks are told to: make one, send it a test, rotate its secret, switch it on and off, remove it.

import { html, useSignal } from "./html.js";
import { post, request } from "./api.js";
import { moment } from "./format.js";
import { href } from "./deliveries.js";
import { useList } from "./more.js";
import { Action, attempt, Rows, Secret } from "./parts.js";
import { language, sent, t } from "./words.js";

const EVENTS = ["task.completed", "task.failed", "task.cancelled"];

export function Endpoints() {
  const list = useList("/api/endpoints", "endpoints");
  const secret = useSignal(null);
  return html`<section><h1>${t("endpoints")}</h1>
    <${Secret} held=${secret} />
    <${Rows} list=${list} none="no_endpoints" head=${["state", "target", "events", "made"]}
      row=${(one) => html`<${Row} key=${one.id} one=${one} changed=${list.look} secret=${secret} />`} />
    <${Add} made=${(one) => ((secret.value = one.secret ?? one.public_key), list.look())} />
  </section>`;
}

function Row({ one, changed, secret }) {
  const told = useSignal(null);
  const place = `/api/endpoints/${one.id}`;
  const act = (verb) => async () => (await post(`${place}/${verb}`), changed());
  const test = async () => (told.value = await post(`${place}/test`));
  const rotate = async () => {
    const said = await post(`${place}/rotate`);
    secret.value = said.secret ?? said.public_key;
    await changed();
  };
  const remove = async () => (await request("DELETE", place), changed());
  return html`<tr>
    <td><span class="badge ${one.enabled ? "delivered" : "dead"}">${t(one.enabled ? "enabled" : "disabled")}</span></td>
    <td>${one.url} <small>${[one.owner, one.format, one.ordered && t("ordered"), one.reason].filter(Boolean).join(" · ")}</small>
      ${one.old_secret_until && html`<small class="line">${t("old_secret")} ${moment(one.old_secret_until, language.value)}</small>`}
      ${told.value && html`<small class="line" role="status"><b>${sent(told.value.outcome)}</b> ${[told.value.code, told.value.error].filter(Boolean).join(" · ")}</small>`}</td>
    <td>${one.events.length ? one.events.map((name) => html`<span class="tag">${name}</span>`) : t("all")}</td>
    <td>${moment(one.created_at, language.value)}</td>
    <td class="actions">
      <a href=${href({ endpoint: one.id })}>${t("deliveries")}</a>
      <${Action} run=${test}>${t("test")}<//>
      <${Action} run=${rotate} ask=${t("sure_rotate")}>${t("rotate")}<//>
      <${Action} run=${act(one.enabled ? "disable" : "enable")}>${t(one.enabled ? "disable" : "enable")}<//>
      <${Action} run=${remove} ask=${t("sure_remove")} kind="danger">${t("remove")}<//></td>
  </tr>`;
}

function Add({ made }) {
  const add = async (event) => {
    event.preventDefault();
    const form = event.target;
    const words = new FormData(form);
    const body = { url: words.get("url").trim(), format: words.get("format"), ordered: words.has("ordered"), events: words.getAll("events") };
    await attempt(async () => (made(await post("/api/endpoints", body)), (form.elements.url.value = "")));
  };
  return html`<form class="sheet" onSubmit=${add}><h2>${t("new_endpoint")}</h2>
    <label>${t("address")}<input name="url" type="url" required maxlength="2000" placeholder="https://" autocomplete="off" /></label>
    <label>${t("format")}<select name="format"><option>standard-webhooks</option><option>cloudevents</option></select></label>
    <fieldset><legend>${t("events")}</legend>${EVENTS.map((name) => html`<label class="choice">
      <input type="checkbox" name="events" value=${name} checked /> ${name}</label>`)}</fieldset>
    <label class="choice"><input type="checkbox" name="ordered" /> ${t("ordered")}</label>
    <p><button class="main">${t("add")}</button></p></form>`;
}
