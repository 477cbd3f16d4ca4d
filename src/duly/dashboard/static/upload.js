// A control that sends a file at once and answers what a task's input takes.

import { html, useRef, useSignal } from "./html.js";
import { upload } from "./api.js";
import { size } from "./format.js";
import { attempt } from "./parts.js";
import { t } from "./words.js";

/** `onfile` gets {blob, name, size, content_type}, or null when it was taken away. */
export function Upload({ onfile, accept = "" }) {
  const kept = useSignal(null);
  const share = useSignal(null);
  const over = useSignal(false);
  const field = useRef(null);
  const take = async (file) => {
    if (!file || share.value !== null) return;
    share.value = 0;
    await attempt(async () => {
      kept.value = await upload(file, (sent, all) => (share.value = all ? sent / all : 0));
      onfile(kept.value);
    });
    share.value = null;
  };
  const drop = (event) => {
    event.preventDefault();
    over.value = false;
    take(event.dataTransfer.files[0]);
  };
  const drag = (inside) => (event) => (event.preventDefault(), (over.value = inside));
  const remove = () => {
    kept.value = null;
    if (field.current) field.current.value = "";
    onfile(null);
  };
  if (kept.value)
    return html`<p class="file"><span>✓ ${kept.value.name} <small>${size(kept.value.size)}</small></span>
      <button type="button" class="quiet" onClick=${remove}>${t("remove")}</button></p>`;
  return html`<label class="drop ${over.value ? "over" : ""}" onDragOver=${drag(true)} onDragLeave=${drag(false)} onDrop=${drop}>
    <input ref=${field} type="file" accept=${accept} onChange=${(event) => take(event.target.files[0])} />
    ${share.value === null ? t("choose") : html`<span>${t("uploading")} <progress max="1" value=${share.value}></progress></span>`}
  </label>`;
}
