// `make dev`: wrangler dev, beside it what Cloudflare's edge does and wrangler does not (the cron), and a namespace to try things with.
// What has to be installed, built and migrated is done before, by scripts/install.sh and scripts/build.sh.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseEnv } from "node:util";
import { demoToken, ensureDemo } from "./demo.js";

const CRON_EVERY_MS = 60_000;
const START_WITHIN_MS = 120_000;

const port = Number(process.env.PORT || 8787);
const state = process.env.STATE || ".wrangler/state";
const base = `http://127.0.0.1:${port}`;

function fail(message) {
  console.error(`[dev] ${message}`);
  process.exit(1);
}

if (!Number.isInteger(port) || port < 1 || port > 65_535) fail(`PORT is not a port: ${process.env.PORT}`);
await new Promise((resolve) => {
  const probe = createServer();
  probe.once("error", (error) => {
    fail(error.code === "EADDRINUSE" ? `port ${port} is in use; choose another one: make dev PORT=${port + 1}` : `port ${port}: ${error.message}`);
  });
  probe.listen(port, "127.0.0.1", () => probe.close(resolve));
});

const secrets = parseEnv(readFileSync(".dev.vars", "utf8"));
if (!secrets.ADMIN_TOKEN) fail("ADMIN_TOKEN is missing in .dev.vars");

// Wrangler stays in this process group, so that whatever ends the group (Ctrl-C, a closed terminal, a test) ends it too.
const wrangler = spawn(
  process.execPath,
  [
    "node_modules/wrangler/bin/wrangler.js",
    "dev",
    "--ip=127.0.0.1",
    `--port=${port}`,
    `--persist-to=${state}`,
    `--var=TRACKING_URL:http://{namespace}-tracking.localhost:${port}`,
    // With it the demo's shop reports its sales, as a shop's server would.
    `--var=DEMO_TOKEN:${demoToken(secrets.ADMIN_TOKEN)}`,
    "--show-interactive-dev-session=false",
  ],
  {
    stdio: ["ignore", "inherit", "inherit"],
    // The build command needs STATE to migrate the same store. The placeholder for `request.cf` is good enough here.
    env: { CLOUDFLARE_CF_FETCH_ENABLED: "false", ...process.env, STATE: state },
  },
);

let stopping = false;
const ended = new Promise((resolve) => wrangler.once("exit", resolve));
ended.then((code) => {
  if (!stopping) fail(`wrangler has ended (${code ?? "by a signal"})`);
});

async function stop() {
  if (stopping) return;
  stopping = true;
  // A Ctrl-C has reached wrangler as well; a second signal would keep it from ending its workerd.
  for (const signal of [null, "SIGTERM", "SIGKILL"]) {
    if (signal) wrangler.kill(signal);
    if (await Promise.race([ended.then(() => true), sleep(signal ? 5_000 : 1_000, false)])) break;
  }
  process.exit(0);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);

async function untilHealthy() {
  const deadline = Date.now() + START_WITHIN_MS;
  let last = "no answer";
  while (Date.now() < deadline) {
    try {
      const response = await fetch(`${base}/health`, { signal: AbortSignal.timeout(2_000) });
      if (response.ok) return;
      last = `${response.status} ${await response.text()}`;
    } catch (error) {
      last = error.cause?.message ?? error.message;
    }
    await sleep(100);
  }
  throw new Error(`/health did not answer 200 within ${START_WITHIN_MS / 1000} s: ${last}`);
}

async function cron() {
  const pattern = encodeURIComponent("* * * * *");
  try {
    const response = await fetch(`${base}/cdn-cgi/local/scheduled?cron=${pattern}`, { signal: AbortSignal.timeout(CRON_EVERY_MS) });
    if (!response.ok) console.error(`[dev] the cron handler failed: ${response.status} ${await response.text()}`);
  } catch (error) {
    if (!stopping) console.error(`[dev] the cron handler could not be called: ${error.cause?.message ?? error.message}`);
  }
}

try {
  await untilHealthy();
  await cron();
  setInterval(cron, CRON_EVERY_MS);
  const demo = await ensureDemo({ base, port, adminToken: secrets.ADMIN_TOKEN });
  console.log(`\nclick     ${demo.click}\npostback  ${demo.postback}\napi key   ${demo.apiKey}\n\n[dev] Backtrail runs; Ctrl-C ends it.`);
} catch (error) {
  if (!stopping) {
    console.error(`[dev] ${error.message}`);
    process.exitCode = 1;
    stopping = true;
    wrangler.kill("SIGTERM");
    await Promise.race([ended, sleep(5_000)]);
    process.exit(1);
  }
}
