import { invalidParameter } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { type Platform, platformDistance } from '../content/platform.js';
import { isDigest } from '../content/references.js';

export const mediaType = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerPlugin: 'application/vnd.docker.plugin.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
} as const;

const schema1 = [
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
];

/** The media types that we can read, for `Accept`. Schema 1 is named so that its refusal can say what is wrong. */
export const acceptedManifests: string = [
  mediaType.dockerManifest,
  mediaType.dockerList,
  mediaType.ociManifest,
  mediaType.ociIndex,
  ...schema1,
].join(', ');

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** The parts of an artifact with layers. */
export type Contents = 'image' | 'plugin';

/** The manifest of an image, or of what is made like one. */
export interface ImageManifest {
  kind: 'image';
  config: Descriptor;
  /** Lowest first. */
  layers: Descriptor[];
}

export interface ManifestList {
  kind: 'list';
  manifests: ListedManifest[];
}

export interface ListedManifest extends Descriptor {
  platform: Platform;
  annotations?: Record<string, string>;
  artifactType?: string;
}

/**
 * Reads a manifest of a registry.
 * @param contentType what the registry calls it; the document's own `mediaType` must not contradict
 * @throws InvalidParameter for what is malformed, of an unknown type, schema 1, or other than `contents`
 */
export function parseManifest(
  text: string,
  contentType: string,
  name: string,
  contents: Contents = 'image',
): ImageManifest | ManifestList {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw invalidParameter('unsupported manifest format', { cause });
  }
  if (!isRecord(parsed)) throw invalidParameter('unsupported manifest format');
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (schema1.includes(type) || parsed.schemaVersion === 1) {
    throw invalidParameter(
      `Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. Suggest the author of ${name} to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2.`,
    );
  }
  const isList = Array.isArray(parsed.manifests);
  const isImage = isRecord(parsed.config) || Array.isArray(parsed.layers);
  // A document that can be read both ways is read differently by different tools (CVE-2021-41190).
  if (isList === isImage) throw invalidParameter('unsupported manifest format');
  for (const named of [type, parsed.mediaType]) {
    const saysList = named === mediaType.dockerList || named === mediaType.ociIndex;
    const saysImage = named === mediaType.dockerManifest || named === mediaType.ociManifest;
    if ((saysList && !isList) || (saysImage && !isImage)) throw invalidParameter('unsupported manifest format');
  }
  return isList ? parseList(parsed.manifests) : parseImage(parsed, name, contents);
}

function parseList(manifests: unknown): ManifestList {
  const list = Array.isArray(manifests) ? manifests : [];
  return {
    kind: 'list',
    manifests: list.map((item) => {
      const platform = isRecord(item) && isRecord(item.platform) ? item.platform : {};
      const text = (value: unknown) => (typeof value === 'string' ? value : '');
      return {
        ...parseDescriptor(item),
        platform: {
          os: text(platform.os),
          architecture: text(platform.architecture),
          ...(text(platform.variant) !== '' && { variant: text(platform.variant) }),
        },
        ...(isRecord(item) && extrasOf(item)),
      };
    }),
  };
}

/** Fields of an OCI descriptor beyond media type, digest and size. */
export function extrasOf({
  annotations,
  artifactType,
}: Record<string, unknown>): Pick<ListedManifest, 'annotations' | 'artifactType'> {
  const texts = isRecord(annotations) ? Object.entries(annotations).filter(([, text]) => typeof text === 'string') : [];
  return {
    ...(texts.length > 0 && { annotations: Object.fromEntries(texts) as Record<string, string> }),
    ...(typeof artifactType === 'string' && artifactType !== '' && { artifactType }),
  };
}

const imageConfigs: readonly string[] = [mediaType.dockerConfig, mediaType.ociConfig, 'application/octet-stream', ''];

function parseImage(manifest: Record<string, unknown>, name: string, contents: Contents): ImageManifest {
  const config = parseDescriptor(manifest.config);
  if (contents === 'plugin') refuseOther(config, name);
  else if (!imageConfigs.includes(config.mediaType)) {
    const kind = config.mediaType.includes('plugin') ? 'plugin' : 'unknown';
    throw invalidParameter(`Encountered remote "${config.mediaType}"(${kind}) when fetching`);
  }
  const layers = Array.isArray(manifest.layers) ? manifest.layers.map(parseDescriptor) : [];
  for (const layer of layers) {
    const known = /^application\/(vnd\.docker\.image\.rootfs\.|vnd\.oci\.image\.layer\.|octet-stream$)/;
    if (!known.test(layer.mediaType)) throw invalidParameter(`unsupported media type ${layer.mediaType}`);
  }
  return { kind: 'image', config, layers };
}

function refuseOther({ mediaType: type }: Descriptor, name: string): void {
  if (type === mediaType.dockerPlugin) return;
  const what =
    imageConfigs.includes(type) && type !== '' ? 'it is an image' : `its configuration is of the type "${type}"`;
  throw invalidParameter(`did not find plugin config for specified reference ${name}: ${what}`);
}

/** @throws InvalidParameter */
export function parseDescriptor(value: unknown): Descriptor {
  if (!isRecord(value)) throw invalidParameter('unsupported manifest format');
  const { digest, size } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) {
    throw invalidParameter(`could not validate layer digest ${JSON.stringify(digest ?? '')}`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalidParameter(`the manifest gives ${digest} no valid size`);
  }
  return { mediaType: typeof value.mediaType === 'string' ? value.mediaType : '', digest, size };
}

/** The manifest for a platform: an exact match, or else the closest that runs on it. */
export function chooseManifest(list: ManifestList, wanted: Platform): Descriptor | undefined {
  let best: { descriptor: Descriptor; distance: number } | undefined;
  for (const descriptor of list.manifests) {
    const distance = platformDistance(wanted, descriptor.platform);
    if (distance !== undefined && (!best || distance < best.distance)) best = { descriptor, distance };
  }
  return best?.descriptor;
}
