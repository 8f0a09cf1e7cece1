// A diff of two GraphQL schemas by what it does to clients: schema-changes.mjs [--announced] BEFORE AFTER. Fails if a change breaks
// any, unless that is announced; prints those, and changes that clients may not be ready for, such as a new value of an enum. Of a
// subgraph, what other subgraphs compose with must stay, too: keys, and what is shareable.

import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema, print } from "graphql";
import { readFileSync } from "node:fs";

const paths = process.argv.slice(2).filter((argument) => argument !== "--announced");
const announced = process.argv.includes("--announced");
// Directives of federation are not defined in a subgraph.
const [before, after] = paths.map((path) => buildSchema(readFileSync(path, "utf8"), { assumeValidSDL: true }));
const changes = await diff(before, after);

const composed = (type) => (type?.astNode?.directives ?? []).filter(({ name }) => ["key", "shareable"].includes(name.value)).map(print);
for (const type of Object.values(before.getTypeMap())) {
  const kept = after.getType(type.name);
  for (const directive of kept ? composed(type).filter((each) => !composed(kept).includes(each)) : []) {
    changes.push({ criticality: { level: CriticalityLevel.Breaking }, message: `Type '${type.name}' has no ${directive} any more` });
  }
}

const of = (level) => changes.filter(({ criticality }) => criticality.level === level);
const [breaking, dangerous] = [of(CriticalityLevel.Breaking), of(CriticalityLevel.Dangerous)];
for (const [word, found] of [["BREAKING", breaking], ["DANGEROUS", dangerous]]) {
  for (const { message } of found) console.log(`${word}: ${message}`);
}
console.log(`${breaking.length} breaking, ${dangerous.length} dangerous and ${of(CriticalityLevel.NonBreaking).length} other changes`);
if (breaking.length > 0 && !announced) {
  console.error("Deprecate instead (docs/graphql.md), or say in a commit message what breaks, in a line that begins with 'Breaking:'.");
  process.exit(1);
}
