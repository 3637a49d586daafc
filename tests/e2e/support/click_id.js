// The click_id of wire.md 4 once more, from the contract alone: to read ids, and to make those that time would have to
// make otherwise.

import { createHmac, hkdfSync } from "node:crypto";

export const COUNTED = 1;
export const SUSPECTED_BOT = 2;
export const PREFETCH = 4;
export const EMBEDDED = 8;

export function readClickId(text) {
  const bytes = Buffer.from(text, "base64url");
  return {
    version: bytes[0] >> 4,
    keyNumber: bytes[0] & 15,
    flags: bytes[1],
    shard: bytes.readUInt16BE(2),
    time: bytes.readUIntBE(4, 6),
    link: bytes.readUInt32BE(10),
    country: bytes.readUInt16BE(14) === 0 ? null : bytes.toString("latin1", 14, 16),
    page: bytes.readUIntBE(16, 6),
    ordinal: bytes.readUInt16BE(22),
  };
}

/** @param keys as in CLICK_KEYS; the first signs */
export function makeClickId(keys, namespace, { flags = COUNTED, shard = 0, time = Date.now(), link, country = null, page = 1, ordinal = 0 }) {
  const [number, secret] = keys.split(",")[0].split(":");
  const bytes = Buffer.alloc(24);
  bytes[0] = (1 << 4) | Number(number);
  bytes[1] = flags;
  bytes.writeUInt16BE(shard, 2);
  bytes.writeUIntBE(time, 4, 6);
  bytes.writeUInt32BE(link, 10);
  if (country !== null) bytes.write(country, 14, "latin1");
  bytes.writeUIntBE(page, 16, 6);
  bytes.writeUInt16BE(ordinal, 22);
  const key = Buffer.from(hkdfSync("sha256", secret, "", `backtrail click v1\0${namespace}`, 32));
  const tag = createHmac("sha256", key).update(bytes).digest().subarray(0, 12);
  return Buffer.concat([bytes, tag]).toString("base64url");
}
