// The page at /graphql: GraphiQL, asking the registry it came from with the session's cookie.
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import "./graphiql.css";

const WELCOME = `# Who am I, and what is here?
query {
  viewer { username }
  projects(first: 10) {
    nodes { path name models(first: 5) { nodes { name latestVersion { version } } } }
  }
}
`;

async function fetcher({ query, variables, operationName }, { headers } = {}) {
  const response = await fetch(location.pathname, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...headers },
    body: JSON.stringify({ query, variables, operationName }),
  });
  return response.json();
}

createRoot(document.getElementById("graphiql")).render(
  createElement(GraphiQL, { fetcher, defaultQuery: WELCOME, shouldPersistHeaders: false }),
);
