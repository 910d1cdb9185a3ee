import { forbidden, invalidParameter } from '@cleat/protocol/errors';

/**
 * Image references, read as Docker reads them (distribution/reference): `busybox` is
 * `docker.io/library/busybox:latest`, and is shown as `busybox:latest`.
 */
export interface Reference {
  /** Registry: `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** Repository inside the registry: `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  /** `sha256:…` */
  readonly digest?: string;
}

const defaultDomain = 'docker.io';
const officialPrefix = 'library/';
const defaultTag = 'latest';

const domainPattern =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::\d+)?$/;
const pathPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const hex64 = /^[a-f0-9]{64}$/;

/** Whether `text` is a digest that we can verify (SHA-256). */
export function isDigest(text: string): boolean {
  return text.startsWith('sha256:') && hex64.test(text.slice(7));
}

const malformed = (detail = '') => invalidParameter(`invalid reference format${detail}`);

/**
 * Reads a name as a user writes it.
 * @throws InvalidParameter with Docker's text
 */
export function parseReference(text: string): Reference {
  if (hex64.test(text)) {
    throw invalidParameter(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  let name = at < 0 ? text : text.slice(0, at);
  const colon = name.lastIndexOf(':');
  const tag = colon > name.lastIndexOf('/') ? name.slice(colon + 1) : undefined;
  if (tag !== undefined) name = name.slice(0, colon);

  const { domain, path } = splitDomain(name);
  if (path !== path.toLowerCase()) throw malformed(`: repository name (${path}) must be lowercase`);
  if (!domainPattern.test(domain) || !pathPattern.test(path)) throw malformed();
  if (tag !== undefined && !tagPattern.test(tag)) throw malformed();
  if (digest !== undefined && !isDigest(digest)) throw malformed();
  if (path.length > 255) throw invalidParameter('repository name must not be more than 255 characters');
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  const isDomain = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  let domain = isDomain ? first : defaultDomain;
  let path = isDomain ? name.slice(slash + 1) : name;
  if (domain === 'index.docker.io') domain = defaultDomain;
  if (domain === defaultDomain && !path.includes('/')) path = officialPrefix + path;
  return { domain, path };
}

/**
 * A reference from the API's `repo` and `tag` parameters; `tag` may be a digest where `digest` is allowed. Without a
 * tag it is `latest`.
 * @throws InvalidParameter
 */
export function referenceOf(repository: string, tag: string): Reference {
  const parsed = parseReference(repository);
  if (parsed.digest) throw invalidParameter('cannot import digest reference');
  if (tag === '') return withDefaultTag(parsed);
  return withTag(parsed, tag);
}

/** @throws InvalidParameter for a malformed tag */
export function withTag(reference: Reference, tag: string): Reference {
  if (!tagPattern.test(tag)) throw invalidParameter('invalid tag format');
  return { domain: reference.domain, path: reference.path, tag };
}

export function withDigest(reference: Reference, digest: string): Reference {
  return { domain: reference.domain, path: reference.path, digest };
}

/** `latest` is what a reference without tag and digest means. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: defaultTag } : reference;
}

/** `docker.io/library/busybox`: registry and repository. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** Canonical text, the key under which a reference is kept. A digest wins over a tag, as in Docker's store. */
export function canonical(reference: Reference): string {
  const suffix = reference.digest ? `@${reference.digest}` : `:${reference.tag ?? defaultTag}`;
  return repositoryOf(reference) + suffix;
}

/** The repository as users see it: `busybox`, `user/app`, `localhost:5000/app`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== defaultDomain) return repositoryOf(reference);
  const { path } = reference;
  const short = path.slice(officialPrefix.length);
  return path.startsWith(officialPrefix) && !short.includes('/') ? short : path;
}

/** The whole reference as users see it. */
export function familiar(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return familiarName(reference) + tag + digest;
}

/** `scratch` is a word of Dockerfiles, never an image. @throws Forbidden */
export function refuseReserved(reference: Reference): void {
  if (familiarName(reference) === 'scratch') throw forbidden("'scratch' is a reserved name");
}

/** The argument of `docker rmi`, `docker run`, …: an image ID in full, or a name (which may be a short ID). */
export type AnyReference = { kind: 'id'; id: string } | { kind: 'name'; reference: Reference };

/** @throws InvalidParameter when it can be neither an ID nor a name */
export function parseAny(text: string): AnyReference {
  if (hex64.test(text)) return { kind: 'id', id: `sha256:${text}` };
  if (isDigest(text)) return { kind: 'id', id: text };
  return { kind: 'name', reference: parseReference(text) };
}
