// A dashboard and the registry as one graph, through Hive's gateway, composed and configured as docs/federation.md shows it.

import { expect, test } from "@playwright/test";

import { file, operation } from "./guide";
import { startHive } from "./hive";
import { adminToken, type Answer, ask, createModels, guestOf, type Model } from "./registry";
import { type Deployment, startDashboard, startRelay } from "./servers";

const NULLABLE = file("dashboard.graphql");
const DEPLOYED = `{ deployments { cluster
  model { path latestVersion { version } } version { version state } alias { name version { version } } } }`;

let models: Model[];
let relay: Awaited<ReturnType<typeof startRelay>>;
let admin: string;
let left: string;
let right: string;
const ends: (() => Promise<unknown>)[] = [];

test.beforeAll(async () => {
  models = [...(await createModels("left", 31)), ...(await createModels("right", 30))];
  relay = await startRelay(process.env.MODEL_REGISTRY_URL!);
  [admin, left, right] = [await adminToken(), await guestOf("left"), await guestOf("right")];
});

test.beforeEach(() => relay.heard.splice(0));

test.afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

test.afterAll(() => relay.stop());

const deployed = (of: Model[]): Deployment[] =>
  of.map(({ id, version, alias }, index) => ({ id: `d${index}`, cluster: `c${index}`, model: { id }, version: { id: version }, alias: { ref: alias } }));

const named = ({ path }: Model, index: number) => ({
  cluster: `c${index}`,
  model: { path, latestVersion: { version: "1.0.0" } },
  version: { version: "1.0.0", state: "DRAFT" },
  alias: { name: "champion", version: { version: "1.0.0" } },
});

/** The gateway in front of the registry and a dashboard with this schema. */
async function startGateway(deployments: Deployment[], typeDefs = NULLABLE) {
  const dashboard = await startDashboard(typeDefs, deployments);
  ends.push(dashboard.stop);
  const { url, stop } = await startHive(relay.url, dashboard.url, typeDefs);
  ends.push(stop);

  const send = async (accept: string, query: string, variables: object, authorization?: string, signal?: AbortSignal): Promise<Response> => {
    const headers = { Accept: accept, "Content-Type": "application/json", ...(authorization && { authorization }) };
    return fetch(`${url}/graphql`, { method: "POST", headers, body: JSON.stringify({ query, variables }), signal });
  };
  return {
    ask: async (query: string, authorization?: string): Promise<Answer> => (await send("application/json", query, {}, authorization)).json(),
    follow: async (query: string, variables: object, authorization: string, signal?: AbortSignal) =>
      items(await send("text/event-stream", query, variables, authorization, signal)),
  };
}

/** What each event of a stream says, until it completes. */
async function* items(response: Response): AsyncGenerator<Answer, void, void> {
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (text + chunk).split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      if (event.includes("event: complete")) return;
      const [, data] = /^data: (.*)$/m.exec(event) ?? [];
      if (data) yield JSON.parse(data);
    }
  }
}

test("61 deployments are one request to the registry, with the caller's token", async () => {
  const gateway = await startGateway(deployed(models));
  expect(await gateway.ask(DEPLOYED, admin)).toEqual({ data: { deployments: models.map(named) } });
  expect(relay.heard).toHaveLength(1);
  const [{ variables, authorization }] = relay.heard;
  expect(Object.values(variables as object).map(({ length }) => length)).toEqual([61, 61, 61]);
  expect(authorization).toBe(admin);
});

test("a key that was stored is answered without the registry", async () => {
  const gateway = await startGateway(deployed(models.slice(0, 1)));
  const { data } = await gateway.ask("{ deployments { model { id } alias { ref } } }", admin);
  expect(data).toEqual({ deployments: [{ model: { id: models[0].id }, alias: { ref: "left/m0@champion" } }] });
  expect(relay.heard).toEqual([]);
});

