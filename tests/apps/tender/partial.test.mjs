// What a running task has said so far; run by test_tender_pages.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { said } from "../../../src/duly_apps/tender/pages/partial.js";

test("whole lines only, in their order", () => {
  const lines = ['{"tab": {"key": "a"}}', '{"tab": {"key": "b"}}', '{"summary": "s"}'].join("\n") + "\n";
  assert.deepEqual(said(lines + '{"tab": {"ke'), { tabs: [{ key: "a" }, { key: "b" }], items: null, summary: "s" });
});

test("what is no JSON is passed over", () => {
  assert.deepEqual(said("[marked]\n{}\n"), { tabs: [], items: null, summary: "" });
});
