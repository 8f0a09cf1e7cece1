// What every journey starts with: an administrator who is signed in, a page whose console must stay
// silent, and the API, to lay out what a journey needs without clicking it together.

import { AxeBuilder } from "@axe-core/playwright";
import { type APIRequestContext, type Page, expect, test as base } from "@playwright/test";

import { admin } from "../server";

export { expect };

type Options = {
  /** Console messages that the journey brings about itself, such as a refused sign-in. */
  expectedComplaints: RegExp[];
};

type Tools = {
  api: Api;
  complaints: string[];
  /** Notes what a page complains about on its console. */
  watch: (page: Page) => void;
  /** A browser of somebody else's, with nobody signed in. */
  stranger: () => Promise<Page>;
};

export const test = base.extend<Options & Tools, { state: State }>({
  expectedComplaints: [[], { option: true }],

  // One sign-in for each worker: the server hashes a password for every one.
  state: [
    async ({ playwright }, use) => {
      const request = await playwright.request.newContext({ baseURL: process.env.MODEL_REGISTRY_URL });
      await new Api(request).graphql(
        "mutation($input: SignInInput!) { signIn(input: $input) { user { id } } }",
        { input: admin },
      );
      await use(await request.storageState());
      await request.dispose();
    },
    { scope: "worker" },
  ],

  storageState: async ({ state }, use) => use(state),

  api: async ({ request }, use) => use(new Api(request)),

  complaints: async ({}, use) => {
    const complaints: string[] = [];
    await use(complaints);
    expect(complaints, "the console stays silent").toEqual([]);
  },

  watch: [
    async ({ page, complaints, expectedComplaints }, use) => {
      const watch = (page: Page) => {
        const complain = (text: string) => {
          if (!expectedComplaints.some((expected) => expected.test(text))) complaints.push(text);
        };
        page.on("console", (message) => {
          if (["error", "warning"].includes(message.type())) complain(message.text());
        });
        page.on("pageerror", (error) => complain(String(error)));
      };
      watch(page);
      await use(watch);
    },
    { auto: true },
  ],

  stranger: async ({ browser, watch }, use) => {
    const opened: Page[] = [];
    await use(async () => {
      const context = await browser.newContext({ storageState: nobody });
      const page = await context.newPage();
      watch(page);
      opened.push(page);
      return page;
    });
    for (const page of opened) await page.context().close();
  },
});

type State = Awaited<ReturnType<APIRequestContext["storageState"]>>;

/** A browser in which nobody is signed in. */
export const nobody: State = { cookies: [], origins: [] };

