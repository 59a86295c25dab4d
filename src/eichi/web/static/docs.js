// The HTTP interface as its schema describes it: operations by group, what they take and answer, how curl asks for them.

import { el, find, findAll } from "./dom.js";

/** @typedef {Record<string, any>} Schema */

const METHODS = ["get", "post", "put", "delete", "patch"];
const MODELS = "#/components/schemas/";

/**
 * The name of a model that a schema points to.
 * @param {Schema} schema
 */
const named = (schema) => schema.$ref?.startsWith(MODELS) ? schema.$ref.slice(MODELS.length) : null;

/**
 * What a value is, in a few words, with links to models.
 * @param {Schema} schema
 * @returns {HTMLElement}
 */
export function type(schema) {
  const name = named(schema);
  if (name) return el("a", { href: `#model-${name}`, text: name });
  const several = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (several) return joined(several.map(type), " or ");
  if (schema.type === "array") return joined([el("span", { text: "list of" }), type(schema.items ?? {})], " ");
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") {
    return joined([el("span", { text: "table of" }), type(schema.additionalProperties)], " ");
  }
  if (schema.const !== undefined) return el("code", { text: JSON.stringify(schema.const) });
  if (schema.enum) return el("span", { text: schema.enum.map((/** @type {any} */ one) => JSON.stringify(one)).join(", ") });
  const bounds = [["from", schema.minimum], ["to", schema.maximum]].filter(([, value]) => value !== undefined);
  const format = schema.format ?? schema.contentMediaType;
  const text = [schema.type ?? "anything", format && `(${format})`, ...bounds.flat()].filter((one) => one !== undefined);
  return el("span", { text: text.filter(Boolean).join(" ") });
}

/**
 * @param {HTMLElement[]} nodes
 * @param {string} between
 */
function joined(nodes, between) {
  const parts = nodes.flatMap((node, index) => index ? [el("span", { text: between }), node] : [node]);
  return el("span", {}, ...parts);
}

/**
 * A table of named values.
 * @param {{name: string, schema: Schema, required: boolean, text?: string, place?: string}[]} rows
 */
export function table(rows) {
  return el("table", {}, el("tbody", {}, ...rows.map((row) => {
    const standing = row.schema.default;
    const notes = [row.place, row.required ? "required" : null, row.text ?? row.schema.description,
      standing === undefined || standing === null ? null : `Default: ${JSON.stringify(standing)}`];
    return el("tr", {}, el("th", { scope: "row" }, el("code", { text: row.name })), el("td", {}, type(row.schema)),
      el("td", { text: notes.filter(Boolean).join(". ") }));
  })));
}

/**
 * A small value that fits a schema, for an example.
 * @param {Schema} schema
 * @param {Record<string, Schema>} models
 * @param {number} [depth]
 * @returns {any}
 */
export function example(schema, models, depth = 0) {
  const name = named(schema);
  if (name) return example(models[name] ?? {}, models, depth + 1);
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  const first = (schema.anyOf ?? schema.oneOf ?? schema.allOf)?.[0];
  if (first) return example(first, models, depth);
  if (schema.enum) return schema.enum[0];
  if (schema.type === "array") return [];
  if (schema.type === "object") {
    const wanted = schema.required ?? Object.keys(schema.properties ?? {}).filter((key) => ["image", "prompt"].includes(key));
    if (depth > 4) return {};
    return Object.fromEntries(wanted.map((/** @type {string} */ key) => [key, example(schema.properties[key], models, depth + 1)]));
  }
  if (schema.type === "integer" || schema.type === "number") return schema.minimum ?? 1;
  if (schema.type === "boolean") return false;
  return schema.format === "path" ? "upload:…" : "…";
}

/**
 * How curl asks for an operation.
 * @param {string} method
 * @param {string} path
 * @param {Schema} operation
 * @param {Record<string, Schema>} models
 */
