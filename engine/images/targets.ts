import { invalidParameter } from '@cleat/protocol/errors';
import { hostPlatform, type Platform, platformDistance } from '../content/platform.js';
import type { ImageId } from '../ids.js';
import type { Collection, Store } from '../store/service.js';
import type { Descriptor, TargetManifest, TargetRecord } from './records.js';

/** Manifests that an index may list: each is shown, and looked at for each name. */
const maxManifests = 1000;
/** Annotations are anybody's text, and are read with each list. */
const maxTargetBytes = 512 * 1024;

/** A target as it was found, before anything of it is here. */
export type FoundTarget = Omit<TargetRecord, 'v' | 'manifests'> & { manifests: Descriptor[] };

/** @throws InvalidParameter for an index that is too large to be kept */
export function refuseLargeTarget({ manifests, digest }: FoundTarget): void {
  if (manifests.length > maxManifests) {
    throw invalidParameter(`the index ${digest} lists more than ${maxManifests} manifests`);
  }
  if (Buffer.byteLength(JSON.stringify(manifests)) > maxTargetBytes) {
    throw invalidParameter(`the manifests that the index ${digest} lists need more than ${maxTargetBytes} bytes`);
  }
}

/** Whether a manifest is that of an image (moby `daemon/containerd/image_manifest.go`, IsPseudoImage). */
export function isImageManifest({ platform, annotations }: Descriptor): boolean {
  if (annotations?.[attestationType] !== undefined) return false;
  return platform?.os !== 'unknown' || platform.architecture !== 'unknown';
}

/** BuildKit's annotations of attestations (`docs/attestations/attestation-storage.md`). */
const attestationType = 'vnd.docker.reference.type';
const attestationFor = 'vnd.docker.reference.digest';

/** Digest of the manifest that an attestation is for; undefined for anything else. */
export function attestedBy({ annotations }: Descriptor): string | undefined {
  return annotations?.[attestationType] === undefined ? undefined : annotations[attestationFor];
}

/**
 * The manifests and indexes that names had in their registries and archives, and which images of them are here. Names
 * know which target is theirs (`names.ts`).
 */
export class Targets {
  readonly #records: Collection<TargetRecord>;
  readonly #loaded = new Map<string, TargetRecord>();
  /** The targets that an image is part of. */
  readonly #ofImage = new Map<ImageId, Set<string>>();

  constructor(store: Store) {
    this.#records = store.collection('image-targets');
    for (const [, record] of this.#records.entries()) this.#load(record);
  }

  get(digest: string | undefined): TargetRecord | undefined {
    return digest === undefined ? undefined : this.#loaded.get(digest);
  }

  all(): TargetRecord[] {
    return [...this.#loaded.values()];
  }

  /** Those that the image is part of. */
  of(id: ImageId): TargetRecord[] {
    return [...(this.#ofImage.get(id) ?? [])].map((digest) => this.#loaded.get(digest)).filter((each) => !!each);
  }

  /** Notes that an image of a target is here. @returns the target as it is now */
  arrive(found: FoundTarget, manifest: string, id: ImageId): TargetRecord {
    const known = this.#loaded.get(found.digest);
    const manifests: TargetManifest[] = known?.manifests ?? found.manifests;
    const { digest, mediaType, size, annotations, artifactType } = found;
    const record: TargetRecord = {
      v: 1,
      digest,
      mediaType,
      size,
      ...(annotations && { annotations }),
      ...(artifactType && { artifactType }),
      manifests: manifests.map((each) => (each.digest === manifest ? { ...each, image: id } : each)),
    };
    return this.#put(record);
  }

  /** Notes that an image is no longer part of a target, or of any. @returns the targets that have changed */
  leave(id: ImageId, only?: string): TargetRecord[] {
    const changed = this.of(id).filter(({ digest }) => only === undefined || digest === only);
    return changed.map((record) =>
      this.#put({
        ...record,
        manifests: record.manifests.map(({ image, ...rest }) => (image && image !== id ? { ...rest, image } : rest)),
      }),
    );
  }

  delete(digest: string): void {
    const record = this.#loaded.get(digest);
    if (!record) return;
    this.#records.delete(digest);
    this.#unload(record);
  }

  #put(record: TargetRecord): TargetRecord {
    const before = this.#loaded.get(record.digest);
    if (before) this.#unload(before);
    this.#records.put(record.digest, record);
    this.#load(record);
    return record;
  }

  #load(record: TargetRecord): void {
    this.#loaded.set(record.digest, record);
    for (const { image } of record.manifests) {
      if (image === undefined) continue;
      const targets = this.#ofImage.get(image) ?? new Set();
      this.#ofImage.set(image, targets.add(record.digest));
    }
  }

  #unload(record: TargetRecord): void {
    this.#loaded.delete(record.digest);
    for (const { image } of record.manifests) {
      if (image === undefined) continue;
      const targets = this.#ofImage.get(image);
      targets?.delete(record.digest);
      if (targets?.size === 0) this.#ofImage.delete(image);
    }
  }
}

/** How well an image runs here: less is better; what runs not at all comes last. */
export function hostDistance(platform: Platform): number {
  return platformDistance(hostPlatform(), platform) ?? Number.POSITIVE_INFINITY;
}
