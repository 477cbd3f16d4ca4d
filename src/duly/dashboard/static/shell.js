// What every page stands in: where one is, who one is, language and light, and what went wrong.

import { html, render } from "./html.js";
import { address, get, recall, session, signOut } from "./api.js";
import { mode } from "./live.js";
import { Login } from "./login.js";
import { attempt, trouble, useLoaded } from "./parts.js";
import { language, t, theme } from "./words.js";

/** Puts a page into the shell: `mount(() => html\`…\`, {links: [[href, name]]})`. Pages of apps call this too. A link
 * may have a third part: {scope} that it needs, {count}: a signal of how many are new there. */
export function mount(page, { links = [] } = {}) {
  recall().catch((error) => (trouble.value = error));
  render(html`<${Shell} page=${page} links=${links} />`, document.getElementById("page"));
}

function Shell({ page: Page, links }) {
  const who = session.value;
  return html`<${Top} who=${who} links=${links} />
    <${Trouble} />
    <div class="content">${who === undefined ? html`<p class="empty">${t("busy")}</p>` : who ? html`<${Page} />` : html`<${Login} />`}</div>`;
}

function Top({ who, links }) {
  const dark = () => theme.value === "dark" || (!theme.value && matchMedia("(prefers-color-scheme: dark)").matches);
  return html`<header class="top">
    <a class="brand" href=${address("").href}><img src=${new URL("icon.svg", import.meta.url).href} alt="" width="22" height="22" />Duly</a>
    ${who && html`<nav>${links.map((one) => html`<${Place} who=${who} link=${one} />`)}<${Apps} /></nav>`}
    <div class="tools">
      ${who && html`<span class="mode ${mode.value}" role="status">${t(mode.value)}</span>`}
      <button type="button" class="quiet" onClick=${() => (language.value = language.value === "zh" ? "en" : "zh")}>${t("language")}</button>
      <button type="button" class="quiet" title=${t("theme")} aria-label=${t("theme")} onClick=${() => (theme.value = dark() ? "light" : "dark")}>◐</button>
      ${who && html`<span class="who" title=${t("signed_in_as")}>${who.owner || t("admin")}</span>
        <button type="button" class="quiet" onClick=${() => attempt(signOut)}>${t("sign_out")}</button>`}
    </div>
  </header>`;
}

function Place({ who, link: [to, name, { scope, count } = {}] }) {
  if (scope && !who.scopes.includes(scope)) return null;
  return html`<a href=${to}>${t(name)}${count?.value > 0 && html` <span class="count">${count.value}</span>`}</a>`;
}

/** The apps of this installation; none, and there is no menu. */
function Apps() {
  const [apps] = useLoaded(async () => (await get("/api/apps")).apps, []);
  if (!apps.value?.length) return null;
  const title = (one) => (language.value === "zh" ? one.title_zh : one.title);
  return html`<details class="apps"><summary>${t("apps")}</summary>
    <ul>${apps.value.map((one) => html`<li><a href=${address(`apps/${one.name}/`).href}>${title(one)}</a></li>`)}</ul></details>`;
}

function Trouble() {
  const error = trouble.value;
  if (!error) return null;
  return html`<div class="trouble" role="alert"><b>${error.title || t("failed")}</b> ${error.message}
    <button type="button" class="quiet" onClick=${() => (trouble.value = null)}>${t("close")}</button></div>`;
}
