// Single sign-on against a real provider, in a real browser: the way in, and every way that must not
// lead in.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { type BrowserContext, type Page, expect, test } from "@playwright/test";

import { OidcProvider, client, lies } from "../oidc-provider";
import { type Registry, admin, freeAddress, startRegistry } from "../server";

const SESSION = "model_registry_session";
const PENDING = "model_registry_oidc";

let provider: OidcProvider;
let registry: Registry;
let withoutPasswords: Registry;

test.beforeAll(async () => {
  const addresses = [await freeAddress(), await freeAddress()];
  provider = await OidcProvider.start(addresses.map((address) => `http://${address}`));
  const oidc = ["--oidc-issuer", provider.issuer, "--oidc-client-id", client.id, "--oidc-name", "Example login"];
  const groups = ["--oidc-groups", "vision-team=vision:DEVELOPER,all=vision:GUEST,operators=admin"];
  // Whatever is logged at this level must still hold no secret.
  const environment = { MODEL_REGISTRY_OIDC_CLIENT_SECRET: client.secret, RUST_LOG: "trace" };
  const start = (index: number, name: string, more: string[]) =>
    startRegistry({ address: addresses[index], name, flags: [...oidc, ...groups, ...more], environment });
  registry = await start(0, "oidc", []);
  withoutPasswords = await start(1, "oidc-without-passwords", ["--no-password-sign-in"]);
  await asAdmin('mutation { createProject(input: {path: "vision"}) { project { id } } }');
});

test.afterAll(async () => {
  await registry?.stop();
  await withoutPasswords?.stop();
  provider?.stop();
});

test.beforeEach(() => {
  provider.lie = undefined;
  provider.userInfoLie = undefined;
});

const VIEWER = "{ viewer { username name isAdmin } }";
const SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { user { id } } }";

async function graphql(page: Page, query: string, variables: object = {}, url = registry.url) {
  const response = await page.request.post(`${url}/graphql`, { data: { query, variables } });
  return response.json();
}

let adminCookie: string | undefined;

