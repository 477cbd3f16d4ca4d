// A new task: its type, its input as JSON, and perhaps a file.

import { html, useSignal } from "./html.js";
import { post } from "./api.js";
import { parsed } from "./format.js";
import { attempt } from "./parts.js";
import { Upload } from "./upload.js";
import { language, t } from "./words.js";

export function Submit() {
  const file = useSignal(null);
  const wrong = useSignal("");
  const busy = useSignal(false);
  const send = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    const input = parsed(given.get("input"));
    wrong.value = input ? "" : t("not_json");
    if (!input || busy.value) return;
    busy.value = true;
    await attempt(async () => {
      const whole = file.value ? { ...input, file: file.value } : input;
      const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) };
      const metadata = { language: language.value };
      const asked = { task_type: given.get("task_type").trim(), input: whole, metadata };
      const task = await post("/api/tasks", asked, { headers });
      location.hash = `#/tasks/${task.id}`;
    });
    busy.value = false;
  };
  return html`<form class="sheet" onSubmit=${send}>
    <h1>${t("new_task")}</h1>
    <label>${t("task_type")}<input name="task_type" required maxlength="100" autocomplete="off" /></label>
    <label>${t("json_input")}<textarea name="input" rows="8" spellcheck="false" aria-describedby="wrong">{}</textarea></label>
    <p id="wrong" class="wrong" role="alert">${wrong.value}</p>
    <p>${t("file")} <small>${t("file_hint")}</small></p>
    <${Upload} onfile=${(one) => (file.value = one)} />
    <p><button class="main" disabled=${busy.value}>${t("submit")}</button></p>
  </form>`;
}
