// The pages of Duly itself, chosen by the address's fragment: #/tasks?status=…, #/tasks/ID, #/new.

import { html, signal } from "./html.js";
import { mount } from "./shell.js";
import { Submit } from "./submit.js";
import { Task } from "./task.js";
import { Tasks } from "./tasks.js";

const place = signal(location.hash);
addEventListener("hashchange", () => {
  place.value = location.hash;
  scrollTo(0, 0);
});

function Page() {
  const [path, query] = place.value.replace(/^#/, "").split("?");
  const task = /^\/tasks\/([0-9a-f-]{36})$/.exec(path);
  if (task) return html`<${Task} id=${task[1]} />`;
  if (path === "/new") return html`<${Submit} />`;
  return html`<${Tasks} filter=${Object.fromEntries(new URLSearchParams(query))} />`;
}

mount(Page, { links: [["#/tasks", "tasks"], ["#/new", "new_task"]] });
