// A small dashboard beside a registry, to copy from. Its own deployments and the registry's models come in one query through a
// gateway; a run is followed at the registry itself; the card and the badge need no script.
//
// A person's token is typed in and kept nowhere. The embed token stands in the address of this page, for everybody to read: it shows one
// project to pages of this origin, and nothing else.

const { gateway, registry, embed, model, run } = Object.fromEntries(new URL(location.href).searchParams);
const show = (id, text) => (document.getElementById(id).textContent = text);

const DEPLOYMENTS = `{ models { nodes { path
  aliases { name version { version } } deployments { cluster version { version } } } } }`;

const FOLLOW = `subscription ($project: String!, $run: String!) {
  runChanged(project: $project, runId: $run) { status metrics { name value step } } }`;

async function listModels(authorization) {
  const answer = await fetch(`${gateway}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: authorization },
    body: JSON.stringify({ query: DEPLOYMENTS }),
  });
  const { data, errors } = await answer.json();
  if (errors) return show("said", errors[0].message);
  show("said", `${data.models.nodes.length} models`);
  const rows = data.models.nodes.map(({ path, aliases, deployments }) => {
    const at = (stage) => aliases.find(({ name }) => name === stage)?.version.version ?? "–";
    const where = deployments.map(({ cluster, version }) => `${cluster}: ${version?.version ?? "unknown"}`);
    const row = document.createElement("tr");
    for (const text of [path, at("staging"), at("production"), where.join(", ") || "nowhere"]) row.insertCell().textContent = text;
    return row;
  });
  document.getElementById("models").replaceChildren(...rows);
}

/** Server-sent events pass proxies that break sockets. `EventSource` can't send a token, so they are read from a stream. */
async function follow(authorization) {
  const [project] = model.split("/");
  const answer = await fetch(`${registry}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream", Authorization: authorization },
    body: JSON.stringify({ query: FOLLOW, variables: { project, run } }),
  });
  if (!answer.ok) return show("metric", `The run can't be followed: ${answer.status}`);
  let text = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const events = (text + part.value).split("\n\n");
    text = events.pop();
    for (const event of events.filter((event) => event.startsWith("event: next"))) {
      const { data, errors } = JSON.parse(event.slice(event.indexOf("data: ") + 6));
      if (errors) return show("metric", errors[0].message);
      const { status, metrics } = data.runChanged;
      show("metric", [status, ...metrics.map(({ name, value, step }) => `${name} ${value} at step ${step}`)].join(" · "));
    }
  }
}

document.getElementById("badge").src = `${registry}/badge/${model}/production.svg?token=${embed}`;
document.getElementById("card").src = `${registry}/embed/${model}@production?token=${embed}`;
document.getElementById("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const authorization = `Bearer ${document.getElementById("token").value}`;
  listModels(authorization);
  follow(authorization);
});