test("each caller sees what is theirs, and null beside it", async () => {
  const gateway = await startGateway(deployed(models));
  const isOf = (project: string) => ({ path }: Model) => path.startsWith(`${project}/`);
  for (const [token, isSeen] of [[left, isOf("left")], [right, isOf("right")], [undefined, () => false]] as const) {
    const { data, errors } = await gateway.ask(DEPLOYED, token);
    const hidden = { model: null, version: null, alias: null };
    expect(data.deployments).toEqual(models.map((model, index) => ({ ...named(model, index), ...(!isSeen(model) && hidden) })));
    expect(new Set(errors?.map(({ message }) => message))).toEqual(new Set(["Unexpected error."]));
  }
});

test("one that is not there takes nothing with it, where it may be null", async () => {
  const ghost = { ...models[1], id: Buffer.from("nothing").toString("base64"), path: "left/ghost" };
  const gateway = await startGateway(deployed([models[0], ghost, models[2]]));
  const { data, errors } = await gateway.ask("{ deployments { model { latestVersion { version } } } }", left);
  const seen = { model: { latestVersion: { version: "1.0.0" } } };
  expect(data.deployments).toEqual([seen, { model: { latestVersion: null } }, seen]);
  expect(errors).toBeUndefined();
});

test("one that is hidden takes everything with it, where it may not be null", async () => {
  const gateway = await startGateway(deployed(models.slice(30, 32)), NULLABLE.replace("model: Model\n", "model: Model!\n"));
  const { data, errors } = await gateway.ask("{ deployments { cluster model { path } } }", left);
  expect(data).toBeNull();
  expect(errors).toEqual([expect.objectContaining({ message: "Unexpected error.", path: ["deployments", 1, "model", "path"] })]);
});

test("a token that is wrong is said to be", async () => {
  const gateway = await startGateway(deployed(models.slice(0, 1)));
  const { data, errors } = await gateway.ask("{ deployments { model { path } } }", "Bearer mrt_wrong");
  expect(data).toEqual({ deployments: [{ model: null }] });
  expect(errors?.[0].extensions?.code).toBe("UNAUTHENTICATED");
});

test("more than 1,000 representations are refused, and the answer says how many are not", async () => {
  const gateway = await startGateway(deployed(Array.from({ length: 1001 }, (_, index) => ({ ...models[0], id: btoa(`model ${index}`) }))));
  const { errors } = await gateway.ask("{ deployments { model { path } } }", admin);
  expect(errors?.[0]).toMatchObject({ message: "representations: must be at most 1000 in one operation", extensions: { code: "INVALID" } });
});

test("a subscription brings the registry's changes with the dashboard's fields", async () => {
  const gateway = await startGateway(deployed(models.slice(0, 2)));
  const leaving = new AbortController();
  const changes = await gateway.follow(operation("subscription"), { model: "left/m0" }, left, leaving.signal);
  const next = async () => (await changes.next()).value?.data?.modelChanged;
  const deployments = [{ cluster: "c0" }];
  expect(await next()).toEqual({ path: "left/m0", description: "", deployments });
  await ask('mutation { updateModel(input: {model: "left/m0", description: "new"}) { model { id } } }');
  expect(await next()).toEqual({ path: "left/m0", description: "new", deployments });
  expect(relay.heard).toEqual([expect.objectContaining({ method: "POST", accept: "text/event-stream", authorization: left })]);
  leaving.abort();
  await expect.poll(() => relay.open()).toBe(0);
});

test("a subscription ends with what ends it", async () => {
  const gateway = await startGateway([]);
  await createModels("brief", 1);
  const changes = await gateway.follow("subscription { modelChanged(model: \"brief/m0\") { path } }", {}, admin);
  expect((await changes.next()).value).toEqual({ data: { modelChanged: { path: "brief/m0" } } });
  await ask('mutation { deleteModel(input: {model: "brief/m0"}) { model { id } } }');
  const last = (await changes.next()).value;
  expect(last?.errors?.[0].extensions?.code).toBe("NOT_FOUND");
  expect((await changes.next()).done).toBe(true);
});