export function curl(method, path, operation, models) {
  const lines = [`curl -X ${method.toUpperCase()} '${location.origin}${path}'`];
  const content = operation.requestBody?.content ?? {};
  if (content["multipart/form-data"]) lines.push("-F 'file=@FILE'");
  else if (content["application/json"]) {
    const body = JSON.stringify(example(content["application/json"].schema, models)).replaceAll("'", "'\\''");
    lines.push("-H 'content-type: application/json'", `-d '${body}'`);
  }
  return lines.join(" \\\n  ");
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Schema} operation
 * @param {Record<string, Schema>} models
 */
function drawn(method, path, operation, models) {
  const given = (operation.parameters ?? []).map((/** @type {Schema} */ one) =>
    ({ name: one.name, schema: one.schema, required: Boolean(one.required), text: one.description, place: `in the ${one.in}` }));
  const bodies = Object.entries(operation.requestBody?.content ?? {});
  const answers = Object.entries(operation.responses ?? {}).flatMap(([status, answer]) => {
    const kinds = Object.entries(answer.content ?? { "": { schema: {} } });
    return kinds.map(([kind, one]) => el("tr", {}, el("th", { scope: "row", text: status }), el("td", { text: kind }),
      el("td", {}, one.schema ? type(one.schema) : ""), el("td", { text: answer.description ?? "" })));
  });
  const words = `${method} ${path} ${operation.summary ?? ""} ${operation.description ?? ""}`.toLowerCase();
  return el("details", { id: operation.operationId, dataset: { words } },
    el("summary", {}, el("span", { class: "method", text: method.toUpperCase() }), el("code", { text: path }),
      el("span", { text: operation.summary ?? "" })),
    operation.description ? el("p", { text: operation.description }) : null,
    given.length ? el("h3", { text: "Parameters" }) : null,
    given.length ? table(given) : null,
    ...bodies.flatMap(([kind, one]) => [el("h3", { text: `Body: ${kind}` }), el("p", {}, type(one.schema))]),
    el("h3", { text: "Answers" }), el("table", {}, el("tbody", {}, ...answers)),
    el("h3", { text: "Example" }), el("pre", {}, el("code", { text: curl(method, path, operation, models) })));
}

/**
 * @param {string} name
 * @param {Schema} model
 */
function model(name, model) {
  const required = new Set(model.required ?? []);
  const rows = Object.entries(model.properties ?? {})
    .map(([key, schema]) => ({ name: key, schema, required: required.has(key) }));
  return el("details", { id: `model-${name}`, dataset: { words: name.toLowerCase() } },
    el("summary", {}, el("code", { text: name })),
    model.description ? el("p", { text: model.description }) : null,
    rows.length ? table(rows) : el("p", {}, type(model)));
}

/** Open what an address within the page names. */
function open() {
  const node = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (node instanceof HTMLDetailsElement) {
    node.open = true;
    node.scrollIntoView();
  }
}

/**
 * Put a schema into the page.
 * @param {Schema} schema
 */
export function draw(schema) {
  const models = schema.components?.schemas ?? {}, groups = new Map();
  for (const [path, operations] of Object.entries(schema.paths)) {
    for (const method of METHODS.filter((one) => operations[one])) {
      const group = operations[method].tags?.[0] ?? "other";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(drawn(method, path, operations[method], models));
    }
  }
  const parts = [...groups].map(([group, nodes]) =>
    el("section", {}, el("h2", { id: `group-${group}`, text: group }), ...nodes));
  find("#operations").replaceChildren(...parts);
  find("#tags").replaceChildren(...[...groups.keys()].map((group) => el("a", { href: `#group-${group}`, text: group })));
  find("#schemas").replaceChildren(...Object.entries(models).map(([name, one]) => model(name, one)));
  open();
}

find("#search").addEventListener("input", (/** @type {InputEvent} */ event) => {
  const wanted = /** @type {HTMLInputElement} */ (event.target).value.trim().toLowerCase();
  for (const node of findAll("details")) node.hidden = !node.dataset.words.includes(wanted);
  for (const node of findAll("#operations section")) node.hidden = !node.querySelector("details:not([hidden])");
});
addEventListener("hashchange", open);

const answer = await fetch("/api/openapi.json");
if (answer.ok) draw(await answer.json());
else find("#operations").replaceChildren(el("p", { text: `openapi.json: ${answer.status}` }));
