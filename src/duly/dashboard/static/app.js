// The pages of Duly itself, chosen by the address's fragment: #/tasks?status=…, #/tasks/ID, #/new, #/inbox …

import { Deliveries } from "./deliveries.js";
import { Endpoints } from "./endpoints.js";
import { html, signal, useEffect } from "./html.js";
import { count, Inbox, unread } from "./inbox.js";
import { Keys } from "./keys.js";
import { listen } from "./live.js";
import { calm } from "./parts.js";
import { mount } from "./shell.js";
import { Submit } from "./submit.js";
import { Task } from "./task.js";
import { Tasks } from "./tasks.js";

const place = signal(location.hash);
addEventListener("hashchange", () => {
  place.value = location.hash;
  scrollTo(0, 0);
});

const CALM_MS = 2000;

function Page() {
  const [path, query] = place.value.replace(/^#/, "").split("?");
  const filter = Object.fromEntries(new URLSearchParams(query));
  useEffect(() => (count(), listen(calm(count, CALM_MS))), []);
  const task = /^\/tasks\/([0-9a-f-]{36})$/.exec(path);
  if (task) return html`<${Task} id=${task[1]} />`;
  if (path === "/new") return html`<${Submit} />`;
  if (path === "/deliveries") return html`<${Deliveries} filter=${filter} />`;
  if (path === "/endpoints") return html`<${Endpoints} />`;
  if (path === "/inbox") return html`<${Inbox} />`;
  if (path === "/keys") return html`<${Keys} />`;
  return html`<${Tasks} filter=${filter} />`;
}

mount(Page, {
  links: [
    ["#/tasks", "tasks"], ["#/new", "new_task"], ["#/inbox", "inbox", { count: unread }], ["#/deliveries", "deliveries"],
    ["#/endpoints", "endpoints"], ["#/keys", "keys", { scope: "admin" }],
  ],
});