async function asAdmin(query: string) {
  const send = (cookie: string, body: object) =>
    fetch(`${registry.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", cookie },
      body: JSON.stringify(body),
    });
  if (!adminCookie) {
    const signedIn = await send("", { query: SIGN_IN, variables: { input: admin } });
    adminCookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
  }
  const { data, errors } = await (await send(adminCookie, { query })).json();
  expect(errors).toBeUndefined();
  return data;
}

async function cookie(context: BrowserContext, name: string, url = registry.url) {
  return (await context.cookies(`${url}/auth/oidc/callback`)).find((cookie) => cookie.name === name);
}

/** From the registry to the provider's page. */
async function begin(page: Page, next = "", url = registry.url) {
  await page.goto(`${url}/auth/oidc/sign-in${next && `?next=${encodeURIComponent(next)}`}`);
  await expect(page).toHaveURL((url) => url.origin === provider.issuer);
}

/** What is typed there; the address that the provider sends the browser back to. */
async function signInAs(page: Page, name: string): Promise<string> {
  const back = page.waitForRequest((request) => request.url().includes("/auth/oidc/callback"));
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Sign in" }).click();
  return (await back).url();
}

/** Why somebody was refused last, as the log says. */
function lastRefusal(): string | undefined {
  return registry.log().split("\n").findLast((line) => line.includes("a single sign-on was refused"));
}

async function expectRefused(page: Page, error: string, url = registry.url) {
  await expect(page).toHaveURL(`${url}/sign-in?error=${error}`);
  expect(await cookie(page.context(), SESSION, url)).toBeUndefined();
  expect(await cookie(page.context(), PENDING, url), "it is used up").toBeUndefined();
  expect((await graphql(page, VIEWER, {}, url)).data.viewer).toBeNull();
}

test("a person signs in with the provider, and out", async ({ page, context }) => {
  await page.goto(`${registry.url}/settings/tokens`);
  await page.getByRole("link", { name: /^Sign in with / }).click();
  await expect(page).toHaveURL((url) => url.origin === provider.issuer);
  const pending = await cookie(context, PENDING);
  expect(pending).toMatchObject({ httpOnly: true, sameSite: "Lax", secure: false, path: "/auth/oidc" });
  await signInAs(page, "anna");
  await expect(page).toHaveURL(`${registry.url}/settings/tokens`);

  const session = await cookie(context, SESSION);
  expect(session).toMatchObject({ httpOnly: true, sameSite: "Lax", secure: false, path: "/" });
  expect(await cookie(context, PENDING), "it is used up").toBeUndefined();
  expect((await graphql(page, VIEWER)).data.viewer).toEqual({ username: "anna", name: "Anna Müller", isAdmin: false });

  // Two of her groups have a role in the project: the higher one counts.
  const seen = await graphql(page, '{ project(path: "vision") { viewerRole } }');
  expect(seen.data.project).toEqual({ viewerRole: "DEVELOPER" });
  const { project } = await asAdmin('{ project(path: "vision") { events { nodes { action detail } } } }');
  const added = project.events.nodes.find((event: { action: string }) => event.action === "member.add");
  expect(JSON.parse(added.detail)).toEqual({ username: "anna", role: "DEVELOPER", source: "OIDC" });

  await graphql(page, "mutation { signOut { signedOut } }");
  expect(await cookie(context, SESSION)).toBeUndefined();
  expect((await graphql(page, VIEWER)).data.viewer).toBeNull();
});

test("groups make administrators, and a taken name stays its owner's", async ({ page }) => {
  await begin(page);
  await signInAs(page, "otto");
  await expect(page).toHaveURL(`${registry.url}/`);
  expect((await graphql(page, VIEWER)).data.viewer).toEqual({ username: "admin-2", name: "Otto", isAdmin: true });
});

test("who has no name is called after their e-mail address", async ({ page }) => {
  await begin(page);
  await signInAs(page, "nina");
  await expect(page).toHaveURL(`${registry.url}/`);
  expect((await graphql(page, VIEWER)).data.viewer).toEqual({ username: "nina.k", name: "nina.k", isAdmin: false });
});

test("what the ID token says needs no userinfo", async ({ page }) => {
  provider.lie = ({ claims }) =>
    void Object.assign(claims, { preferred_username: "lea", name: "Lea", groups: ["operators"] });
  provider.userInfoLie = (claims) => void (claims.sub = "nobody");
  await begin(page);
  await signInAs(page, "lea");
  await expect(page).toHaveURL(`${registry.url}/`);
  expect((await graphql(page, VIEWER)).data.viewer).toEqual({ username: "lea", name: "Lea", isAdmin: true });
});

test("a key that was published later is fetched", async ({ page, browser }) => {
  await begin(page);
  await signInAs(page, "anna");
  await expect(page).toHaveURL(`${registry.url}/`);

  provider.rotate();
  const requests = provider.keyRequests;
  for (let time = 0; time < 2; time += 1) {
    const context = await browser.newContext();
    const other = await context.newPage();
    await begin(other);
    await signInAs(other, "anna");
    await expect(other).toHaveURL(`${registry.url}/`);
    expect((await graphql(other, VIEWER)).data.viewer.username).toBe("anna");
    await context.close();
  }
  expect(provider.keyRequests - requests, "once for the new key").toBe(1);
});

test("a sign-in that the person cancels is denied", async ({ page }) => {
  await begin(page);
  await page.getByRole("button", { name: "Cancel" }).click();
  await expectRefused(page, "denied");
});

test("a callback is good once", async ({ page, context }) => {
  await begin(page);
  const pending = await cookie(context, PENDING);
  const back = await signInAs(page, "anna");
  await expect(page).toHaveURL(`${registry.url}/`);
  await context.clearCookies();

  await page.goto(back);
  await expectRefused(page, "expired");
  // Not even for somebody who kept the cookie: the provider takes a code once.
  await context.addCookies([pending!]);
  await page.goto(back);
  await expectRefused(page, "failed");
});

test("a callback is good in the browser that began the sign-in", async ({ page, browser }) => {
  // Somebody who sends another their own callback would have them work in the wrong account.
  let stolen = "";
  await page.route("**/auth/oidc/callback*", (route) => route.abort());
  page.on("request", (request) => (stolen = request.url().includes("/auth/oidc/callback") ? request.url() : stolen));
  await begin(page);
  await page.getByLabel("Name").fill("anna");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect.poll(() => stolen).toContain("code=");

  const context = await browser.newContext();
  const victim = await context.newPage();
  await victim.goto(stolen);
  await expectRefused(victim, "expired");
  // Nor with a sign-in of their own: the state is another.
  await begin(victim);
  await victim.goto(stolen);
  await expectRefused(victim, "expired");
  // Nor with that state: the code was not given for this sign-in (PKCE).
  await begin(victim);
  const url = new URL(stolen);
  const pending = JSON.parse(Buffer.from((await cookie(context, PENDING))!.value, "base64url").toString());
  url.searchParams.set("state", pending.state);
  await victim.goto(url.href);
  await expectRefused(victim, "failed");
  await context.close();
});

test("a page of the provider's choice cannot be the place to go on to", async ({ page }) => {
  for (const next of ["//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example"]) {
    await page.context().clearCookies();
    await begin(page, next);
    await signInAs(page, "anna");
    await expect(page).toHaveURL(`${registry.url}/`);
  }
});

test("userinfo of somebody else is refused", async ({ page }) => {
  provider.userInfoLie = (claims) => void (claims.sub = "otto");
  await begin(page);
  await signInAs(page, "anna");
  await expectRefused(page, "failed");
});

test.describe("a token is refused:", () => {
  // Their names are known before there is a provider.
  for (const name of Object.keys(lies({} as OidcProvider))) {
    test(name, async ({ page }) => {
      const { lie, reason } = lies(provider)[name];
      provider.lie = lie;
      const requests = provider.keyRequests;
      await begin(page);
      await signInAs(page, "anna");
      await expectRefused(page, "failed");
      expect(lastRefusal()).toContain(reason);
      expect(provider.keyRequests - requests, "wrong tokens do not hammer the provider").toBeLessThanOrEqual(1);
    });
  }
});

test("passwords can be switched off, and single sign-on still works", async ({ page }) => {
  const { url } = withoutPasswords;
  const refused = await graphql(page, SIGN_IN, { input: admin }, url);
  expect(refused.errors[0].extensions.code).toBe("FORBIDDEN");
  await begin(page, "", url);
  await signInAs(page, "anna");
  await expect(page).toHaveURL(`${url}/`);
  expect((await graphql(page, VIEWER, {}, url)).data.viewer.username).toBe("anna");
});

test("no log and no file of the registry has a code, a token or the secret", async ({ page, context }) => {
  for (const lie of [({ claims }: { claims: Record<string, unknown> }) => void (claims.nonce = "another"), undefined]) {
    provider.lie = lie;
    await context.clearCookies();
    await begin(page);
    const back = await signInAs(page, "anna");
    await expect(page).toHaveURL(lie ? /error=failed/ : `${registry.url}/`);
    expect(provider.secrets).toContain(new URL(back).searchParams.get("code"));
  }
  const session = await cookie(context, SESSION);
  const secrets = [...provider.secrets, session!.value, client.secret, encodeURIComponent(client.secret)];
  const files = readdirSync(registry.data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const kept = files.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
  expect(kept.join("")).toContain("Anna");
  // The log is at its most talkative level.
  for (const text of [registry.log(), ...kept]) expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
});
