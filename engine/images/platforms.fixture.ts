import { digestOf } from '../content/blobs.js';
import { type Entry, tarOf } from './images.fixture.js';

export interface Layout {
  archive: Buffer;
  /** Image IDs by architecture. */
  ids: Record<string, string>;
  /** Digests of the manifests, by architecture. */
  manifests: Record<string, string>;
  /** Digest of the index. */
  index: string;
  /** The documents and layers, by digest. */
  blobs: Map<string, string | Buffer>;
}

const type = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
};

/**
 * An OCI layout that holds one name for several platforms, by an index: with a layer of its own each, one that they
 * share, and an attestation, of which BuildKit says that its platform is unknown.
 * @param how.missing architectures that the index lists, and the archive does not hold
 * @param how.wrong the one whose configuration names another layer
 * @param how.flat the manifests are listed by `index.json` itself
 */
export async function layoutOf(
  name: string,
  architectures: readonly string[],
  how: { missing?: readonly string[]; flat?: boolean; wrong?: string } = {},
): Promise<Layout> {
  const blobs = new Map<string, string | Buffer>();
  const keep = (mediaType: string, content: string | Buffer) => {
    const digest = digestOf(content);
    blobs.set(digest, content);
    return { mediaType, digest, size: Buffer.byteLength(content) };
  };
  const ids: Record<string, string> = {};
  const manifests: Record<string, string> = {};
  const common = keep(type.layer, await tarOf([{ name: 'common', content: 'for all' }]));
  const listed: object[] = [];
  for (const architecture of architectures) {
    const own = keep(type.layer, await tarOf([{ name: 'own', content: architecture }]));
    const diffIds = [common.digest, architecture === how.wrong ? digestOf('another') : own.digest];
    const config = keep(
      type.config,
      JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
    );
    const manifest = keep(
      type.manifest,
      JSON.stringify({ schemaVersion: 2, mediaType: type.manifest, config, layers: [common, own] }),
    );
    ids[architecture] = config.digest;
    manifests[architecture] = manifest.digest;
    listed.push({ ...manifest, platform: { os: 'linux', architecture } });
    if (how.missing?.includes(architecture)) for (const { digest } of [manifest, config, own]) blobs.delete(digest);
  }
  const annotations = { 'io.containerd.image.name': `docker.io/library/${name}` };
  if (how.flat) {
    const top = listed.map((each) => ({ ...each, annotations }));
    return { archive: await archiveOf(blobs, top), ids, manifests, index: '', blobs };
  }
  listed.push({
    mediaType: type.manifest,
    digest: digestOf('the attestation, which is elsewhere'),
    size: 35,
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': manifests[architectures[0] ?? ''],
    },
    platform: { os: 'unknown', architecture: 'unknown' },
  });
  const index = keep(type.index, JSON.stringify({ schemaVersion: 2, mediaType: type.index, manifests: listed }));
  return { archive: await archiveOf(blobs, [{ ...index, annotations }]), ids, manifests, index: index.digest, blobs };
}

async function archiveOf(blobs: ReadonlyMap<string, string | Buffer>, manifests: object[]): Promise<Buffer> {
  const entries: Entry[] = [...blobs].map(([digest, content]) => ({
    name: `blobs/sha256/${digest.slice(7)}`,
    content,
  }));
  return await tarOf([...entries, { name: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests }) }]);
}
