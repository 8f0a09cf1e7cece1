// A real OpenID provider on a free port of this machine, with its own sign-in page: who types a name is
// that person. It is told to lie: tokens and keys can be altered on their way out.

import { type KeyObject, createHmac, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Provider } from "oidc-provider";

/** What the registry knows of itself; the secret has what must be encoded on its way. */
export const client = { id: "registry", secret: "s3cret/+ %:&canary" };

/** What the provider says of the person who signs in with this name. */
export const people: Record<string, Record<string, unknown>> = {
  anna: { preferred_username: "Anna", name: "Anna Müller", email: "anna@example.org", groups: ["vision-team", "all"] },
  otto: { preferred_username: "admin", name: "Otto", email: "admin@example.org", groups: ["operators"] },
  nina: { email: "nina.k@example.org", groups: "all" },
};

type Claims = Record<string, unknown>;
type Token = { header: Claims; claims: Claims; signature: (input: string) => string };
/** Alters an ID token before it is signed. */
export type Lie = (token: Token) => void;

const now = () => Math.floor(Date.now() / 1000);

class Key {
  readonly private: KeyObject;
  readonly public: KeyObject;

  constructor(readonly id: string = randomUUID()) {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.private = pair.privateKey;
    this.public = pair.publicKey;
  }

  jwk(key: KeyObject) {
    return { ...key.export({ format: "jwk" }), kid: this.id, use: "sig", alg: "RS256" };
  }

  readonly signature = (input: string) => sign("RSA-SHA256", Buffer.from(input), this.private).toString("base64url");
}

const hmac = (key: string | Buffer) => (input: string) => createHmac("sha256", key).update(input).digest("base64url");

/** Tokens that must be refused, with the word that the log has for it. */
export function lies(provider: OidcProvider): Record<string, { lie: Lie; reason: string }> {
  const claim = (name: string, value: unknown): Lie => ({ claims }) => void (claims[name] = value);
  const unpublished = new Key();
  return {
    "another nonce": { lie: claim("nonce", "another"), reason: "nonce mismatch" },
    "no nonce": { lie: claim("nonce", undefined), reason: "missing nonce" },
    "another audience": { lie: claim("aud", "another"), reason: "Invalid audiences: must contain" },
    "one more audience": { lie: claim("aud", [client.id, "another"]), reason: "is not a trusted audience" },
    "another issuer": { lie: claim("iss", "https://evil.example"), reason: "Invalid issuer" },
    "another authorized party": { lie: claim("azp", "another"), reason: "azp" },
    "another access token": { lie: claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), reason: "at_hash" },
    expired: {
      lie: ({ claims }) => void Object.assign(claims, { iat: now() - 120, exp: now() - 60 }),
      reason: "ID token expired",
    },
    "issued an hour ago": { lie: claim("iat", now() - 3600), reason: "not during this sign-in" },
    "issued in an hour": { lie: claim("iat", now() + 3600), reason: "not during this sign-in" },
    "alg=none": {
      lie: (token) => {
        token.header.alg = "none";
        token.signature = () => "";
      },
      reason: "No signature found",
    },
    "HS256 with the client's secret": {
      lie: (token) => {
        token.header.alg = "HS256";
        token.signature = hmac(client.secret);
      },
      reason: "Disallowed signature algorithm",
    },
    "HS256 with the public key": {
      lie: (token) => {
        token.header.alg = "HS256";
        token.signature = hmac(provider.key.public.export({ format: "pem", type: "spki" }));
      },
      reason: "Disallowed signature algorithm",
    },
    "signed with an unpublished key": {
      lie: (token) => {
        token.header.kid = unpublished.id;
        token.signature = unpublished.signature;
      },
      reason: "No matching key found",
    },
    "signed with an unpublished key of a published name": {
      lie: (token) => void (token.signature = unpublished.signature),
      reason: "bad signature",
    },
    "changed after it was signed": {
      lie: (token) => {
        const honest = encoded(token);
        token.claims.sub = "otto";
        token.signature = () => provider.key.signature(honest);
      },
      reason: "bad signature",
    },
  };
}

