// What pages show of times, sizes and lines; run by test_dashboard_modules.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, duration, joined, moment, parsed, ran, said, size } from "../../src/duly/dashboard/static/format.js";

test("a duration has at most two units", () => {
  const known = [[null, "–"], [-5, "0 ms"], [999, "999 ms"], [1000, "1 s"], [92_000, "1 min 32 s"], [3_600_000, "1 h"],
    [3_661_000, "1 h 1 min"], [90_000_000, "1 d 1 h"], [259_200_000, "3 d"]];
  for (const [ms, text] of known) assert.equal(duration(ms), text);
});

test("bytes", () => {
  for (const [bytes, text] of [[0, "0 B"], [1023, "1023 B"], [1536, "1.5 KiB"], [104_857_600, "100.0 MiB"]])
    assert.equal(size(bytes), text);
});

test("a moment is the reader's, and none is nothing", () => {
  assert.match(moment("2026-11-29T15:22:07Z", "zh"), /2026年11月29日/);
  assert.equal(moment(null, "en"), "");
});

test("how long ago", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  assert.equal(ago("2026-11-29T11:59:58Z", "en", now), "2 seconds ago");
  assert.equal(ago("2026-11-29T11:57:00Z", "en", now), "3 minutes ago");
  assert.equal(ago("2026-11-28T12:00:00Z", "en", now), "yesterday");
  assert.equal(ago("2026-11-29T12:00:00Z", "zh", now), "现在");
});

test("an attempt's time runs until it has ended", () => {
  const task = { started_at: "2026-11-29T12:00:00Z", completed_at: null };
  const now = Date.parse("2026-11-29T12:00:05Z");
  assert.equal(ran(task, now), 5000);
  assert.equal(ran({ ...task, completed_at: "2026-11-29T12:00:02Z" }, now), 2000);
  assert.equal(ran({ started_at: null }, now), null);
});

test("another attempt's output begins anew", () => {
  const first = joined({ attempt: 0, text: "" }, { attempt: 1, text: "a" });
  assert.deepEqual(joined(first, { attempt: 1, text: "b" }), { attempt: 1, text: "ab" });
  assert.deepEqual(joined(first, { attempt: 2, text: "c" }), { attempt: 2, text: "c" });
});

test("a line in one line", () => {
  assert.equal(said({ progress: 0.333, message: "page 3" }), "33 % · page 3");
  assert.equal(said({ attempt: 1, error: null, held: { a: 1 } }), 'attempt 1 · held {"a":1}');
});

test("only an object is an input", () => {
  assert.deepEqual(parsed('{"a": 1}'), { a: 1 });
  for (const text of ["", "[]", "1", "null", "{"]) assert.equal(parsed(text), null);
});
