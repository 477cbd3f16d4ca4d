// Small pieces that pages are made of.

import { html, signal, useEffect, useSignal } from "./html.js";
import { state, t } from "./words.js";

/** What the last action said when it did not work; shown by the shell until it is closed. */
export const trouble = signal(null);

/** Runs an action; a refusal is shown, not thrown. Answers whether it worked. */
export async function attempt(action) {
  try {
    await action();
    return true;
  } catch (error) {
    trouble.value = error;
    return false;
  }
}

export const Badge = ({ status }) => html`<span class="badge ${status}">${state(status)}</span>`;

export function Bar({ value }) {
  if (value == null) return null;
  const percent = Math.round(value * 100);
  return html`<progress max="100" value=${percent} aria-label=${t("progress")}></progress><small> ${percent}%</small>`;
}

/** A button that is busy while its action runs. */
export function Action({ run, children, kind = "", ask = "" }) {
  const busy = useSignal(false);
  const click = async () => {
    if (busy.value || (ask && !confirm(ask))) return;
    busy.value = true;
    await attempt(run);
    busy.value = false;
  };
  return html`<button type="button" class=${kind} disabled=${busy.value} onClick=${click}>${children}</button>`;
}

export function Copy({ text }) {
  const done = useSignal(false);
  const copy = async () => {
    if (navigator.clipboard && isSecureContext) await navigator.clipboard.writeText(text);
    else copyBySelection(text); // on plain http there is no clipboard
    done.value = true;
    setTimeout(() => (done.value = false), 1500);
  };
  return html`<button type="button" class="quiet" onClick=${copy}>${t(done.value ? "copied" : "copy")}</button>`;
}

function copyBySelection(text) {
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "outside" });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** A list as a table, and a button for what is behind it: `list` of useList, `head` of words, `row` of one. */
export function Rows({ list, head, row, none }) {
  if (list.rows === null) return html`<p class="empty">${t("busy")}</p>`;
  if (!list.rows.length) return html`<p class="empty">${t(none)}</p>`;
  return html`<div class="wide"><table class="rows">
    <thead><tr>${head.map((name) => html`<th scope="col">${t(name)}</th>`)}<th></th></tr></thead>
    <tbody>${list.rows.map(row)}</tbody></table></div>
    ${list.more && html`<p class="center"><${Action} run=${list.further}>${t("further")}<//></p>`}`;
}

/** A secret that was just made: shown until it is put away, and never again. */
export function Secret({ held }) {
  useEffect(() => void (held.value && scrollTo(0, 0)), [held.value]);
  if (!held.value) return null;
  return html`<div class="secret" role="alert"><b>${t("once")}</b> <code>${held.value}</code> <${Copy} text=${held.value} />
    <button type="button" class="quiet" onClick=${() => (held.value = null)}>${t("close")}</button></div>`;
}

/** JSON as text that can be read and copied. */
export function Json({ value }) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return html`<div class="json"><${Copy} text=${text} /><pre tabindex="0">${text}</pre></div>`;
}

/** Runs `load` now and whenever a dependency changes; `value` is null until it has come. */
export function useLoaded(load, dependencies) {
  const held = useSignal(null);
  const again = () => attempt(async () => (held.value = await load()));
  useEffect(() => void again(), dependencies);
  return [held, again];
}

/** A function that runs at most once in `ms`, the last call included. */
export function calm(run, ms) {
  let timer = null;
  return () => (timer ??= setTimeout(() => ((timer = null), run()), ms));
}
