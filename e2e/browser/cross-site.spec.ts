// Another site's page, open in the browser of somebody who is signed in, can change nothing: not by a
// form of any encoding, not by a script, not by an address. The other origin is once another port of the
// same host, where browsers do send the cookie, and once another site.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo } from "node:net";

import { expect, test } from "./fixtures";

let attacker: Server;
let port: number;
let html = "";

test.beforeAll(async () => {
  attacker = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
  attacker.listen(0, "127.0.0.1");
  await once(attacker, "listening");
  port = (attacker.address() as AddressInfo).port;
});

test.afterAll(async () => {
  attacker.close();
  await once(attacker, "close");
});

// What browsers say of requests that they or the server refuse.
test.use({ expectedComplaints: [/./] });

for (const host of ["127.0.0.1", "localhost"]) {
  test(`a page of ${host} changes nothing`, async ({ page, api, baseURL }) => {
    const project = await api.project();
    const model = await api.model(project, "ocr");
    await api.version(model, "1.0.0", {}, false);
    const operation = JSON.stringify({ query: `mutation { deleteModel(input: {model: "${model}"}) { model { id } } }` });
    const field = (name: string) => `<input name='${name.replaceAll("'", "&#39;")}' value=''>`;
    const forms = {
      "application/x-www-form-urlencoded": `<input name="query" value='${JSON.parse(operation).query}'>`,
      // The whole body is JSON but for a "=", which ends up in a string.
      "text/plain": field(`${operation.slice(0, -1)}, "x": "`) + field('"}'),
      "multipart/form-data": `<input name="operations" value='${operation}'><input name="map" value="{}">`,
    };
    for (const [encoding, fields] of Object.entries(forms)) {
      html = `<form id="f" method="post" action="${baseURL}/graphql" enctype="${encoding}">${fields}</form>`;
      await page.goto(`http://${host}:${port}/`);
      const [response] = await Promise.all([
        page.waitForResponse((answer) => answer.url().endsWith("/graphql")),
        page.evaluate(() => (document.getElementById("f") as HTMLFormElement).submit()),
      ]);
      expect(response.status(), encoding).toBe(400);
      await page.waitForURL("**/graphql");
    }
    html = "<h1>evil</h1>";
    await page.goto(`http://${host}:${port}/`);
    const tried = await page.evaluate(
      async ([registry, body, file]) => {
        const credentials = "include" as const;
        const attempts: [string, RequestInit][] = [
          [`${registry}/graphql`, { method: "POST", body, credentials, mode: "no-cors" }],
          [`${registry}/graphql`, { method: "POST", body, credentials, headers: { "content-type": "application/json" } }],
          [`${registry}/graphql?query=${encodeURIComponent(JSON.parse(body).query)}`, { credentials, mode: "no-cors" }],
          [`${registry}/files/${file}`, { method: "PUT", body: "x", credentials }],
          [`${registry}/files/${file}`, { method: "POST", body: "x", credentials, mode: "no-cors" }],
        ];
        const read = [];
        for (const [url, options] of attempts) {
          read.push(await fetch(url, options).then((answer) => answer.type === "opaque" ? "" : answer.text(), () => ""));
        }
        return read;
      },
      [baseURL!, operation, `${model}/1.0.0/evil`],
    );
    expect(tried, "nothing could be read either").toEqual(["", "", "", "", ""]);
    const left = await api.graphql(
      `{ model(path: "${model}") { version(ref: "1.0.0") { fileCount } events { nodes { action } } } }`,
    );
    expect(left.model.version.fileCount).toBe(0);
    expect(left.model.events.nodes.map((event: { action: string }) => event.action)).not.toContain("model.delete");
    // The same operation from the registry's own page does it.
    await page.goto("/");
    const own = await page.evaluate(
      (body) =>
        fetch("/graphql", { method: "POST", body, headers: { "content-type": "application/json" } }).then((answer) => answer.json()),
      operation,
    );
    expect(own.errors).toBeUndefined();
  });
}
