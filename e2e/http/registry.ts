// What tests of clients say to the registry themselves.

import { admin } from "../server";

export const registry = process.env.MODEL_REGISTRY_URL!;

const basic = `Basic ${Buffer.from(`${admin.username}:${admin.password}`).toString("base64")}`;

/** What the admin's operation gives. */
export async function ask(query: string, variables: object = {}, url = registry): Promise<any> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { Authorization: basic, "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

export async function createModel(project: string, name: string, url = registry): Promise<string> {
  await ask("mutation($p: String!) { createProject(input: {path: $p}) { project { id } } }", { p: project }, url);
  const create = "mutation($p: String!, $n: String!) { createModel(input: {project: $p, name: $n}) { model { path } } }";
  return (await ask(create, { p: project, n: name }, url)).createModel.model.path;
}

export async function describe(model: string, text: string, url = registry): Promise<void> {
  const update = "mutation($m: String!, $d: String!) { updateModel(input: {model: $m, description: $d}) { model { id } } }";
  await ask(update, { m: model, d: text }, url);
}

/** Headers with a new token of the admin's. */
export async function withToken(url = registry): Promise<Record<string, string>> {
  const create = 'mutation { createToken(input: {name: "clients", scope: WRITE}) { secret } }';
  return { Authorization: `Bearer ${(await ask(create, {}, url)).createToken.secret}` };
}
