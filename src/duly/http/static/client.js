// Duly in a page: submit a task, follow it to its end. No dependency; served at /client.js.
//
//   import { Duly } from "/client.js";
//   const duly = new Duly();                      // this host, the page's own session
//   const task = await duly.submit("company.report", { company: "ACME" });
//   const stop = duly.follow(task.id, { onpartial: (text) => show(text), onend: (task) => done(task) });
//
// With `new Duly({ url, token })` (a program, another host) lines are read by fetch, for an EventSource sends no
// token. Where nothing streams the task is asked for every second.

const POLL_MS = 1000;
const FRUITLESS = 3;

export class DulyError extends Error {
  constructor(status, problem) {
    super(problem.detail || `the server answered ${status}`);
    Object.assign(this, { status, code: problem.code || "error", errors: problem.errors || [] });
  }
}

export class Duly {
  constructor({ url = "", token = "", headers = {}, EventSource = globalThis.EventSource } = {}) {
    this.url = url.replace(/\/$/, "");
    this.headers = token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
    this.EventSource = token ? undefined : EventSource;
  }

  // The accepted task. The same key again is the same task.
  submit(taskType, input = {}, { key = crypto.randomUUID(), ...options } = {}) {
    const body = JSON.stringify({ task_type: taskType, input, ...options });
    const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
    return this.ask("/api/tasks", { method: "POST", headers, body });
  }

  get(id) {
    return this.ask(`/api/tasks/${encodeURIComponent(id)}`);
  }

  cancel(id) {
    return this.ask(`/api/tasks/${encodeURIComponent(id)}/cancel`, { method: "POST" });
  }

  async ask(path, { headers = {}, ...options } = {}) {
    const answer = await fetch(this.url + path, { ...options, headers: { ...this.headers, ...headers } });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new DulyError(answer.status, said);
    return said;
  }

  // Calls onevent(line), onpartial(text, part) and at the end onend(task), or onerror(error); answers how to stop.
  follow(id, { onevent = () => {}, onpartial = () => {}, onend = () => {}, onerror = () => {} } = {}) {
    const stopped = new AbortController();
    const state = { id, seq: 0, place: "", fruitless: 0, signal: stopped.signal };
    const take = (type, text, place) => {
      const said = JSON.parse(text);
      Object.assign(state, { place: place || state.place, fruitless: 0 });
      if (type !== "partial") {
        if (said.seq > state.seq) onevent(((state.seq = said.seq), said));
      } else if (said.attempt !== state.attempt || said.part > state.part) {
        Object.assign(state, { attempt: said.attempt, part: said.part });
        onpartial(said.text, said);
      }
    };
    this.#run(state, take).then((task) => task && onend(task), (error) => stopped.signal.aborted || onerror(error));
    return () => stopped.abort();
  }

  async #run(state, take) {
    while (!state.signal.aborted) {
      if (state.fruitless < FRUITLESS) {
        state.fruitless += 1;
        await (this.EventSource ? this.#source(state, take) : this.#stream(state, take)).catch((error) => {
          if (error instanceof DulyError && error.status < 500 && error.status !== 429) throw error;
        });
        if (state.over) return this.get(state.id);
      } else {
        const task = await this.get(state.id); // before its lines: they are all there if it has ended
        const page = await this.ask(`/api/tasks/${state.id}/events?after=${state.seq}`);
        page.events.forEach((line) => take(line.type, JSON.stringify(line), ""));
        state.fruitless = FRUITLESS;
        if (task.completed_at && page.events.length < 1000) return task;
      }
      await new Promise((done) => setTimeout(done, POLL_MS / (state.fruitless < FRUITLESS ? 4 : 1)));
    }
    return null;
  }

  // One EventSource to the task's end; it comes back by itself, unless it errs again and again.
  #source(state, take) {
    const types = "accepted due started blocked unblocked step progress log usage cancel_requested lost handed_back"
      + " retry waiting signalled woken job compacted completed failed cancelled retried moved aged partial";
    return new Promise((done) => {
      const source = new this.EventSource(`${this.url}/api/tasks/${state.id}/events`);
      const end = () => (source.close(), done());
      state.signal.addEventListener("abort", end);
      for (const type of types.split(" ")) {
        source.addEventListener(type, (event) => take(type, event.data, event.lastEventId));
      }
      for (const type of ["completed", "failed", "cancelled"]) {
        source.addEventListener(type, () => ((state.over = true), end()));
      }
      source.onerror = () => {
        if (source.readyState === 2 || ++state.fruitless >= FRUITLESS) end();
      };
    });
  }

  async #stream(state, take) {
    const headers = { ...this.headers, Accept: "text/event-stream", "Last-Event-ID": state.place };
    const answer = await fetch(`${this.url}/api/tasks/${state.id}/events`, { headers, signal: state.signal });
    if (answer.status === 204) return void (state.over = true);
    if (!answer.ok) throw new DulyError(answer.status, await answer.json().catch(() => ({})));
    if (!(answer.headers.get("content-type") || "").startsWith("text/event-stream")) return;
    let text = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      const frames = (text + chunk).split("\n\n");
      text = frames.pop();
      for (const frame of frames) {
        const field = (name) => frame.match(new RegExp(`^${name}: ?(.*)$`, "m"))?.[1];
        const data = [...frame.matchAll(/^data: ?(.*)$/gm)].map((match) => match[1]).join("\n");
        if (data) take(field("event"), data, field("id"));
      }
    }
  }
}
