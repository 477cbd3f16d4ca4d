// What a running task has said so far: lines of JSON, of which the last one may not be whole yet.

/** Tabs, items and the summary among the lines; `{tabs: [], items: null, summary: ""}` of nothing. */
export function said(text) {
  const found = { tabs: [], items: null, summary: "" };
  for (const line of text.split("\n").slice(0, -1)) {
    let one;
    try { one = JSON.parse(line); } catch { continue; }
    if (one.tab) found.tabs.push(one.tab);
    if (one.items) found.items = one.items;
    if (one.summary) found.summary = one.summary;
  }
  return found;
}
