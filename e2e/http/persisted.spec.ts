// Automatic persisted queries with clients as they are: what Apollo Client and urql send and are answered, by POST and by GET. An
// operation goes over the wire once, and is named by its SHA-256 from then on, by whichever client.

import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { expect, test } from "@playwright/test";
import { Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { createHash, randomUUID } from "node:crypto";

import { createModel, describe, registry, withToken } from "./registry";

const url = `${registry}/graphql`;
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

type Sent = { method: string; url: string; query?: string; hash: string; answer: any; etag: string | null };
type Setup = { headers: Record<string, string>; fetch: typeof fetch };
/** Runs an operation, and gives its data. */
type Run = (operation: string, variables?: object) => Promise<any>;

/** `fetch` that writes down what is sent and what is answered. */
function recorder() {
  const sent: Sent[] = [];
  const record: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const address = String(input);
    const method = init?.method ?? "GET";
    const inAddress = Object.fromEntries(new URL(address).searchParams);
    const { query, extensions } = method === "GET" ? inAddress : JSON.parse(String(init?.body));
    const { persistedQuery } = method === "GET" ? JSON.parse(extensions) : extensions;
    const answer = await response.clone().json();
    sent.push({ method, url: address, query, hash: persistedQuery.sha256Hash, answer, etag: response.headers.get("etag") });
    return response;
  };
  return { sent, fetch: record };
}

function apollo({ headers, fetch }: Setup, useGETForHashedQueries: boolean): Run {
  const http = new HttpLink({ uri: url, headers, fetch });
  const link = new PersistedQueryLink({ sha256, useGETForHashedQueries }).concat(http);
  const client = new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions: { query: { fetchPolicy: "network-only" } } });
  return async (operation, variables = {}) => {
    const document = gql(operation);
    const answer = operation.startsWith("mutation")
      ? await client.mutate({ mutation: document, variables })
      : await client.query({ query: document, variables });
    return answer.data;
  };
}

function urql({ headers, fetch }: Setup, preferGetForPersistedQueries: boolean): Run {
  const persisted = persistedExchange({ preferGetForPersistedQueries, enableForMutation: true });
  const client = new Client({ url, fetch, fetchOptions: { headers }, exchanges: [persisted, fetchExchange] });
  return async (operation, variables = {}) => {
    const run = operation.startsWith("mutation") ? client.mutation : client.query;
    const { data, error } = await run.call(client, operation, variables).toPromise();
    if (error) throw error;
    return data;
  };
}

// How each sends a hash, and the operation when it is asked for it.
const clients = [
  { name: "Apollo Client", make: apollo, byGet: false, methods: ["POST", "POST"] },
  { name: "Apollo Client, by GET", make: apollo, byGet: true, methods: ["GET", "POST"] },
  { name: "urql", make: urql, byGet: false, methods: ["POST", "POST"] },
  { name: "urql, by GET", make: urql, byGet: true, methods: ["GET", "GET"] },
];
const notFound = { errors: [{ message: "PersistedQueryNotFound", extensions: { code: "PERSISTED_QUERY_NOT_FOUND" } }] };

let model: string;
let headers: Record<string, string>;

test.beforeAll(async () => {
  headers = await withToken();
});

test.beforeEach(async () => {
  model = await createModel(randomUUID(), "ocr");
});

/** The name of an operation that no server has seen. */
const newName = () => `q${randomUUID().replaceAll("-", "")}`;

for (const { name, make, byGet, methods } of clients) {
  test(`${name}: an operation is sent once, then its hash`, async () => {
    const operation = `query ${newName()}($model: String!) { model(path: $model) { path description } }`;
    const { sent, fetch } = recorder();
    const run = make({ headers, fetch }, byGet);
    const data = { model: { path: model, description: "" } };
    const [byHash, whole] = methods;

    expect(await run(operation, { model })).toMatchObject(data);
    expect(sent).toMatchObject([
      { method: byHash, query: undefined, answer: notFound },
      { method: whole, query: expect.stringContaining(operation.split("(")[0]), answer: { data } },
    ]);
    const hash = sha256(sent[1].query!);
    expect(sent.map((request) => request.hash)).toEqual([hash, hash]);

    // Also from a client that starts only now.
    for (const again of [run, make({ headers, fetch }, byGet)]) {
      expect(await again(operation, { model })).toMatchObject(data);
      expect(sent.splice(2)).toMatchObject([{ method: byHash, query: undefined, hash, answer: { data } }]);
    }
  });

  test(`${name}: mutations are sent whole each time, and done once`, async () => {
    const create = "createModelVersion(input: {model: $model, version: $version}) { modelVersion { version } }";
    const operation = `mutation ${newName()}($model: String!, $version: String!) { ${create} }`;
    const { sent, fetch } = recorder();
    const run = make({ headers, fetch }, byGet);
    for (const version of ["1.0.0", "1.0.1"]) {
      const data = { createModelVersion: { modelVersion: { version } } };
      expect(await run(operation, { model, version })).toMatchObject(data);
      // What may hold secrets is not kept.
      expect(sent.splice(0)).toMatchObject([
        { method: "POST", query: undefined, answer: notFound },
        { method: "POST", query: expect.any(String), answer: { data } },
      ]);
    }
  });

  test(`${name}: strangers are answered, and nothing of theirs is kept`, async () => {
    const operation = `query ${newName()} { serverVersion }`;
    const { sent, fetch } = recorder();
    const run = make({ headers: {}, fetch }, byGet);
    const data = { serverVersion: expect.any(String) };
    for (let time = 0; time < 2; time += 1) {
      expect(await run(operation)).toMatchObject(data);
      expect(sent.splice(0)).toMatchObject([{ answer: notFound }, { query: expect.any(String), answer: { data } }]);
    }
    // What somebody else has sent is theirs to use.
    await make({ headers, fetch }, byGet)(operation);
    sent.splice(0);
    expect(await run(operation)).toMatchObject(data);
    expect(sent).toMatchObject([{ query: undefined, answer: { data } }]);
  });
}

for (const { name, make } of clients.filter(({ byGet }) => byGet)) {
  test(`${name}: an answer is kept as long as nothing changes`, async () => {
    const operation = `query ${newName()}($model: String!) { model(path: $model) { description } }`;
    const { sent, fetch: recorded } = recorder();
    const run = make({ headers, fetch: recorded }, true);
    await run(operation, { model });
    await run(operation, { model });
    const { method, query, url, etag } = sent.at(-1)!;
    expect([method, query]).toEqual(["GET", undefined]);
    expect(etag).toMatch(/^W\/"[0-9a-f]{64}"$/);

    const askAgain = () => fetch(url, { headers: { ...headers, Accept: "application/graphql-response+json", "If-None-Match": etag! } });
    const unchanged = await askAgain();
    expect([unchanged.status, await unchanged.text(), unchanged.headers.get("etag")]).toEqual([304, "", etag]);
    await describe(model, name);
    const changed = await askAgain();
    expect([changed.status, await changed.json()]).toMatchObject([200, { data: { model: { description: name } } }]);
  });
}
