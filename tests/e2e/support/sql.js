/**
 * Splits a migration into statements: at semicolons outside of strings, quoted names, comments and trigger bodies.
 * D1 prepares one statement at a time.
 */
export function statements(text) {
  const found = [];
  let current = "";
  let depth = 0;
  const token = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\b(?:CASE|BEGIN|END)\b|;|[\s\S]/gi;
  for (const [part] of text.matchAll(token)) {
    if (part.startsWith("--") || part.startsWith("/*")) continue;
    if (/^(case|begin)$/i.test(part)) depth += 1;
    if (/^end$/i.test(part)) depth -= 1;
    if (part === ";" && depth === 0) {
      if (current.trim() !== "") found.push(current.trim());
      current = "";
    } else {
      current += part;
    }
  }
  if (current.trim() !== "") found.push(current.trim());
  return found;
}
