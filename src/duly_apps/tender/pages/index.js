// The tender desk's pages, chosen by the address's fragment: #/ (hand in, list), #/workload, #/tasks/ID.

import { html, signal } from "../../html.js";
import { mount } from "../../shell.js";
import { Desk } from "./desk.js";
import { Result } from "./result.js";
import "./texts.js";

const sheet = { rel: "stylesheet", href: new URL("tender.css", import.meta.url).href };
document.head.append(Object.assign(document.createElement("link"), sheet));

const place = signal(location.hash);
addEventListener("hashchange", () => {
  place.value = location.hash;
  scrollTo(0, 0);
});

function Page() {
  const task = /^#\/tasks\/([0-9a-f-]{36})$/.exec(place.value);
  if (task) return html`<${Result} id=${task[1]} />`;
  const kind = place.value === "#/workload" ? "workload" : "bidding";
  return html`<${Desk} key=${kind} kind=${kind} />`;
}

mount(Page, { links: [["#/", "bidding"], ["#/workload", "workload"]] });
