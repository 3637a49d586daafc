// Load, by wrk. It runs in a process of its own and uses one thread, so that one core is left for the server.
import { execFile, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** What Cloudflare knows of a request; workerd makes `request.cf` of it, which would be missing otherwise. */
const CF = { country: "DE", city: "Berlin", colo: "TXL", asn: 64496, httpProtocol: "HTTP/2", timezone: "Europe/Berlin" };

/** What a browser sends, as far as a tracker looks at it. */
export const HEADERS = {
  Host: "demo-tracking.localhost",
  "User-Agent":
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language": "en-GB,en;q=0.9",
  Referer: "https://blog.example/post",
  "Sec-Fetch-Dest": "document",
  "Sec-Fetch-Mode": "navigate",
  "Sec-Fetch-Site": "cross-site",
  "CF-Connecting-IP": "203.0.113.7",
  "MF-CF-Blob": JSON.stringify(CF),
};

/** Installs wrk where it is missing, or says what to do. */
export function prepare() {
  execFileSync("sh", [here("install.sh")], { stdio: "inherit" });
}

/** Sends requests for some seconds. `script` is a Lua file of this folder with its arguments. */
export async function send({ url, connections, seconds, headers = HEADERS, script = ["report.lua"] }) {
  const [file, ...details] = script;
  const running = promisify(execFile)("wrk", [
    "--threads=1",
    `--connections=${connections}`,
    `--duration=${seconds}s`,
    "--timeout=30s",
    ...Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
    `--script=${here(file)}`,
    url,
    "--",
    ...details,
  ]);
  const end = () => running.child.kill();
  process.once("exit", end);
  const { stdout } = await running.finally(() => process.off("exit", end));
  const line = stdout.split("\n").find((text) => text.startsWith("JSON "));
  if (line === undefined) throw new Error(`wrk printed no report:\n${stdout}`);
  const report = JSON.parse(line.slice(5));
  return { ...report, perSecond: report.requests / (report.microseconds / 1e6) };
}
