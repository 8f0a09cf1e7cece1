// Servers beside the registry: the dashboard, which is the other subgraph, and a relay that writes down what the registry is asked.

import { createSchema, createYoga } from "graphql-yoga";
import { once } from "node:events";
import { createServer, request as send, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export type Server = { url: string; stop: () => Promise<void> };

/** Serves this on a free port. */
export async function serve(listener: RequestListener): Promise<Server> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

/** What a deployment knows of the registry: ids, and the reference of an alias. */
export type Deployment = {
  id: string;
  cluster: string;
  model: { id: string; path?: string };
  version?: { id: string };
  alias?: { ref: string };
};

/** The dashboard with this schema, which may be a subgraph; `/graphql` answers. */
export async function startDashboard(typeDefs: string, deployments: Deployment[]): Promise<Server> {
  const ofModel = (model: { id: string }) => deployments.filter((deployment) => deployment.model.id === model.id);
  const resolvers: any = { Query: { deployments: () => deployments } };
  if (typeDefs.includes("@key")) {
    typeDefs += "\nscalar _Any union _Entity = Deployment | Model extend type Query { _entities(representations: [_Any!]!): [_Entity]! }";
    resolvers.Query._entities = (_: unknown, { representations }: { representations: { __typename: string; id: string }[] }) =>
      representations.map((asked) => (asked.__typename === "Model" ? asked : deployments.find(({ id }) => id === asked.id)));
    resolvers._Entity = { __resolveType: ({ __typename }: { __typename?: string }) => __typename ?? "Deployment" };
    resolvers.Model = { deployments: ofModel };
  }
  return serve(createYoga({ schema: createSchema({ typeDefs, resolvers, assumeValidSDL: true }), logging: false, landingPage: false }));
}

export type Heard = { query: string; variables?: Record<string, unknown[]>; method: string; authorization?: string; accept?: string };

/** Passes everything on to `target`, and writes down the operations; `open` counts those that are not answered to the end. */
export async function startRelay(target: string): Promise<Server & { heard: Heard[]; open: () => number }> {
  const heard: Heard[] = [];
  let open = 0;
  const server = await serve(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const address = new URL(request.url!, target);
    const said = request.method === "GET" ? Object.fromEntries(address.searchParams) : JSON.parse(body.toString());
    const { accept, authorization } = request.headers;
    heard.push({ ...said, method: request.method!, accept, authorization });
    const headers = { ...request.headers, host: address.host };
    open += 1;
    const passed = send(address, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    passed.on("close", () => (open -= 1));
    response.on("close", () => passed.destroy());
    passed.end(body);
  });
  return { ...server, heard, open: () => open };
}