/** What a signature is made of. */
const encoded = ({ header, claims }: Token) =>
  [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");

export class OidcProvider {
  /** What it signs with. */
  key = new Key();
  /** What is done to the next ID tokens, which are signed again after it. */
  lie: Lie | undefined;
  /** What is done to what the userinfo endpoint says. */
  userInfoLie: ((claims: Claims) => void) | undefined;
  /** Every code and token that it gave: none may be seen anywhere. */
  readonly secrets: string[] = [];
  /** How often its keys were asked for. */
  keyRequests = 0;

  private constructor(readonly issuer: string, readonly stop: () => void) {}

  /** Starts a provider that sends people back to these registries. */
  static async start(registries: string[]): Promise<OidcProvider> {
    let answer = (_request: IncomingMessage, response: ServerResponse) => void response.end();
    const server = createServer((request, response) => answer(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    // Another site than 127.0.0.1, so that cookies show what they are worth.
    const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
    const oidc = new OidcProvider(issuer, () => {
      server.close();
      server.closeAllConnections();
    });
    const provider = oidc.configured(registries);
    const callback = provider.callback();
    answer = (request, response) => {
      const interaction = request.url?.startsWith("/interaction/");
      const answered = interaction ? interact(provider, request, response) : callback(request, response);
      answered.catch((error: unknown) => response.writeHead(500).end(String(error)));
    };
    return oidc;
  }

  /** Publishes another key instead, with which it signs from now on. */
  rotate() {
    this.key = new Key();
  }

  private configured(registries: string[]) {
    const provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: client.id,
          client_secret: client.secret,
          redirect_uris: registries.map((url) => `${url}/auth/oidc/callback`),
        },
      ],
      jwks: { keys: [this.key.jwk(this.key.private)] },
      cookies: { keys: [randomUUID()] },
      ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
      pkce: { required: () => true },
      // As the standard has it, the ID token holds none of them: they are at the userinfo endpoint.
      claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"], email: ["email"] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
      loadExistingGrant: async (ctx) => {
        const { client, session } = ctx.oidc;
        const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
        grant.addOIDCScope("openid profile email");
        await grant.save();
        return grant;
      },
    });
    provider.use(async (ctx, next) => {
      await next();
      if (ctx.path === "/jwks") {
        this.keyRequests += 1;
        ctx.body = { keys: [this.key.jwk(this.key.public)] };
      } else if (ctx.path === "/token" && ctx.body?.id_token) {
        this.secrets.push(ctx.body.access_token, ctx.body.id_token);
        ctx.body = { ...ctx.body, id_token: this.told(ctx.body.id_token) };
        this.secrets.push(ctx.body.id_token);
      } else if (ctx.path === "/me" && this.userInfoLie) {
        this.userInfoLie(ctx.body);
      }
    });
    provider.on("authorization_code.saved", (code: { jti: string }) => this.secrets.push(code.jti));
    return provider;
  }

  private told(idToken: string): string {
    const [header, claims] = idToken.split(".").map((part) => Buffer.from(part, "base64url").toString());
    const token: Token = { header: JSON.parse(header), claims: JSON.parse(claims), signature: this.key.signature };
    token.header.kid = this.key.id;
    this.lie?.(token);
    const input = encoded(token);
    return `${input}.${token.signature(input)}`;
  }
}

/** The sign-in page, and what is typed there. */
async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse) {
  if (request.method === "GET") {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><title>Provider</title><form method="post">
      <label>Name <input name="name"></label>
      <button>Sign in</button> <button name="cancel" value="1">Cancel</button></form>`);
    return;
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const result = form.has("cancel")
    ? { error: "access_denied", error_description: "they do not want to" }
    : { login: { accountId: form.get("name") ?? "" } };
  await provider.interactionFinished(request, response, result);
}
