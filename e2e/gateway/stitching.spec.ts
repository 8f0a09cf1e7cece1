// A dashboard and the registry's whole schema, stitched without federation as docs/federation.md shows it.

import { expect, test } from "@playwright/test";
import { execute, type GraphQLSchema, parse } from "graphql";

import { Folder } from "./guide";
import { adminToken, createModels } from "./registry";
import { startDashboard, startRelay } from "./servers";

const DASHBOARD = `
  type Query { deployments: [Deployment!]! }
  type Deployment { id: ID! cluster: String! model: Model }
  type Model { path: String! }`;

test("61 deployments are one request to the registry, and 101 are two", async () => {
  const folder = new Folder();
  const models = await createModels("stitched", 3);
  const paths = Array.from({ length: 101 }, (_, index) => models[index]?.path ?? `stitched/ghost${index}`);
  const deployments = paths.map((path, index) => ({ id: `d${index}`, cluster: `c${index}`, model: { id: path, path } }));
  const relay = await startRelay(process.env.MODEL_REGISTRY_URL!);
  const dashboard = await startDashboard(DASHBOARD, deployments);
  try {
    folder.write("dashboard.graphql", DASHBOARD);
    folder.copy("../schema.graphql", "registry.graphql");
    const { schema } = (await folder.run("stitching.js", { REGISTRY: relay.url, DASHBOARD: dashboard.url })) as { schema: GraphQLSchema };
    const authorization = await adminToken();
    const document = parse("{ deployments { cluster model { latestVersion { ref } } } }");
    for (const [count, requests] of [[101, [100, 1]], [61, [61]]] as const) {
      deployments.splice(count);
      relay.heard.splice(0);
      const { data, errors } = await execute({ schema, document, contextValue: { authorization } });
      expect(errors).toBeUndefined();
      const seen = (index: number) => ({ latestVersion: { ref: `${paths[index]}@1.0.0` } });
      expect(data?.deployments).toEqual(deployments.map(({ cluster }, index) => ({ cluster, model: index < 3 ? seen(index) : expect.anything() })));
      expect(relay.heard.map(({ variables }) => Object.values(variables!)[0].length)).toEqual(requests);
      expect(relay.heard[0].authorization).toBe(authorization);
    }
  } finally {
    await Promise.all([dashboard.stop(), relay.stop()]);
    folder.remove();
  }
});
