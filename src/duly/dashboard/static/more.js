// A list that grows by pages, as the server's cursors lead; kept by the page that shows it.

import { useEffect, useSignal } from "./html.js";
import { get } from "./api.js";
import { attempt } from "./parts.js";

const PAGE = 50;

/** Rows of `path`, found under `name` in its answers; `look` reads anew what is shown, `further` adds a page. */
export function useList(path, name, params = {}) {
  const held = useSignal(null); // {rows, next}: both of one moment, whichever answer comes last
  const page = async ({ rows, next }) => {
    const said = await get(path, { limit: PAGE, ...params, cursor: next });
    return { rows: [...rows, ...said[name]], next: said.next_cursor };
  };
  const look = () => attempt(async () => {
    const shown = held.value?.rows.length ?? 0;
    let found = await page({ rows: [] });
    while (found.next && found.rows.length < shown) found = await page(found);
    held.value = found;
  });
  const further = async () => (held.value = await page(held.value));
  useEffect(() => {
    held.value = null;
    look();
  }, [path, JSON.stringify(params)]);
  return { rows: held.value?.rows ?? null, more: Boolean(held.value?.next), look, further };
}
