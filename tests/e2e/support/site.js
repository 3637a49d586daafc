// A shop's site of another origin, with the site script on each page.

import { createServer } from "node:http";
import { once } from "node:events";

/** Starts it; `html` is what a page holds besides the script, by path. */
export async function startSite(host, { attributes = "", html = () => "" } = {}) {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>Shop</title><h1>Shop</h1>${html(request.url)}
      <script ${attributes} src="http://${host()}/tracker.js"></script>`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://www.shop.localhost:${server.address().port}`;
  return {
    origin,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The reports that a page sends from now on, and their answers. */
export function listen(page) {
  const reports = [];
  page.on("response", async (response) => {
    if (!response.url().endsWith("/collect")) return;
    const answer = await response.json().catch(() => null);
    reports.push({ body: JSON.parse(response.request().postData()), status: response.status(), answer });
  });
  return reports;
}
