// The HTTP interface, as any program uses it. An answer that is none of ours is a `Refused` with its own sentence.

import { language, say } from "./words.js";

const BASE = "/api/v1/";

/** What was refused: the id and sentence of the error, the option that it is about, what fills it. */
export class Refused extends Error {
  /** @param {{id?: string, message?: string, key?: string | null, values?: Record<string, any>}} said @param {number} status */
  constructor(said, status) {
    super(said.message || say("page.unanswered"));
    this.id = said.id ?? "";
    this.key = said.key ?? said.values?.key ?? null;
    this.values = said.values ?? {};
    this.status = status;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} [body]
 * @param {{signal?: AbortSignal, once?: string}} [more] `once` makes a repeated call do nothing new
 */
async function call(method, path, body, more = {}) {
  const form = body instanceof FormData, headers = { "eichi-language": language(), accept: "application/json" };
  if (body !== undefined && !form) headers["content-type"] = "application/json";
  if (more.once) headers["idempotency-key"] = more.once;
  let answer;
  try {
    const sent = form ? body : body === undefined ? undefined : JSON.stringify(body);
    answer = await fetch(BASE + path, { method, headers, body: sent, signal: more.signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused({ id: "page.unanswered" }, 0);
  }
  if (answer.status === 204) return null;
  const json = answer.headers.get("content-type")?.startsWith("application/json");
  let said;
  try {
    said = json ? await answer.json() : await answer.blob();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused({ id: "page.unanswered" }, 0); // it was cut off
  }
  if (!answer.ok) throw new Refused(json ? said : {}, answer.status);
  return said;
}

/** @param {string} path @param {{signal?: AbortSignal}} [more] @returns {Promise<any>} */
export const get = (path, more) => call("GET", path, undefined, more);
/** @param {string} path @param {any} [body] @param {{signal?: AbortSignal, once?: string}} [more] @returns {Promise<any>} */
export const post = (path, body, more) => call("POST", path, body, more);
/** @param {string} path @param {any} [body] @returns {Promise<any>} */
export const put = (path, body) => call("PUT", path, body);
/** @param {string} path @returns {Promise<any>} */
export const del = (path) => call("DELETE", path);

/**
 * Give a file; other fields go with it.
 * @param {string} path
 * @param {Blob} file
 * @param {Record<string, string>} [fields]
 * @returns {Promise<any>}
 */
export async function upload(path, file, fields = {}) {
  try {
    await file.slice(0, 1).arrayBuffer(); // a folder, or a file that is gone since, is none
  } catch {
    throw new Refused({ id: "page.unreadable", message: say("page.unreadable", { name: /** @type {File} */ (file).name }) }, 0);
  }
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file, /** @type {File} */ (file).name || "picture.png");
  return call("POST", path, form);
}

/**
 * Whether a text is the id of a file of the server. What an address or another page brings along is nothing else: a path
 * would be opened by the program on behalf of who sits here.
 * @param {string | null} text
 */
export const isId = (text) => /^(?:upload:[0-9a-f]{32}|(?:result|lora):[0-9a-f]{16}|job:[1-9]\d{0,8}\/[^/\\]+)$/.test(text ?? "");

/**
 * Where a picture that was given is shown from, at most so many pixels wide and high.
 * @param {string} id
 * @param {256 | 1024} [most]
 */
export function pictureUrl(id, most = 256) {
  return id.startsWith("upload:") ? `${BASE}pictures/${id.slice(7)}?size=${most}` : `${BASE}refs/${id}/picture?size=${most}`;
}

/**
 * The address of something below the interface, in the language of the page.
 * @param {string} path
 */
export const address = (path) => BASE + path;

/** A name that nobody else has; `crypto.randomUUID` is only there on a safe connection. */
export function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Let the browser save something under a name.
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