/** Makes a name that no other journey has. */
export function unique(prefix: string): string {
  return `${prefix}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
}

/** Somebody with an account. */
export type Person = { username: string; password: string };

/** Signs somebody in through the sign-in page. */
export async function signIn(page: Page, { username, password }: Person): Promise<void> {
  await page.goto("/sign-in");
  await page.getByLabel("Username").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("button", { name: "Account" })).toBeVisible();
}

/** The registry's API, as the administrator. */
export class Api {
  private secret?: string;

  constructor(private readonly request: APIRequestContext) {}

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async graphql(query: string, variables: object = {}): Promise<any> {
    const response = await this.request.post("/graphql", { data: { query, variables } });
    const answer = await response.json();
    expect(answer.errors, query).toBeUndefined();
    return answer.data;
  }

  async put(path: string, content: string): Promise<void> {
    const response = await this.request.put(`/files/${path}`, { data: Buffer.from(content) });
    expect(response.ok(), `${path}: ${await response.text()}`).toBe(true);
  }

  async get(path: string): Promise<Buffer> {
    const response = await this.request.get(`/files/${path}`);
    expect(response.ok(), path).toBe(true);
    return response.body();
  }

  /** A project of its own for a journey. */
  async project(visibility = "PRIVATE"): Promise<string> {
    const path = unique("p");
    await this.graphql("mutation($input: CreateProjectInput!) { createProject(input: $input) { project { id } } }", {
      input: { path, visibility },
    });
    return path;
  }

  /** A one-time link for somebody new, as the server makes it. */
  async invite(username: string): Promise<string> {
    const made = await this.graphql(
      "mutation($input: InviteUserInput!) { inviteUser(input: $input) { invitation { url } } }",
      { input: { username } },
    );
    const { url } = made.inviteUser.invitation;
    return `/invitation${url.slice(url.indexOf("#"))}`;
  }

  /** Somebody new, who has set their password. */
  async person(prefix: string): Promise<Person> {
    const person = { username: unique(prefix), password: "tall ships need deep water" };
    const link = await this.invite(person.username);
    // Not through this context, whose cookie is the administrator's.
    const response = await fetch(`${process.env.MODEL_REGISTRY_URL}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        query: "mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { user { id } } }",
        variables: { input: { secret: link.split("#")[1], password: person.password } },
      }),
    });
    expect((await response.json()).errors).toBeUndefined();
    return person;
  }

  async member(project: string, username: string, role: string): Promise<void> {
    await this.graphql("mutation($input: AddMemberInput!) { addMember(input: $input) { member { id } } }", {
      input: { project, username, role },
    });
  }

  async model(project: string, name: string, description = ""): Promise<string> {
    await this.graphql("mutation($input: CreateModelInput!) { createModel(input: $input) { model { id } } }", {
      input: { project, name, description, tags: [{ key: "task", value: "ocr" }] },
    });
    return `${project}/${name}`;
  }

  async version(model: string, version: string, files: Record<string, string> = {}, publish = true): Promise<void> {
    await this.graphql("mutation($input: CreateModelVersionInput!) { createModelVersion(input: $input) { modelVersion { id } } }", {
      input: { model, version, description: `What is new in **${version}**` },
    });
    for (const [path, content] of Object.entries(files)) await this.put(`${model}/${version}/${path}`, content);
    if (!publish) return;
    await this.graphql("mutation($input: PublishModelVersionInput!) { publishModelVersion(input: $input) { modelVersion { id } } }", {
      input: { model, version },
    });
  }

  /** Into the trash. */
  async bury(model: string, version: string): Promise<void> {
    await this.graphql("mutation($input: DeleteModelVersionInput!) { deleteModelVersion(input: $input) { modelVersion { id } } }", {
      input: { model, version },
    });
  }

  async alias(model: string, name: string, version: string): Promise<void> {
    await this.graphql("mutation($input: SetAliasInput!) { setAlias(input: $input) { alias { id } } }", {
      input: { model, name, version },
    });
  }

  async tag(model: string, key: string, value: string): Promise<void> {
    await this.graphql("mutation($input: SetTagInput!) { setTag(input: $input) { tag { key } } }", {
      input: { model, key, value },
    });
  }

  /** Files as MLflow's client would log them for a model. */
  async mlmodel(model: string, version: string, publish = true): Promise<void> {
    await this.version(model, version, { MLmodel: mlmodel, "requirements.txt": requirements, "model.pkl": "weights" }, publish);
  }

  /** What MLflow's client sends, with a token of its own as it would. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async mlflow(project: string, endpoint: string, data: object): Promise<any> {
    this.secret ??= await this.token();
    const response = await this.request.post(`/mlflow/${project}/api/2.0/mlflow/${endpoint}`, {
      data,
      headers: { authorization: `Bearer ${this.secret}` },
    });
    expect(response.ok(), `${endpoint}: ${await response.text()}`).toBe(true);
    return response.json();
  }

  /** A token, for what is no browser. */
  async token(): Promise<string> {
    const made = await this.graphql("mutation($input: CreateTokenInput!) { createToken(input: $input) { secret } }", {
      input: { name: unique("client"), scope: "WRITE" },
    });
    return made.createToken.secret;
  }

  /** An experiment that is not a model's, by its number. */
  async experiment(project: string, name: string): Promise<string> {
    const made = await this.mlflow(project, "experiments/create", { name, tags: [{ key: "team", value: "vision" }] });
    return made.experiment_id;
  }

  /** A finished run with a curve, logged as MLflow's client does in a GitLab job; its id. */
  async run(project: string, experiment: string, name: string, accuracy: number): Promise<string> {
    const now = Date.now();
    const start = { experiment_id: experiment, run_name: name, start_time: now - 65_000, tags: pairs(ciTags) };
    const id: string = (await this.mlflow(project, "runs/create", start)).run.info.run_id;
    const loss = Array.from({ length: 20 }, (_, step) => ({ key: "loss", value: 1 / (1 + step), step, timestamp: now }));
    await this.mlflow(project, "runs/log-batch", {
      run_id: id,
      params: pairs({ C: String(accuracy / 2), solver: "lbfgs" }),
      metrics: [{ key: "accuracy", value: accuracy, step: 0, timestamp: now }, ...loss],
    });
    await this.mlflow(project, "runs/update", { run_id: id, status: "FINISHED", end_time: now });
    return id;
  }

  /** A finished training run with a curve. */
  async candidate(model: string, name: string, accuracy: number, lr: string): Promise<number> {
    const curve = Array.from({ length: 20 }, (_, step) => ({
      name: "loss",
      value: 1 / (1 + step * accuracy),
      step,
    }));
    const made = await this.graphql("mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number } } }", {
      input: {
        model,
        name,
        status: "FINISHED",
        params: [{ name: "lr", value: lr }, { name: "epochs", value: "20" }],
        metrics: [{ name: "accuracy", value: accuracy }, ...curve],
        tags: [{ key: "host", value: "gpu-1" }],
      },
    });
    return made.createCandidate.candidate.number;
  }
}

