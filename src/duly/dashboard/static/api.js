// Requests to the server this page came from: the session's cookie goes along, and its proof against forgery.

import { signal } from "./html.js";
import { language } from "./words.js";

/** Where the server answers, also behind a prefix: this file lies at <base>/static/<version>/api.js. */
export const BASE = new URL("../../", import.meta.url);

/** Who is signed in: undefined until it is known, null for nobody. */
export const session = signal(undefined);

/** What the server refused, with its status, code and words (RFC 9457). */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.title = problem.title ?? "";
  }
}

export function address(path, params = {}) {
  const url = new URL(path.replace(/^\//, ""), BASE);
  for (const [name, value] of Object.entries(params)) if (value != null && value !== "") url.searchParams.set(name, value);
  return url;
}

/** The headers that every unsafe request must carry. */
export const proof = () => (session.value?.csrf ? { "X-CSRF-Token": session.value.csrf } : {});

/** Asks the server; answers its JSON. Throws a Problem, or a TypeError when nobody answers. */
export async function request(method, path, { body, params, headers, signal: until } = {}) {
  const given = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(address(path, params), {
    method,
    headers: { Accept: "application/json", "Accept-Language": language.value, ...given, ...proof(), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    signal: until,
  });
  const text = await response.text();
  const said = text && /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : {};
  if (response.ok) return said;
  if (response.status === 401 && path !== "/api/session") session.value = null;
  throw new Problem(response.status, said);
}

export const get = (path, params, options) => request("GET", path, { params, ...options });
export const post = (path, body, options) => request("POST", path, { body, ...options });

/** Finds out who is signed in. */
export async function recall() {
  const said = await get("/api/session");
  session.value = said.signed_in ? said : null;
}

/** Signs in with a token; throws a Problem when it is not accepted. */
export async function signIn(token) {
  session.value = await post("/api/session", { token });
}

export async function signOut() {
  await request("DELETE", "/api/session");
  session.value = null;
}

/** Sends a file; `told` hears how many of how many bytes have left. Answers what goes into a task's input. */
export function upload(file, told = () => {}) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest(); // fetch tells nothing of an upload's progress
    sending.open("POST", address("/api/uploads"));
    sending.responseType = "json";
    sending.setRequestHeader("Accept-Language", language.value);
    for (const [name, value] of Object.entries(proof())) sending.setRequestHeader(name, value);
    sending.upload.onprogress = (event) => told(event.loaded, event.total);
    sending.onerror = () => reject(new TypeError("no connection"));
    sending.onload = () =>
      sending.status < 300 ? resolve(sending.response) : reject(new Problem(sending.status, sending.response ?? {}));
    const form = new FormData();
    form.append("file", file);
    sending.send(form);
  });
}
