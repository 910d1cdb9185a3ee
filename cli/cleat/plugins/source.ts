import { verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf } from '@cleat/engine/content/blobs';
import { parseReference, withDefaultTag } from '@cleat/engine/content/references';
import type { RegistryClient } from '@cleat/engine/distribution/service';
import { fetchSignatures } from '@cleat/engine/plugins/trust/fetch';
import { type TrustKey, verifySignatures } from '@cleat/engine/plugins/trust/verify';
import { dataLoss, forbidden, invalidParameter, messageOf, notFound, unavailable } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { type RegistryOptions, withPluginRegistry } from '../registry/registry.js';
import type { Copies } from './copies.js';
import { type Index, indexBounds, indexType, readIndex } from './document.js';
import type { Source } from './sources.js';

export interface Fetched {
  readonly index: Index;
  /** For a copy: when it was fetched, and why nothing newer is there. */
  readonly stale?: { readonly at: Date; readonly why: string };
}

export interface FetchOptions extends RegistryOptions {
  readonly copies: Copies;
  readonly offline: boolean;
}

/**
 * Reads an index: from where it is, or else the last copy of it. A wrong signature is an error, never a reason for the copy.
 * @throws Forbidden for that, and for one that is older than the copy; Unavailable where there is neither
 */
export async function fetchIndex(source: Source, options: FetchOptions): Promise<Fetched> {
  const { copies, offline } = options;
  let why = 'offline, as asked for';
  if (!offline || isFile(source.place)) {
    try {
      const text = await read(source, options);
      const index = readIndex(text, source.place);
      refuseOlder(source, index, copies);
      if (!isFile(source.place)) copies.keep(source, text);
      return { index };
    } catch (error) {
      if (isFinal(error) || isFile(source.place)) throw error;
      why = messageOf(error);
    }
  }
  const copy = copies.last(source);
  if (!copy) throw unavailable(`the index ${source.place} cannot be read, and there is no copy of it: ${why}`);
  return { index: readIndex(copy.text, source.place), stale: { at: copy.at, why } };
}

/** An older one has a good signature, too. Nobody answers for the time of one that is not signed. */
function refuseOlder(source: Source, { created }: Index, copies: Copies): void {
  const copy = source.keys.length > 0 ? copies.last(source) : undefined;
  if (!copy) return;
  const newest = readIndex(copy.text, copy.path).created;
  if (!(Date.parse(created) < Date.parse(newest))) return;
  throw forbidden(
    `the index ${source.place} went back: it is one of ${created}, but one of ${newest} was here. To take it all the same, remove ${copy.path}`,
  );
}

const isFinal = (error: unknown): boolean =>
  isRecord(error) && (error.class === 'Forbidden' || error.class === 'InvalidParameter' || error.class === 'DataLoss');

const isFile = (place: string): boolean => place.startsWith('/') || place.startsWith('.') || place.startsWith('file:');
const isWeb = (place: string): boolean => /^https?:/.test(place);

async function read(source: Source, options: FetchOptions): Promise<string> {
  const { place } = source;
  if (!isFile(place) && !isWeb(place)) return await fromRegistry(source, options);
  const get = isFile(place) ? fromFile : (path: string) => fromWeb(path, options.signal);
  const text = await get(place);
  if (source.keys.length > 0)
    checkDetached(
      source,
      text,
      await get(`${place}.sig`).catch((error: unknown) => {
        throw forbidden(`the index ${place} has no signature: ${messageOf(error)}`, { cause: error });
      }),
    );
  return text;
}

async function fromFile(place: string): Promise<string> {
  const path = place.startsWith('file:') ? fileURLToPath(place) : place;
  if (!existsSync(path)) throw notFound(`there is no index ${path}`);
  return readFileSync(path, 'utf8');
}

/** Time for one page: connection, head and body. */
const webMs = 20_000;

async function fromWeb(place: string, signal: AbortSignal): Promise<string> {
  if (place.startsWith('http:') && !/^http:\/\/(127\.|localhost|\[::1\])/.test(place)) {
    throw invalidParameter(`the index ${place} must come by https`);
  }
  const response = await fetch(place, { signal: AbortSignal.any([signal, AbortSignal.timeout(webMs)]) });
  if (!response.ok || !response.body) throw unavailable(`${place} answered ${response.status}`);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += part.length;
    if (size > indexBounds.bytes) throw invalidParameter(`${place} is too large for an index of plugins`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** A signature of the text itself, as `cosign sign-blob` makes it. @throws Forbidden */
function checkDetached({ place, keys }: Source, text: string, signature: string): void {
  const bytes = Buffer.from(signature.trim(), 'base64');
  const fits = keys.some(({ key }) => {
    try {
      return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(text), key, bytes);
    } catch {
      // No signature at all.
      return false;
    }
  });
  if (!fits) throw forbidden(`the index ${place} is not signed with ${named(keys)}`);
}

const named = (keys: readonly TrustKey[]): string => keys.map(({ name }) => name).join(' or ');

async function fromRegistry({ place, keys }: Source, options: FetchOptions): Promise<string> {
  const reference = withDefaultTag(parseReference(place));
  return await withPluginRegistry(reference, 'pull', options, async (client) => {
    const { text, digest } = await client.manifest(reference.digest ?? reference.tag ?? '', options.signal);
    if (keys.length > 0) await checkSigned(client, place, digest, keys, options.signal);
    const layer = layerIn(text);
    if (layer === undefined) throw invalidParameter(`${place} is no index of plugins`);
    const answer = await client.blob(layer, 0, options.signal);
    const content = await answer.bytes(indexBounds.bytes, 'the index');
    if (digestOf(content) !== layer) throw dataLoss(`the index ${place} is damaged`);
    return content.toString('utf8');
  });
}

async function checkSigned(
  client: RegistryClient,
  place: string,
  digest: string,
  keys: readonly TrustKey[],
  signal: AbortSignal,
): Promise<void> {
  const verdict = verifySignatures([digest], await fetchSignatures(client, digest, signal), keys);
  if (!verdict.trusted) throw forbidden(`the index ${place} is not trusted: ${verdict.why}`);
}

function layerIn(text: string): string | undefined {
  const manifest: unknown = JSON.parse(text);
  const layers = isRecord(manifest) && Array.isArray(manifest.layers) ? manifest.layers : [];
  const [layer] = layers.filter((each: unknown) => isRecord(each) && each.mediaType === indexType);
  return isRecord(layer) && typeof layer.digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(layer.digest)
    ? layer.digest
    : undefined;
}

/** Where copies are: for everybody where root asks, else the user's own. */
export function copiesDirectory(env = process.env): string {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'cleat/indexes');
  return process.getuid?.() === 0 ? '/var/cache/cleat/indexes' : join(env.HOME ?? '/tmp', '.cache/cleat/indexes');
}
