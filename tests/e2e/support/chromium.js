// Debian's Chromium, headless, as an ordinary visitor's browser. It resolves *.localhost to loopback by itself and treats
// such origins as secure, so the Worker's cookies need no exception.

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { VISITOR } from "./http.js";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";

export async function launch() {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is missing: install Chromium, or name another one in CHROMIUM`);
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
}

/**
 * A visitor with an empty jar, by an ordinary name: a headless browser's own is on every list of bots, whose conversions
 * are held. What goes wrong on the pages is collected in `troubles`.
 */
export async function visit(browser, options = {}) {
  const context = await browser.newContext({ userAgent: VISITOR, ...options });
  const page = await context.newPage();
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(`page: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && troubles.push(`console: ${message.text()} ${message.location().url}`));
  return { context, page, troubles };
}

/** Saves a picture for a person to look at, where SCREENSHOTS names a folder. */
export async function photograph(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
