/** Holds answers against the description that the server gives of itself. */
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect } from "vitest";
import type { Answer } from "./running-server.js";

export type ApiCheck = (method: string, path: string, answer: Answer) => void;

/** As much of an OpenAPI document as is looked at here. */
export interface ApiDescription {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { readonly properties: Readonly<Record<string, unknown>> }>>;
  };
}

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example: object }>> };
  readonly tags: readonly string[];
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema?: unknown }>> }>
  >;
}

const methods = ["get", "post", "delete"];

export function createApiCheck(description: ApiDescription): ApiCheck {
  const document = closed(description) as ApiDescription;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, "api");
  const templates = Object.keys(document.paths).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replace("{resource_path}", ".*").replace(/\{\w+\}/g, "[^/]+")}$`),
  }));

  return (method, path, answer) => {
    const { status, headers, json } = answer;
    expect(headers["x-request-id"], `${method} ${path}`).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
    if (status >= 400) expect(headers["content-type"]).toBe("application/problem+json");
    const type = headers["content-type"]?.split(";")[0] ?? "";
    if (type === "application/problem+json" && method !== "HEAD")
      validate("api#/components/schemas/Problem", json);

    const template = templates.find(({ pattern }) => pattern.test(path.split("?")[0]!))?.template;
    const operation =
      document.paths[template ?? ""]?.[method.toLowerCase() === "head" ? "get" : method.toLowerCase()];
    if (template === undefined || operation === undefined) return;
    const described = operation.responses[status];
    expect(described, `${method} ${template} describes ${status}`).toBeDefined();
    const content = described?.content[type];
    expect(content, `${method} ${template} ${status} describes ${type}`).toBeDefined();
    if (content?.schema === undefined || method === "HEAD") return;
    const pointer = ["paths", template, method.toLowerCase(), "responses", status, "content", type, "schema"]
      .map((part) => encodeURIComponent(String(part).replaceAll("~", "~0").replaceAll("/", "~1")))
      .join("/");
    for (const each of type === "text/event-stream" ? eventsIn(answer.text) : [json])
      validate(`api#/${pointer}`, each);
  };

  function validate(reference: string, value: unknown): void {
    const schema = ajv.getSchema(reference);
    if (schema === undefined) throw new Error(`no schema at ${reference}`);
    expect(schema(value), `${JSON.stringify(value)}: ${JSON.stringify(schema.errors)}`).toBe(true);
  }
}

/** The data of server-sent events. */
function eventsIn(text: string): unknown[] {
  return text.match(/(?<=^data: ).*$/gm)?.map((data): unknown => JSON.parse(data)) ?? [];
}

/** The document allows more members than it names, for the future. Here nothing may come that is not described. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, unknown> = Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, closed(each)]),
  );
  if (copy["type"] === "object" && copy["properties"] !== undefined) copy["additionalProperties"] ??= false;
  return copy;
}

export function operations(description: ApiDescription): string[] {
  return Object.entries(description.paths).flatMap(([path, operation]) =>
    methods.filter((method) => method in operation).map((method) => `${method} ${path}`),
  );
}
