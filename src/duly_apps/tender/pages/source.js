// The place of a finding in its document: the page or the lines around it, the quote marked.

import { html, useEffect, useRef } from "../../html.js";
import { get } from "../../api.js";
import { useLoaded } from "../../parts.js";
import { t } from "../../words.js";
import { cut } from "./cut.js";
import { where } from "./findings.js";

export function Source({ id, item, close }) {
  const mark = useRef(null);
  const [found] = useLoaded(() => get(`/api/tender/tasks/${id}/source`, { at: item.start }), [id, item.start]);
  useEffect(() => mark.current?.scrollIntoView({ block: "nearest" }), [found.value]);
  const line = (one) => {
    const parts = cut(one, item);
    if (!parts) return html`<p>${one.text}</p>`;
    return html`<p>${parts[0]}<mark ref=${mark}>${parts[1]}</mark>${parts[2]}</p>`;
  };
  return html`<aside class="source" aria-label=${t("source")}>
    <header class="head"><b>${t("source")}</b> <span>${where(item)}</span><button type="button" class="quiet" onClick=${close}>${t("close")} ✕</button></header>
    <div class="lines" tabindex="0">${found.value ? found.value.passages.map(line) : html`<p>${t("busy")}</p>`}</div></aside>`;
}
