// The description of everything that crosses the wire, held against what the Worker does: schemathesis makes up requests
// from it, valid and invalid ones, and compares each answer with what is described.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

const PROGRAMS = fileURLToPath(new URL("../../.tools/python/bin/", import.meta.url));
const SETTINGS = fileURLToPath(new URL("schemathesis.toml", import.meta.url));

let worker, demo, token, clickId, folder, description;
before(async () => {
  assert.ok(existsSync(`${PROGRAMS}schemathesis`), "schemathesis is missing: sh scripts/install.sh --tests");
  worker = await startWorker();
  // In development hosts that name no namespace are demo.
  demo = await createNamespace(worker, "demo", { collect_origins: ["https://shop.example"] });
  const scene = await demo.campaign({ authentication: "token" });
  token = await demo.token("campaign", scene.campaign.id);
  clickId = await demo.clickId(scene);
  await demo.postback({ click_id: await demo.clickId(scene), order_id: "o-1", token });
  // The second of each may be changed and revoked; with the first ones the asking goes on (schemathesis.toml).
  const { campaign } = await demo.campaign();
  await demo.token("campaign", campaign.id);
  const spare = await demo.create("keys", { name: "spare", scopes: ["read"] });
  assert.deepEqual([campaign.id, spare.id, (await demo.all("tokens")).at(-1).id], [2, 2, 2]);
  folder = await mkdtemp(join(tmpdir(), "backtrail-openapi-"));
  const answer = await worker.client.send({ host: "anything.example", path: "/openapi.json" });
  assert.equal(answer.status, 200, answer.text);
  description = answer.json;
});
after(async () => {
  await worker?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Runs a program to its end. */
function run(program, parameters) {
  return new Promise((resolve, reject) => {
    const child = spawn(PROGRAMS + program, parameters, {
      cwd: folder,
      env: { ...process.env, BACKTRAIL_KEY: demo.key, BACKTRAIL_TOKEN: token, BACKTRAIL_CLICK_ID: clickId, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stdout.on("data", (text) => (said += text));
    child.stderr.on("data", (text) => (said += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, said }));
  });
}

async function save(name, value) {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(value));
  return path;
}

/** What of a report says what is wrong; the rest of it is long, and logs keep the end of a message. */
function failures(said) {
  const [, found] = /= FAILURES =+\n([^]*?)\n=+ (?:WARNINGS|SUMMARY)/.exec(said) ?? [];
  return found ?? said;
}

/**
 * Holds a description against the Worker. How much is asked stands in the settings and not in seconds, so that a slow machine
 * asks no less than a fast one, and no machine something that was never asked before.
 */
function compare(file, ...more) {
  const url = `http://127.0.0.1:${worker.port}`;
  return run("schemathesis", ["--config-file", SETTINGS, "run", file, "--url", url, ...more]);
}

describe("the description", () => {
  test("is valid OpenAPI 3.1", async () => {
    const { code, said } = await run("openapi-spec-validator", [await save("valid.json", description)]);
    assert.equal(code, 0, said);
    const broken = structuredClone(description);
    delete broken.paths["/health"].get.responses["200"].description;
    const control = await run("openapi-spec-validator", [await save("broken.json", broken)]);
    assert.notEqual(control.code, 0, "control: a response without a description was accepted");
  });

  test("is what the Worker does", async (t) => {
    const { code, said } = await compare(await save("openapi.json", description));
    t.diagnostic(said.slice(-1_500));
    assert.equal(code, 0, failures(said));
    // It came through the doors, or it would have seen nothing but refusals.
    for (const resource of ["affiliates", "campaigns", "links"]) {
      const many = (await demo.all(resource)).length;
      t.diagnostic(`${resource}: ${many}`);
      assert.ok(many > 2, `${many} ${resource} after all that`);
    }
    const judged = (await demo.all("inbox")).length;
    t.diagnostic(`inbox: ${judged}`);
    assert.ok(judged > 2, `${judged} postbacks passed authentication`);
  });

  test("control: a status that is left out is noticed", async () => {
    const lacking = structuredClone(description);
    delete lacking.paths["/api/v1/affiliates/{id}"].get.responses["404"];
    const file = await save("lacking.json", lacking);
    const { code, said } = await compare(file, "--include-operation-id", "show_affiliates", "--phases", "examples,coverage,fuzzing");
    assert.notEqual(code, 0, said);
    assert.match(said, /Undocumented status code/);
  });
});