/** Tags that MLflow's client sets by itself, and those that a job of GitLab adds. */
const ciTags = {
  "mlflow.user": "ada",
  "mlflow.source.name": "/builds/vision/ocr/train.py",
  "mlflow.source.type": "LOCAL",
  "mlflow.source.git.commit": "0123456789abcdef0123456789abcdef01234567",
  "mlflow.source.git.repoURL": "https://ci:secret@gitlab.example.com/vision/ocr.git",
  "gitlab.CI_JOB_ID": "4711",
  "gitlab.CI_PIPELINE_URL": "https://gitlab.example.com/vision/ocr/-/pipelines/42",
  report: "https://reports.example.com/ocr?run=7",
  bait: "javascript:alert(document.domain)",
  host: "gpu-1",
};

const pairs = (map: Record<string, string>) => Object.entries(map).map(([key, value]) => ({ key, value }));

const mlmodel = `artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.11.2
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.9.1
mlflow_version: 3.17.2
model_size_bytes: 7
model_uuid: m-0123456789abcdef0123456789abcdef
signature:
  inputs: '[{"type": "double", "name": "sepal length", "required": true}, {"type": "string", "name": "note", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: '[{"name": "threshold", "type": "double", "default": 0.5, "shape": null}]'
utc_time_created: '2026-01-01 00:00:00.000000'
`;

const requirements = "mlflow==3.17.2\ncloudpickle==3.1.1\nnumpy==2.3.4\nscikit-learn==1.9.1\n";

/** What axe finds against WCAG 2.2 AA and its own best practices. */
export async function violations(page: Page): Promise<string[]> {
  // Menus, dialogs and messages fade in, and what is half there has too little contrast. What goes with scrolling, or on
  // for ever, has no end to wait for, and what is folded away does not move on.
  await page.evaluate(() => {
    const ends = ({ playState, timeline, effect }: Animation) =>
      playState === "running" && timeline === document.timeline && effect?.getComputedTiming().endTime !== Infinity;
    const ending = document.getAnimations().filter(ends).map((animation) => animation.finished);
    const longest = new Promise((resolve) => setTimeout(resolve, 1_000));
    return Promise.race([Promise.allSettled(ending), longest]).then(() => {});
  });
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = await new AxeBuilder({ page }).withTags(tags).analyze();
  return found.violations.map((violation) => `${violation.id}: ${violation.nodes[0].html}`);
}

/** Holds requests to an address back, or only those that contain a text, until the answer is called. */
export async function holdBack(page: Page, address: string | RegExp, text = ""): Promise<() => void> {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route(address, async (route) => {
    if ((route.request().postData() ?? "").includes(text)) await released;
    await route.continue().catch(() => {}); // it may have been cancelled meanwhile
  });
  return release;
}
