// The tabs of an analysis: each finding with its quote and the place it stands on.

import { html, useSignal } from "../../html.js";
import { t } from "../../words.js";

/** "p. 4" or "第 4 页"; sheet and row of a spreadsheet; a paragraph where there are no pages. */
export function where(item) {
  if (item.page != null && item.paragraph != null) return `${t("sheet_of")} ${item.page} · ${item.paragraph}`;
  if (item.page != null) return `${t("page_of")} ${item.page} ${t("page_end")}`.trim();
  return item.paragraph == null ? "" : `${t("paragraph_of")} ${item.paragraph} ${t("paragraph_end")}`.trim();
}

export function Findings({ tabs, jump, shown }) {
  const chosen = useSignal(tabs[0].key);
  const tab = tabs.find((one) => one.key === chosen.value) ?? tabs[0];
  const count = (one) => one.items.filter((item) => item.value !== null).length;
  return html`<div class="tabs" role="tablist" aria-label=${t("sections")}>${tabs.map((one) => html`<button type="button" class="chip" role="tab"
      aria-selected=${one === tab} aria-current=${one === tab ? "true" : null} onClick=${() => (chosen.value = one.key)}>${one.title} <small>${count(one)}</small></button>`)}</div>
    <div role="tabpanel" aria-label=${tab.title}><table class="findings"><tbody>
      ${tab.items.map((item) => html`<${Finding} item=${item} jump=${jump} on=${item === shown} />`)}</tbody></table></div>`;
}

function Finding({ item, jump, on }) {
  if (item.value === null) return html`<tr class="absent"><th scope="row">${item.label}</th><td>${t("not_found")}</td><td></td></tr>`;
  return html`<tr class=${on ? "on" : ""}><th scope="row">${item.label}</th>
    <td>${item.value}${item.quote !== item.value && html`<blockquote>${item.quote}</blockquote>`}</td>
    <td class="place"><button type="button" class="quiet jump" title=${t("show_source")} onClick=${() => jump(item)}>${where(item)} ↗</button></td></tr>`;
}
