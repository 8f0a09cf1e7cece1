// Hive's gateway in front of the registry and a dashboard, composed and configured by the files of docs/federation.md.

import { createGatewayRuntime } from "@graphql-hive/gateway-runtime";

import { Folder } from "./guide";
import { serve, type Server } from "./servers";

/** The gateway for a dashboard at this address, with this schema. */
export async function startHive(registry: string, dashboard: string, typeDefs: string): Promise<Server> {
  const folder = new Folder();
  folder.write("dashboard.graphql", typeDefs);
  folder.copy("../subgraph.graphql", "registry.graphql");
  await folder.run("compose.js", { REGISTRY: registry, DASHBOARD: dashboard });
  const { gatewayConfig } = await folder.run("gateway.config.js");
  const gateway = createGatewayRuntime({ ...gatewayConfig, supergraph: folder.read("supergraph.graphql"), logging: false });
  const { url, stop } = await serve(gateway);
  return {
    url,
    stop: async () => {
      await stop();
      await gateway[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}
