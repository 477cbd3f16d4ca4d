// API keys: make, rotate, revoke. A key's text is shown once, and kept nowhere.

import { html, useSignal } from "./html.js";
import { post, request } from "./api.js";
import { ago, moment } from "./format.js";
import { useList } from "./more.js";
import { Action, attempt, Rows, Secret } from "./parts.js";
import { language, t } from "./words.js";

const ROLES = ["viewer", "user", "operator", "admin"];
const DAYS = ["30", "90", "365", ""];

export function Keys() {
  const list = useList("/api/keys", "keys");
  const secret = useSignal(null);
  return html`<section><h1>${t("keys")}</h1>
    <${Secret} held=${secret} />
    <${Rows} list=${list} none="no_keys" head=${["state", "name", "role", "used", "expires"]}
      row=${(one) => html`<${Row} key=${one.id} one=${one} changed=${list.look} secret=${secret} />`} />
    <${Add} made=${(one) => ((secret.value = one.key), list.look())} />
  </section>`;
}

const standing = (one) => {
  if (one.revoked_at) return "revoked";
  return one.expires_at && new Date(one.expires_at) <= new Date() ? "expired" : "good";
};

function Row({ one, changed, secret }) {
  const now = language.value, stands = standing(one);
  const rotate = async () => ((secret.value = (await post(`/api/keys/${one.id}/rotate`)).key), await changed());
  const revoke = async () => (await request("DELETE", `/api/keys/${one.id}`), changed());
  return html`<tr>
    <td><span class="badge ${stands === "good" ? "delivered" : "dead"}">${t(stands)}</span></td>
    <td>${one.name} <small class="id">${one.id}</small></td>
    <td>${one.role} <small>${[one.tenant, one.owner].filter(Boolean).join(" / ")} ${one.scopes.join(" ")}</small></td>
    <td>${one.used_at ? ago(one.used_at, now) : t("never")}</td>
    <td>${one.expires_at ? moment(one.expires_at, now) : t("never")}</td>
    <td class="actions">${stands !== "revoked" && html`
      <${Action} run=${rotate} ask=${t("sure_rotate")}>${t("rotate")}<//>
      <${Action} run=${revoke} ask=${t("sure_revoke")} kind="danger">${t("revoke")}<//>`}</td>
  </tr>`;
}

function Add({ made }) {
  const add = async (event) => {
    event.preventDefault();
    const form = event.target;
    const words = Object.fromEntries(new FormData(form));
    const lifetime = words.days ? Number(words.days) * 86_400 : null;
    const body = { name: words.name.trim(), owner: words.owner.trim(), tenant: words.tenant.trim(), role: words.role, lifetime };
    await attempt(async () => (made(await post("/api/keys", body)), (form.elements.name.value = "")));
  };
  return html`<form class="sheet" onSubmit=${add}><h2>${t("new_key")}</h2>
    <label>${t("name")}<input name="name" required maxlength="100" autocomplete="off" /></label>
    <div class="fields"><label>${t("owner")}<input name="owner" maxlength="64" autocomplete="off" /></label>
    <label>${t("tenant")}<input name="tenant" maxlength="64" autocomplete="off" /></label>
    <label>${t("role")}<select name="role">${ROLES.map((name) => html`<option selected=${name === "user"}>${name}</option>`)}</select></label>
    <label>${t("expires")}<select name="days">${DAYS.map((days) => html`<option value=${days} selected=${days === "90"}>${days ? `${days} d` : t("never")}</option>`)}</select></label></div>
    <p><button class="main">${t("add")}</button></p></form>`;
}
