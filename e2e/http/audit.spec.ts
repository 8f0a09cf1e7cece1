// The audit of GraphQL over HTTP (graphql.github.io/graphql-over-http/draft) that `graphql-http` has: what a server must, should
// and may do, one test for each. What is only advised is held, too.

import { expect, test } from "@playwright/test";
import { serverAudits } from "graphql-http";

const audits = serverAudits({ url: () => `${process.env.MODEL_REGISTRY_URL}/graphql` });

test("the audit has as many parts as it had", () => {
  expect(audits).toHaveLength(61);
});

for (const { id, name, fn } of audits) {
  test(`${id}: ${name}`, async () => {
    const result = await fn();
    const reason = result.status === "ok" ? "" : `${result.reason}, but the answer was ${await answer(result.response)}`;
    expect(`${result.status} ${reason}`.trim()).toBe("ok");
  });
}

async function answer(response: Response): Promise<string> {
  const body = response.bodyUsed ? "(a body that was read)" : await response.text();
  return `${response.status} ${response.headers.get("content-type")} ${body.slice(0, 500)}`;
}
