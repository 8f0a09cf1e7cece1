// Relay's store without React: asks for a model with its first version, then for the next by what @refetchable made, and prints
// what the connection has each time.

import relay from "relay-runtime";

import more, { type versionsMoreQuery } from "./__generated__/versionsMoreQuery.graphql.js";
import query, { type versionsQuery } from "./__generated__/versionsQuery.graphql.js";

const { ConnectionHandler, Environment, Network, RecordSource, Store, commitLocalUpdate, fetchQuery } = relay;

const path = "vision/ocr";
const environment = new Environment({
  network: Network.create(async ({ text }, variables) => {
    const response = await fetch(`${process.env.REGISTRY}/graphql`, {
      method: "POST",
      headers: { Authorization: `Bearer ${process.env.TOKEN}`, "Content-Type": "application/json" },
      body: JSON.stringify({ query: text, variables }),
    });
    return response.json();
  }),
  store: new Store(new RecordSource()),
});

function shown(): { id: string; cursor: string } {
  let found = { id: "", cursor: "" };
  commitLocalUpdate(environment, (store) => {
    const model = store.getRoot().getLinkedRecord("model", { path })!;
    const versions = ConnectionHandler.getConnection(model, "versions_model_versions")!;
    console.log(...versions.getLinkedRecords("edges")!.map((edge) => edge!.getLinkedRecord("node")!.getValue("version")));
    found = { id: model.getDataID(), cursor: String(versions.getLinkedRecord("pageInfo")!.getValue("endCursor")) };
  });
  return found;
}

await fetchQuery<versionsQuery>(environment, query, { model: path }).toPromise();
await fetchQuery<versionsMoreQuery>(environment, more, shown()).toPromise();
shown();
