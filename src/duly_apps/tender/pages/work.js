// The work items of a split: days, roles, what waits for what, what was assumed; and the sums.

import { html } from "../../html.js";
import { t } from "../../words.js";
import { where } from "./findings.js";

const short = (days) => Math.round(days * 10) / 10;
const range = (one) => (one.low === one.high ? `${short(one.low)}` : `${short(one.low)}–${short(one.high)}`);

export function Work({ items, totals, jump, shown }) {
  return html`${totals && html`<${Sums} totals=${totals} />`}
    <h2>${t("items")} <small>${items.length}</small></h2>
    <table class="work"><thead><tr>${["item", "days", "roles", "waits_for", "assumptions"].map((name) => html`<th scope="col">${t(name)}</th>`)}<th></th></tr></thead>
      <tbody>${items.map((item) => html`<${Item} item=${item} jump=${jump} on=${item === shown} />`)}</tbody></table>`;
}

function Item({ item, jump, on }) {
  const roles = item.roles.map((one) => `${t(one.role)} ${range(one)}`).join(" · ");
  return html`<tr id=${item.id} class=${on ? "on" : ""}>
    <td><small class="id">${item.id} ${item.module}</small><br />${item.title}</td>
    <td class="days">${range(item.estimate)}${item.basis === "stated" && html`<br /><small>${t("stated")}</small>`}</td>
    <td><small>${roles}</small></td>
    <td>${item.depends_on.map((link) => html`<span class="tag" title=${link.why}>${link.id}</span>`)}</td>
    <td><small>${item.assumptions.join(" ")}</small></td>
    <td class="place"><button type="button" class="quiet jump" title=${t("show_source")} onClick=${() => jump(item)}>${where(item)} ↗</button></td>
  </tr>`;
}

function Sums({ totals }) {
  return html`<section class="sums"><h2>${t("by_role")}</h2><dl>
    ${totals.roles.map((one) => html`<dt>${t(one.role)}</dt><dd>${range(one)}</dd>`)}
    <dt><b>${t("total")}</b></dt><dd><b>${range(totals)}</b> ${t("days")}</dd>
    <dt>${t("chain")}</dt><dd>${range(totals.chain)} <small>${totals.chain.ids.join(" → ")}</small></dd></dl></section>`;
}
