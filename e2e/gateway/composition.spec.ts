// The registry's subgraph composed with those that others may have: each row of the table in docs/federation.md.

import { expect, test } from "@playwright/test";
import { type CompositionResult, composeServices } from "@theguild/federation-composition";
import { parse } from "graphql";
import { readFileSync } from "node:fs";

import { file, table } from "./guide";

const registry = parse(readFileSync("../subgraph.graphql", "utf8"));
const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@shareable", "@external", "@requires"])';
const MODEL = 'type Model @key(fields: "path") { path: String! deployments: [Deployment!]! }';

function compose(typeDefs: string): CompositionResult {
  const dashboard = parse(typeDefs);
  return composeServices([{ name: "registry", typeDefs: registry }, { name: "dashboard", typeDefs: dashboard }]);
}

/** A subgraph of deployments with this field, and these types. */
function deployments(field: string, types: string): string {
  return `${LINK} type Query { deployments: [Deployment!]! } type Deployment @key(fields: "id") { id: ID! ${field} } ${types}`;
}

const withModel = (types: string) => deployments("model: Model", `${MODEL} ${types}`);
const pages = (pageInfo: string) =>
  withModel(`type DeploymentPage { nodes: [Deployment!]! pageInfo: PageInfo! } type PageInfo ${pageInfo} extend type Query { page: DeploymentPage! }`);
const PAGE_INFO = "hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String";

const rows: Record<string, string[]> = {
  "has `Model`, `ModelVersion` or `Alias` with one key of the table above, and fields of its own": [
    file("dashboard.graphql"),
    withModel(""),
    ...["id: ID", "ref: String"].flatMap((key) =>
      ["ModelVersion", "Alias"].map((type) =>
        deployments(`of: ${type}`, `type ${type} @key(fields: "${key.split(":")[0]}") { ${key}! deployments: [Deployment!]! }`),
      ),
    ),
  ],
  "only points at them (`resolvable: false`)": [
    deployments(
      "model: Model version: ModelVersion alias: Alias",
      `type Model @key(fields: "path", resolvable: false) { path: String! }
       type ModelVersion @key(fields: "id", resolvable: false) { id: ID! }
       type Alias @key(fields: "ref", resolvable: false) { ref: String! }`,
    ),
  ],
  'is written for Federation 1 (`extend type Model @key(fields: "path")`, `path: String! @external`)': [
    `type Query { deployments: [Deployment!]! } type Deployment @key(fields: "id") { id: ID! model: Model }
     extend type Model @key(fields: "path") { path: String! @external deployments: [Deployment!]! }`,
  ],
  'reads a field of the registry: `@external` and `@requires(fields: "path")`': [
    deployments("model: Model", 'type Model @key(fields: "id") { id: ID! path: String! @external board: String! @requires(fields: "path") }'),
  ],
  "has its own `scalar DateTime`, `interface Node`, `Query.node`": [
    withModel('"Another one." scalar DateTime @specifiedBy(url: "https://example.org/moment") extend type Deployment { at: DateTime! }'),
    withModel('interface Node { id: ID! } type Cluster implements Node @key(fields: "id") { id: ID! } extend type Query { node(id: ID!): Node }'),
  ],
  "has its own `Session`, `Token`, `Event`, `Role`, `Member`, or mutations and subscriptions": [
    withModel(
      `type Session { user: String! } type Token { text: String! } type Event { what: String! } enum Role { BOSS } type Member { role: Role! }
       extend type Query { sessions: [Session!]! tokens: [Token!]! events: [Event!]! members: [Member!]! }
       type Mutation { deploy(model: String!): Deployment! } type Subscription { deploymentChanged: Deployment! }`,
    ),
  ],
  "has `PageInfo @shareable` with the same four fields": [pages(`@shareable { ${PAGE_INFO} endCursor: String }`)],
  "has `PageInfo` without `@shareable`": [pages(`{ ${PAGE_INFO} endCursor: String }`)],
  "has `PageInfo @shareable` with more or fewer fields": [
    pages(`@shareable { ${PAGE_INFO} }`),
    pages(`@shareable { ${PAGE_INFO} endCursor: String pages: Int }`),
  ],
  "declares a field that the registry has, such as `Model.description`, without `@external`": [
    withModel("extend type Model { description: String! }"),
  ],
  'has a key of its own: `Model @key(fields: "name")`, `ModelVersion @key(fields: "version model { path }")`': [
    deployments("model: Model", 'type Model @key(fields: "name") { name: String! deployments: [Deployment!]! }'),
    deployments("version: ModelVersion", `${MODEL} type ModelVersion @key(fields: "version model { path }") { version: String! model: Model! }`),
  ],
  "has its own `User`, `Project`, `Tag` or `File` with other fields": [
    withModel('type User @key(fields: "id") { id: ID! email: String! } extend type Deployment { by: User }'),
    withModel("type Project { name: String! budget: Int! } extend type Deployment { project: Project }"),
    withModel("type Tag { color: String! } extend type Deployment { tags: [Tag!]! }"),
    withModel("scalar File extend type Deployment { manifest: File }"),
  ],
};
const verdicts = table("What composes");

test("the page has the rows that are tried", () => {
  expect([...verdicts.keys()]).toEqual(Object.keys(rows));
});

for (const [row, subgraphs] of Object.entries(rows)) {
  for (const [index, subgraph] of subgraphs.entries()) {
    test(`what ${row}, ${index + 1}`, () => {
      const [verdict, code] = verdicts.get(row)!.split(/: `|`/);
      const { supergraphSdl, errors = [] } = compose(subgraph);
      if (verdict === "yes") {
        expect(errors).toEqual([]);
      } else {
        expect(supergraphSdl).toBeUndefined();
        if (code) expect(new Set(errors.map(({ extensions }) => extensions.code))).toEqual(new Set([code]));
      }
    });
  }
}

test("PageInfo that is not shareable is refused for each of its fields", () => {
  const { errors = [] } = compose(rows["has `PageInfo` without `@shareable`"][0]);
  const fields = errors.map(({ message }) => /"PageInfo\.(\w+)"/.exec(message)?.[1]);
  expect(fields.sort()).toEqual(["endCursor", "hasNextPage", "hasPreviousPage", "startCursor"]);
});

test("another Project with the same key is taken for the registry's", () => {
  expect(compose(withModel('type Project @key(fields: "id") { id: ID! budget: Int! } extend type Deployment { project: Project }')).errors).toBeUndefined();
});
