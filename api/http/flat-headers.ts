import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/**
 * Headers that plugins need not know to judge (moby `daemon/pkg/authorization`, headers), and what Go keeps elsewhere.
 */
const hidden = new Set(['authorization', 'x-registry-auth', 'x-registry-config', 'host', 'transfer-encoding']);

/** A request's headers without credentials: one value each, the last, under Go's spelling of the name. */
export function requestHeaders({ rawHeaders }: { readonly rawHeaders: readonly string[] }): Record<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (!hidden.has(name.toLowerCase())) headers.set(goName(name), rawHeaders[i + 1] ?? '');
  }
  return Object.fromEntries(headers);
}

/** An answer's headers in the same form. */
export function flatHeaders(headers: OutgoingHttpHeaders): Record<string, string> {
  const flat = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat.set(goName(name), Array.isArray(value) ? (value.at(-1) ?? '') : String(value));
  }
  return Object.fromEntries(flat);
}

/** Most are in that form already. */
const goNames = /^[A-Z][a-z0-9]*(-[A-Z0-9][a-z0-9]*)*$/;

/** `content-type` → `Content-Type` (Go's CanonicalMIMEHeaderKey). */
function goName(name: string): string {
  if (goNames.test(name)) return name;
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

/** Both forms of a request's headers with others in them; undefined: removed. */
export function changedHeaders(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
  changes: ReadonlyMap<string, string | undefined>,
): [IncomingHttpHeaders, readonly string[]] {
  let all = headers;
  let raw = rawHeaders;
  for (const [name, value] of changes) {
    const key = name.toLowerCase();
    const others = raw.filter((_, at) => raw[at - (at % 2)]?.toLowerCase() !== key);
    const { [key]: _before, ...rest } = all;
    raw = value === undefined ? others : [...others, name, value];
    all = value === undefined ? rest : { ...rest, [key]: value };
  }
  return [all, raw];
}
