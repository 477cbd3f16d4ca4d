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
const ENDS = ["completed", "failed", "cancelled"];
const LINES = ("accepted due started blocked unblocked step progress log usage cancel_requested lost handed_back retry"
  + " waiting signalled woken job compacted retried moved aged partial").split(" ");

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

  get = (id) => this.ask(`/api/tasks/${encodeURIComponent(id)}`);
  cancel = (id) => this.ask(`/api/tasks/${encodeURIComponent(id)}/cancel`, { method: "POST" });

  // Without a token a change is proven to come from a page of the session; of another session when refused: once more.
  async ask(path, options = {}, again = false) {
    const headers = { ...this.headers, ...options.headers };
    if (options.method && !headers.Authorization) {
      this.session ??= this.ask("/api/session").catch((error) => ((this.session = null), Promise.reject(error)));
      headers["X-CSRF-Token"] = (await this.session).csrf || "";
    }
    const answer = await fetch(this.url + path, { ...options, headers });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    if (said.code !== "csrf" || again) throw new DulyError(answer.status, said);
    this.session = null;
    return this.ask(path, options, true);
  }

  // Calls onevent(line), onpartial(text, part) and at the end onend(task), or onerror(error); answers how to stop.
  follow(id, { onevent = () => {}, onpartial = () => {}, onend = () => {}, onerror = () => {} } = {}) {
    const stopped = new AbortController();
    const state = { id, seq: 0, place: "", fruitless: 0, signal: stopped.signal };
    const take = (type, text, place) => {
      const said = JSON.parse(text);
      Object.assign(state, { place: place || state.place, fruitless: 0 });
      if (said.seq > state.seq) {
        Object.assign(state, { seq: said.seq, over: ENDS.includes(type) });
        onevent(said);
      } else if (type === "partial" && (said.attempt !== state.attempt || said.part > state.part)) {
        Object.assign(state, { attempt: said.attempt, part: said.part });
        onpartial(said.text, said);
      }
    };
    const told = (tell) => (what) => stopped.signal.aborted || tell(what);
    this.#run(state, take).then(told(onend), told(onerror));
    return () => stopped.abort();
  }

  async #run(state, take) {
    while (!state.signal.aborted) {
      const task = await this.#look(state, take).catch((error) => {
        if (error instanceof DulyError && error.status < 500 && error.status !== 429) throw error;
      });
      if (task) return task;
      await new Promise((done) => setTimeout(done, POLL_MS / (state.polls ? 1 : 4)));
    }
  }

  // The task, if it has ended: what streams is read to its end, and then, or where nothing streams, it is asked for.
  async #look(state, take) {
    state.polls ||= state.fruitless >= FRUITLESS;
    if (!state.polls && !state.over) {
      state.fruitless += 1;
      await (this.EventSource ? this.#source(state, take) : this.#stream(state, take));
      if (!state.over) return null;
    }
    const task = await this.get(state.id); // before its lines: they are all there if it has ended
    const { events } = await this.ask(`/api/tasks/${state.id}/events?after=${state.seq}`);
    events.forEach((line) => take(line.type, JSON.stringify(line), ""));
    state.over = false; // it may have been retried
    return events.length < 1000 && task.completed_at ? task : null;
  }

  // One EventSource to an end; it comes back by itself, unless it errs again and again.
  #source(state, take) {
    return new Promise((done) => {
      const source = new this.EventSource(`${this.url}/api/tasks/${state.id}/events`);
      const end = () => (source.close(), done());
      state.signal.addEventListener("abort", end);
      for (const type of [...LINES, ...ENDS]) {
        source.addEventListener(type, (event) => (take(type, event.data, event.lastEventId), state.over && end()));
      }
      source.onerror = () => (source.readyState === 2 || ++state.fruitless >= FRUITLESS) && end();
    });
  }

  async #stream(state, take) {
    const headers = { ...this.headers, Accept: "text/event-stream", "Last-Event-ID": state.place };
    const answer = await fetch(`${this.url}/api/tasks/${state.id}/events`, { headers, signal: state.signal });
    if (answer.status === 204) return void (state.over = true);
    if (!answer.ok) return; // `get` will be told the same
    let text = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      const frames = (text + chunk).split("\n\n");
      text = frames.pop();
      for (const frame of frames) {
        const lines = frame.split("\n"); // nothing else ends a line: a text may hold U+2028
        const all = (name) => lines.filter((one) => one.startsWith(name)).map((one) => one.slice(name.length)).join("\n");
        if (all("data: ")) take(all("event: "), all("data: "), all("id: "));
      }
    }
  }
}
