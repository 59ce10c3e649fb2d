// The API's page: /openapi.json made readable, and every GET made to try.

function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const main = document.getElementById("main");
let api;

const resolve = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split("/").at(-1)] : schema ?? {});
const named = (schema) => schema.$ref?.split("/").at(-1);

// A schema in a few words: "integer or null, 1 to 200".
function words(schema) {
  if (!schema) return "anything";
  if (schema.$ref) return named(schema);
  if (schema.anyOf) return schema.anyOf.map(words).join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  if (schema.prefixItems) return `[${schema.prefixItems.map(words).join(", ")}]`;
  if (schema.type === "array") return `list of ${words(schema.items)}`;
  if (schema.type === "object" && schema.additionalProperties) return `object of ${words(schema.additionalProperties)}`;
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  const bounds = low !== undefined && high !== undefined && high < 2 ** 53 ? `, ${low} to ${high}` : low !== undefined ? `, from ${low}` : "";
  return `${schema.type ?? "anything"}${bounds}`;
}

// Text with `code` in it.
const prose = (text) => (text ?? "").split(/`([^`]+)`/).map((part, i) => (i % 2 ? h("code", {}, part) : part));
const cell = (text) => h("td", {}, ...prose(text));
const heads = (...names) => h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name))));

function fields(schema, seen = new Set()) {
  const name = named(schema ?? {});
  const model = resolve(schema);
  if (!model.properties || seen.has(name)) return [];
  seen.add(name);
  const rows = Object.entries(model.properties).map(([field, of]) =>
    h("tr", {}, h("th", { scope: "row", class: "row" }, h("code", {}, field)), cell(words(of)), cell(of.description)));
  const table = h("div", { class: "scroll" }, h("table", {}, heads("Field", "Type", "Meaning"), h("tbody", {}, ...rows)));
  const inner = Object.values(model.properties).flatMap((of) => [of, of.items, ...(of.anyOf ?? []).flatMap((it) => [it, it.items])]);
  return [h("h3", {}, name ?? "Fields"), model.description ? h("p", {}, ...prose(model.description)) : null, table,
    ...inner.filter((it) => it?.$ref).flatMap((it) => fields(it, seen))];
}

function operation(path, method, about) {
  const inputs = [];
  const parameters = (about.parameters ?? []).map((parameter) => {
    const id = `${path}:${parameter.name}`;
    const input = h("input", { id, name: parameter.name, required: parameter.required, placeholder: parameter.schema?.default ?? "", autocomplete: "off", spellcheck: "false" });
    inputs.push([parameter, input]);
    return h("tr", {}, h("th", { scope: "row", class: "row" }, h("label", { for: id }, h("code", {}, parameter.name), parameter.required ? " (required)" : "")),
      h("td", {}, words(parameter.schema), h("p", {}, ...prose(parameter.description ?? parameter.schema?.description))), h("td", {}, input));
  });
  const answers = Object.entries(about.responses ?? {});
  const success = answers.find(([code]) => code.startsWith("2"))?.[1];
  const schema = success?.content?.["application/json"]?.schema;
  const streams = Boolean(success?.content?.["text/event-stream"]);
  const result = h("pre", { tabindex: "0", hidden: true, "aria-label": "Answer" });
  const state = h("p", { role: "status" });

  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    let url = path;
    const query = new URLSearchParams();
    for (const [parameter, input] of inputs) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "") query.set(parameter.name, input.value);
    }
    if (query.size) url += `?${query}`;
    state.textContent = `GET ${url}`;
    try {
      const began = performance.now();
      const response = await fetch(url, { signal: AbortSignal.timeout(streams ? 3500 : 15000) });
      let text = "";
      if (streams && response.ok) text = await listen(response);
      else text = await response.text();
      if (response.headers.get("content-type")?.includes("json")) text = JSON.stringify(JSON.parse(text), null, 2);
      state.textContent = `GET ${url}: ${response.status} in ${Math.round(performance.now() - began)} ms`;
      result.textContent = text.length > 50000 ? `${text.slice(0, 50000)}\n(cut after 50,000 characters)` : text;
      result.hidden = false;
    } catch (error) {
      state.textContent = `GET ${url} failed: ${error.message}`;
    }
  } }, parameters.length ? h("div", { class: "scroll" }, h("table", {}, heads("Parameter", "Type", "Value"), h("tbody", {}, ...parameters))) : null,
  h("p", { class: "more" }, h("button", { type: "submit" }, "Try it")));

  return h("details", { id: `${method} ${path}` },
    h("summary", {}, h("b", {}, method.toUpperCase()), h("code", {}, path), h("span", {}, ...prose((about.description ?? about.summary ?? "").split("\n")[0]))),
    h("div", { class: "inside" },
      h("p", {}, ...prose(about.description)),
      method === "get" ? form : null, state, result,
      schema ? h("h3", {}, `Answer: ${words(schema)}`) : null,
      ...(schema ? fields(schema.items ?? schema).slice(schema.$ref ? 1 : 0) : []),
      h("h3", {}, "Status"),
      h("table", {}, h("tbody", {}, ...answers.map(([code, answer]) => h("tr", {}, h("th", { scope: "row", class: "row" }, code), cell(answer.description)))))));
}

// The first seconds of a stream.
async function listen(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
  } catch { /* its time is over */ }
  return text;
}

try {
  api = await (await fetch("/openapi.json")).json();
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const tag = about.tags?.[0] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), operation(path, method, about)]);
    }
  }
  const order = ["figures", "games", "knowledge", "service"];
  const sorted = [...groups].sort(([a], [b]) => (order.indexOf(a) + 99) % 99 - (order.indexOf(b) + 99) % 99);
  main.replaceChildren(
    h("p", { class: "lead" }, ...prose(api.info.description)),
    ...sorted.map(([tag, operations]) => h("section", { "aria-label": tag }, h("h2", {}, tag[0].toUpperCase() + tag.slice(1)), ...operations)));
} catch (error) {
  document.getElementById("state").textContent = `The description could not be read: ${error.message}`;
}
