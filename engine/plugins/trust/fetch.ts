import { CleatError, dataLoss, isClass } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { digestOf } from '../../content/blobs.js';
import { isDigest } from '../../content/references.js';
import type { RegistryClient } from '../../distribution/service.js';
import { signatureFormat, signatureTag } from './payload.js';
import type { Signature } from './verify.js';

/** More signatures of one digest are not looked at; a payload is a few hundred bytes. */
const bounds = { signatures: 32, payload: 64 * 1024, annotation: 4 * 1024 } as const;

/** A signature's place in the artifact that holds it. */
export interface SignatureLayer {
  readonly digest: string;
  readonly size: number;
  readonly signature: string;
}

/** The artifact with the signatures of a digest. @returns none where there is no such artifact */
export async function signatureLayers(client: RegistryClient, digest: string, signal: AbortSignal) {
  let text: string;
  try {
    ({ text } = await client.manifest(signatureTag(digest), signal));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  return layersIn(text);
}

/** A registry that knows no such tag says 404 in one of several ways. */
function isMissing(error: unknown): boolean {
  return (
    isClass(error, 'NotFound') || (error instanceof CleatError && /manifest unknown|not found/i.test(error.message))
  );
}

function layersIn(text: string): SignatureLayer[] {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    // Not a signature: the verdict says that there is none.
    return [];
  }
  const layers = isRecord(manifest) && Array.isArray(manifest.layers) ? manifest.layers : [];
  return layers.slice(0, bounds.signatures).flatMap((layer: unknown) => {
    if (!isRecord(layer) || layer.mediaType !== signatureFormat.payload) return [];
    const { digest, size } = layer;
    const signature = isRecord(layer.annotations) ? layer.annotations[signatureFormat.annotation] : undefined;
    const isGood =
      typeof digest === 'string' &&
      isDigest(digest) &&
      typeof size === 'number' &&
      size <= bounds.payload &&
      typeof signature === 'string' &&
      signature.length <= bounds.annotation;
    return isGood ? [{ digest, size, signature }] : [];
  });
}

/** The signatures of a digest, as they lie beside it. @throws DataLoss for a payload that is not the one it says */
export async function fetchSignatures(
  client: RegistryClient,
  digest: string,
  signal: AbortSignal,
): Promise<Signature[]> {
  const result: Signature[] = [];
  for (const layer of await signatureLayers(client, digest, signal)) {
    const answer = await client.blob(layer.digest, 0, signal);
    const payload = await answer.bytes(bounds.payload, 'the signature');
    if (digestOf(payload) !== layer.digest) throw dataLoss(`the signature of ${digest} is damaged`);
    result.push({ payload, signature: layer.signature });
  }
  return result;
}
