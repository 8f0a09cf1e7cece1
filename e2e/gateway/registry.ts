// What the tests say to the registry: people's own words, without a gateway.

import { admin } from "../server";

const url = process.env.MODEL_REGISTRY_URL!;

export type Answer = { data?: any; errors?: { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[] };

/** What `POST /graphql` answers to this token; to the admin, unless told. */
export async function ask(query: string, variables: object = {}, authorization = basic): Promise<any> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { Authorization: authorization, "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors }: Answer = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

const basic = `Basic ${Buffer.from(`${admin.username}:${admin.password}`).toString("base64")}`;

export type Model = { id: string; path: string; version: string; alias: string };

const CREATE = `mutation($project: String!, $name: String!, $path: String!) {
  createModel(input: {project: $project, name: $name}) { model { id path } }
  createModelVersion(input: {model: $path, version: "1.0.0"}) { modelVersion { id } }
  setAlias(input: {model: $path, name: "champion", version: "1.0.0"}) { alias { ref } } }`;

/** A project with as many models as that, each with version 1.0.0, which is its champion. */
export async function createModels(project: string, count: number): Promise<Model[]> {
  await ask("mutation($path: String!) { createProject(input: {path: $path}) { project { path } } }", { path: project });
  return Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const name = `m${number}`;
      const made = await ask(CREATE, { project, name, path: `${project}/${name}` });
      return { ...made.createModel.model, version: made.createModelVersion.modelVersion.id, alias: made.setAlias.alias.ref };
    }),
  );
}

/** `Authorization` of a token that sees this project and no other. */
export async function guestOf(project: string): Promise<string> {
  const create = `mutation($project: String!) {
    createProjectToken(input: {project: $project, name: "gateway", role: GUEST}) { secret } }`;
  return `Bearer ${(await ask(create, { project })).createProjectToken.secret}`;
}

/** `Authorization` of a token of the admin, who sees everything. */
export async function adminToken(): Promise<string> {
  const create = 'mutation { createToken(input: {name: "gateway", scope: READ}) { secret } }';
  return `Bearer ${(await ask(create)).createToken.secret}`;
}
