import type { RouteShape } from '../http/target.js';

/**
 * Parameters whose values are kept: none of them has a place for a secret. A new one is masked until it stands here.
 */
const open = new Set(
  `all before condition container copyUIDGID detachKeys details digests dockerfile driver filters follow force forcerm
  fromImage h id identity keep-storage last limit link logs manifests max-used-space min-free-space kind memory memswap
  method decision name names networkmode nocache noOverwriteDirNonDir noprune noTrunc one-shot path pause platform
  platforms ps_args pull q quiet repo reserved-space rm route scope shared-size shmsize signal since size squash status
  statement stderr stdin stdout stream t tag tail target term timeout timestamps type until user v verbose version w after
  cpuperiod cpuquota cpusetcpus cpushares extrahosts`.split(/\s+/),
);

/** Parameters that are an address, which may hold a user and a password. */
const addresses = new Set(['remote', 'fromSrc']);

const masked = '***';
const longestValue = 256;
const longestUri = 2048;

/** A query without what may be secret in it; `pairs` are decoded. */
export function maskedQuery(pairs: Iterable<readonly [name: string, value: string]>): string {
  const shown: string[] = [];
  for (const [name, value] of pairs) shown.push(`${part(name)}=${part(shownValue(name, value))}`);
  return shown.join('&');
}

function shownValue(name: string, value: string): string {
  if (value === '') return '';
  const text = addresses.has(name) ? withoutSecrets(value) : open.has(name) ? value : masked;
  return text.length > longestValue ? `${text.slice(0, longestValue)}…` : text;
}

/** An address without user, password, query and fragment; a name of a registry's as it is. */
function withoutSecrets(value: string): string {
  if (!value.includes('://')) return /^[^/]*:[^/]*@|[?#]/.test(value) ? masked : value;
  try {
    const { protocol, host, pathname } = new URL(value);
    return `${protocol}//${host}${pathname}`;
  } catch {
    // It cannot be cleaned without being read.
    return masked;
  }
}

/** Readable, and unambiguous: what separates is escaped. */
const part = (text: string): string =>
  text.replace(/[%&=+\s]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

/** A target that was not understood: its query may be anything. */
export function maskedTarget(url: string): string {
  const mark = url.search(/[?#]/);
  return shortened(withoutUser(mark < 0 ? url : `${url.slice(0, mark)}?${masked}`));
}

/** A target for the log, which has no place for secrets either. */
export function loggedTarget(url: string): string {
  const mark = url.search(/[?#]/);
  if (mark < 0) return maskedTarget(url);
  const [query] = url.slice(mark + 1).split('#', 1);
  return shortened(`${withoutUser(url.slice(0, mark))}?${maskedQuery(new URLSearchParams(query))}`);
}

/** `http://user:password@host/path`, as a proxy is asked. */
const withoutUser = (url: string): string => url.replace(/^(\w+:\/\/)[^/]*@/, `$1${masked}@`);

export function shortened(text: string): string {
  return text.length > longestUri ? `${text.slice(0, longestUri)}…` : text;
}

/** `/containers/:name/start` → `/containers/{name}/start`. */
const shapes = new WeakMap<RouteShape, string>();
export function routeText(route: RouteShape): string {
  let text = shapes.get(route);
  if (text === undefined) {
    text = route.path.replace(/:(\w+)/g, '{$1}');
    shapes.set(route, text);
  }
  return text;
}
