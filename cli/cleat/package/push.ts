import { familiar, parseReference, type Reference, withDefaultTag, withTag } from '@cleat/engine/content/references';
import type { RegistryClient } from '@cleat/engine/distribution/service';
import { invalidParameter } from '@cleat/protocol/errors';
import { type RegistryOptions, withPluginRegistry } from '../registry/registry.js';
import type { Artifact, Built } from './build.js';
import type { Blob, Layout } from './layout.js';
import { humanSize } from './size.js';

export interface PushOptions extends RegistryOptions {
  readonly reference: string;
  readonly layout: Layout;
  readonly built: readonly Built[];
  readonly artifact: Artifact;
  readonly say: (line: string) => void;
}

/** The reference of a push: a tag, `latest` where none is given. @throws InvalidParameter */
export function pushReference(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== undefined) throw invalidParameter('a package is pushed under a tag, not a digest');
  return reference;
}

/**
 * Brings a package to a registry. One for several platforms is also there under a tag for each, `TAG-ARCH`: a stock engine
 * reads no list of plugins.
 */
export async function push(options: PushOptions): Promise<void> {
  const { layout, built, artifact, say } = options;
  const reference = pushReference(options.reference);
  const tag = reference.tag ?? '';
  await withPluginRegistry(reference, 'push', options, async (client) => {
    for (const blob of new Map(built.flatMap(blobsOf).map((one) => [one.digest, one])).values()) {
      await send(client, layout, blob, options);
    }
    for (const one of built.length > 1 ? built : []) {
      const text = await layout.read(one.artifact.digest);
      const own = withTag(reference, `${tag}-${one.platform.architecture}${one.platform.variant ?? ''}`);
      await client.putManifest(one.artifact.digest, mediaTypeOf(text), text, options.signal);
      await client.putManifest(own.tag ?? '', mediaTypeOf(text), text, options.signal);
      say(`${familiar(own)}: digest: ${one.artifact.digest} size: ${one.artifact.size}`);
    }
    await client.putManifest(tag, artifact.mediaType, await layout.read(artifact.digest), options.signal);
  });
  say(`${familiar(reference)}: digest: ${artifact.digest} size: ${artifact.size}`);
}

const blobsOf = ({ layers, config }: Built): Blob[] => [...layers, config];

const mediaTypeOf = (text: string): string => String((JSON.parse(text) as { mediaType?: unknown }).mediaType);

async function send(client: RegistryClient, layout: Layout, { digest, size }: Blob, options: PushOptions) {
  const short = digest.slice(7, 19);
  if (await client.hasBlob(digest, options.signal)) {
    options.say(`${short}: Layer already exists`);
    return;
  }
  await client.upload(digest, size, () => layout.stream(digest), options.signal);
  options.say(`${short}: Pushed ${humanSize(size)}`);
}
