// What dashboards and catalogues elsewhere are given, read by their own parsers: PromQL of docs/grafana, and the entities of
// Backstage, which the provider of docs/embedding.md fetches.

import { parser } from "@prometheus-io/lezer-promql";
import {
  DefaultNamespaceEntityPolicy,
  EntityPolicies,
  FieldFormatEntityPolicy,
  NoForeignRootFieldsEntityPolicy,
  SchemaValidEntityPolicy,
  type Entity,
  resourceEntityV1alpha1Validator,
} from "@backstage/catalog-model";
import { expect, test } from "@playwright/test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { admin } from "../server";

const url = () => process.env.MODEL_REGISTRY_URL ?? "";
const credentials = Buffer.from(`${admin.username}:${admin.password}`).toString("base64");

async function ask(query: string, variables: object = {}) {
  const response = await fetch(`${url()}/graphql`, {
    method: "POST",
    headers: { Authorization: `Basic ${credentials}`, "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  expect(errors).toBeUndefined();
  return data;
}

/** Where a text is no PromQL. */
function mistakes(expression: string): string[] {
  const found: string[] = [];
  parser.parse(expression).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) found.push(`${from}: ${expression.slice(from, to + 10)}`);
    },
  });
  return found;
}

test("each expression of the dashboard is PromQL", () => {
  const dashboard = JSON.parse(readFileSync("../docs/grafana/models.json", "utf8"));
  const targets: { expr: string }[] = dashboard.panels.flatMap((panel: { targets: object[] }) => panel.targets);
  expect(targets).toHaveLength(7);
  for (const { expr } of targets) expect(mistakes(expr), expr).toEqual([]);
  expect(mistakes("sum by (model) (model_registry_models{)")).not.toEqual([]);
});

const policy = EntityPolicies.allOf([
  new SchemaValidEntityPolicy(),
  new DefaultNamespaceEntityPolicy(),
  new NoForeignRootFieldsEntityPolicy(),
  new FieldFormatEntityPolicy(),
]);

test("Backstage takes what the provider of the documentation fetches", async () => {
  const path = "catalogue";
  await ask("mutation($p: String!) { createProject(input: {path: $p, visibility: PRIVATE}) { project { id } } }", { p: path });
  const hostile = [`a "b" - {c} 'd'`, "é".repeat(100), "x".repeat(255), "OCR", "ocr", "--- |", "{{ x }}", "!!null", "&a *b"];
  for (const name of hostile) {
    const tags = [
      { key: "owner", value: name === "ocr" ? "team-a" : name },
      { key: "lifecycle", value: name },
      { key: name.replace(".", ""), value: name.slice(0, 20) },
      { key: "task", value: "OCR v2" },
    ];
    const make = "mutation($p: String!, $n: String!, $d: String!, $t: [TagInput!]!) { createModel(input: {project: $p, name: $n, description: $d, tags: $t}) { model { id } } }";
    await ask(make, { p: path, n: name, d: `${name}: # "x"\u2028\n---\n- y\t: z`, t: tags });
  }
  const token = "mutation($p: String!) { createProjectToken(input: {project: $p, name: \"backstage\", role: GUEST}) { secret } }";
  const { secret } = (await ask(token, { p: path })).createProjectToken;

  const page = readFileSync("../docs/embedding.md", "utf8");
  const [, source] = page.match(/^`modelRegistryProvider\.ts`\n\n```ts\n(.*?)^```/ms) ?? [];
  expect(source.split("\n").length).toBeLessThan(70);
  mkdirSync("test-results", { recursive: true });
  const file = resolve("test-results/modelRegistryProvider.ts");
  writeFileSync(file, source);
  const { ModelRegistryProvider } = await import(pathToFileURL(file).href);

  const mutations: { type: string; entities: { entity: Entity; locationKey: string }[] }[] = [];
  const provide = async (settings: object) => {
    const provider = new ModelRegistryProvider({ url: url(), token: secret, projects: [path], ...settings });
    await provider.connect({ applyMutation: async (mutation: (typeof mutations)[0]) => void mutations.push(mutation) });
    await provider.refresh();
  };
  await provide({});
  expect(mutations).toHaveLength(1);
  const [{ type, entities }] = mutations;
  expect(type).toBe("full");
  expect(entities.map(({ entity }) => entity.metadata.title).sort()).toEqual(hostile.map((name) => `${path}/${name}`).sort());
  for (const { entity } of entities) {
    expect(await policy.enforce(entity), entity.metadata.title).toBeTruthy();
    expect(await resourceEntityV1alpha1Validator.check(entity)).toBe(true);
    expect(entity.metadata.annotations?.["model-registry/path"]).toBe(entity.metadata.title);
    expect(entity.metadata.annotations?.["backstage.io/managed-by-location"]).toBe(`url:${url()}/api/backstage/${path}.yaml`);
  }
  const names = entities.map(({ entity }) => entity.metadata.name.toLowerCase());
  expect(new Set(names).size).toBe(hostile.length);
  const ocr = entities.find(({ entity }) => entity.metadata.name === "catalogue.ocr")?.entity;
  expect(ocr?.spec).toEqual({ type: "ml-model", owner: "team-a", lifecycle: "ocr" });
  expect(ocr?.metadata.tags).toEqual(["ocr:ocr", "task:ocr-v2"]);

  // Of what cannot be read nothing is replaced.
  await expect(provide({ token: "mrt_wrong" })).rejects.toThrow("401");
  await expect(provide({ projects: [path, "gone"] })).rejects.toThrow("404");
  expect(mutations).toHaveLength(1);
});
