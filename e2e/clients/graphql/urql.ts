// urql with its normalised cache: what a mutation answers is seen by a query that is answered from the cache. A warning of the
// cache fails it.

import { client } from "./client.js";

console.warn = (...message) => {
  throw new Error(message.join(" "));
};

const query = `query($model: String!) {
  model(path: $model) {
    id description tags { key value } aliases { id name }
    bestMetric { name value }
    versions { nodes { id version files { nodes { path downloadUrl } } metrics { name value } params { name value } } }
  }
  modelFacet(of: FRAMEWORK) { value count }
  signInMethods { required }
}`;
const mutation = `mutation($input: UpdateModelInput!) { updateModel(input: $input) { model { id description } } }`;
const variables = { model: "vision/ocr" };

const asked = await client.query(query, variables).toPromise();
if (asked.error) throw asked.error;
const changed = await client.mutation(mutation, { input: { model: "vision/ocr", description: "# OCR" } }).toPromise();
if (changed.error) throw changed.error;
const { data } = await client.query(query, variables, { requestPolicy: "cache-only" }).toPromise();
const { nodes } = data.model.versions;
console.log(JSON.stringify([data.model.description, data.model.tags, nodes.map(({ version }: { version: string }) => version)]));
