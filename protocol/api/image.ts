import Type, { go, type Static } from '../schema.js';
import type { ContainerConfig } from './container.js';

/** The Engine API's image objects. */
export interface ImageSummary {
  Containers: number;
  /** Seconds since the epoch. */
  Created: number;
  Id: string;
  Labels: Record<string, string> | null;
  ParentId: string;
  RepoDigests: string[];
  RepoTags: string[];
  SharedSize: number;
  Size: number;
  /** API below 1.44. */
  VirtualSize?: number;
  /** Since API 1.48. */
  Descriptor?: ImageDescriptor;
  /** Where they are asked for (API 1.47). */
  Manifests?: ImageManifestSummary[];
}

export interface OciPlatform {
  os: string;
  architecture: string;
  variant?: string;
}

/** An OCI descriptor: `OCIDescriptor` of the API's specification. */
export interface ImageDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
  platform?: OciPlatform;
  artifactType?: string;
}

/** A manifest of an image: for a platform, or about another manifest. */
export type ImageManifestSummary = {
  /** Digest of the manifest. */
  ID: string;
  Descriptor: ImageDescriptor;
  /** Whether its content is here. */
  Available: boolean;
  Size: { Total: number; Content: number };
} & (
  | {
      Kind: 'image';
      ImageData: {
        Platform: OciPlatform;
        Identity?: ImageIdentity;
        Containers: string[];
        Size: { Unpacked: number };
      };
    }
  | { Kind: 'attestation'; AttestationData: { For: string } }
  | { Kind: 'unknown' }
);

/** Where an image came from, as far as the engine itself knows. */
export interface ImageIdentity {
  Pull: { Repository: string }[];
}

export interface ImageInspect {
  Id: string;
  /** Since API 1.48. */
  Descriptor?: ImageDescriptor;
  /** Where they are asked for (API 1.48). */
  Manifests?: ImageManifestSummary[];
  /** Since API 1.53. */
  Identity?: ImageIdentity;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  Created: string;
  DockerVersion: string;
  Author: string;
  Config: ContainerConfig;
  Architecture: string;
  Variant?: string;
  Os: string;
  Size: number;
  VirtualSize?: number;
  GraphDriver: { Name: string; Data: Record<string, string> | null };
  RootFS: { Type: 'layers'; Layers?: string[] };
  Metadata: { LastTagTime: string };
}

export interface ImageHistoryItem {
  /** `sha256:…` or `<missing>` */
  Id: string;
  /** Seconds since the epoch. */
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: number;
  Comment: string;
}

export type ImageDeleteItem = { Untagged: string } | { Deleted: string };

/** A line of a progress stream (pull, push, load, import). */
export interface Progress {
  status?: string;
  id?: string;
  progress?: string;
  progressDetail?: { current?: number; total?: number };
  stream?: string;
  error?: string;
  errorDetail?: { message: string; code?: number };
  aux?: unknown;
}

/** Body of `POST /auth`, and what `X-Registry-Auth` holds. */
export const AuthConfig = Type.Object(
  {
    username: Type.Optional(Type.String()),
    password: Type.Optional(Type.String()),
    auth: Type.Optional(Type.String()),
    email: Type.Optional(Type.String()),
    serveraddress: Type.Optional(Type.String()),
    identitytoken: Type.Optional(Type.String()),
    registrytoken: Type.Optional(Type.String()),
  },
  go('registry.AuthConfig'),
);
export type RegistryAuth = Static<typeof AuthConfig>;

/** `GET /distribution/{name}/json`. */
export interface DistributionInspect {
  Descriptor: { mediaType: string; digest: string; size: number };
  Platforms: { os: string; architecture: string; variant?: string }[] | null;
}
