// Subscriptions over server-sent events with the client of `graphql-sse`, a connection for each: it comes back by itself when the
// connection is cut or the server is started again, and not when there is nothing to come back to.

import { expect, test } from "@playwright/test";
import { type ClientOptions, createClient } from "graphql-sse";
import { randomUUID } from "node:crypto";

import { startRoad } from "../road";
import { freeAddress, startRegistry } from "../server";
import { ask, createModel, describe, registry, withToken } from "./registry";

let headers: Record<string, string>;
/** What a test leaves behind; clients first, which would else connect again. */
const stops: (() => unknown)[] = [];

test.beforeAll(async () => {
  headers = await withToken();
});

test.afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Follows a model; `connecting` has, for each time that the client connects, whether it is again. */
function follow(model: string, url: string, options: Pick<ClientOptions, "headers" | "retry" | "retryAttempts">) {
  const connecting: boolean[] = [];
  const on = { connecting: (again: boolean) => connecting.push(again) };
  const client = createClient({ url: `${url}/graphql`, on, ...options });
  const query = "subscription($model: String!) { modelChanged(model: $model) { description } }";
  stops.unshift(client.dispose);
  return { connecting, items: client.iterate<any>({ query, variables: { model } }) };
}

/** Waits until the model has this description; how often it comes before is the server's choice. */
async function until(items: ReturnType<typeof follow>["items"], description: string): Promise<void> {
  for (let said; said !== description; ) {
    const { value, done } = await items.next();
    expect(done, "the stream goes on").toBe(false);
    expect(value.errors).toBeUndefined();
    said = value.data.modelChanged.description;
  }
}

test("a stream that is cut comes back", async () => {
  const model = await createModel(randomUUID(), "ocr");
  const road = await startRoad(registry);
  stops.push(road.stop);
  // The first try is in vain.
  const retry = async (tries: number) => void (road.isCut = tries === 0);
  const { items, connecting } = follow(model, road.url, { headers, retry, retryAttempts: 2 });
  await until(items, "");
  await describe(model, "first");
  await until(items, "first");
  expect(connecting).toEqual([false]);

  road.cut();
  await describe(model, "meanwhile");
  await until(items, "meanwhile");
  expect(connecting).toEqual([false, true, true]);
  await describe(model, "last");
  await until(items, "last");
  expect(connecting).toHaveLength(3);
});

test("a stream comes back to a server that is started again", async () => {
  const address = await freeAddress();
  const start = async () => {
    const starting = startRegistry({ address, name: "streams" });
    stops.push(async () => (await starting).stop());
    const { url, stop } = await starting;
    return { url, stop, model: await createModel("vision", "ocr", url) };
  };
  const { model, url, stop } = await start();
  let stopped = Promise.resolve();
  const retry = async () => {
    await stopped;
    await start();
    await describe(model, "again", url);
  };
  // With each start, data and tokens are new.
  const { items, connecting } = follow(model, url, { headers: () => withToken(url), retry, retryAttempts: 1 });
  await until(items, "");
  stopped = stop();
  await until(items, "again");
  expect(connecting).toEqual([false, true]);
});

test("a stream that ends with its model does not come back", async () => {
  const model = await createModel(randomUUID(), "ocr");
  const { items, connecting } = follow(model, registry, { headers });
  await until(items, "");
  await ask("mutation($m: String!) { deleteModel(input: {model: $m}) { model { id } } }", { m: model });
  const { value } = await items.next();
  expect(value.errors).toMatchObject([{ extensions: { code: "NOT_FOUND" } }]);
  expect((await items.next()).done).toBe(true);
  expect(connecting).toEqual([false]);
});
