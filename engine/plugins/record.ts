import type { PluginSettings } from '@cleat/protocol/api/plugin';
import type { StoredBlob } from '../content/service.js';
import type { PluginId } from '../ids.js';

/** Collection `plugins`, by ID. */
export interface PluginRecord {
  v: 1;
  id: PluginId;
  /** As users see it, with its tag: `vieux/sshfs:latest`. Volumes and networks belong to this name, not to the ID. */
  name: string;
  /** The user wants it to run. */
  enabled: boolean;
  /** Seconds that it has to answer when it is enabled; 0: as long as is usual. */
  timeout: number;
  /** Also what is a secret: the store is root's. */
  settings: PluginSettings;
  package: PluginPackage;
  /** The package before an upgrade, until the new one has answered once. */
  previous?: { package: PluginPackage; settings: PluginSettings };
  /** An upgrade was taken back, and nobody was told yet. */
  takenBack?: TakenBack;
}

/** An upgrade that was taken back: the digests of the packages, and why. */
export interface TakenBack {
  upgrade: string;
  to: string;
  why: string;
}

/** The package, from a registry or made here: changed only by an upgrade. */
export interface PluginPackage {
  /** Where it came from, with registry and tag or digest. */
  reference: string;
  /** The manifest (`config.json`), byte for byte: its digest is in `artifact`. */
  config: string;
  /** The manifest of registries, byte for byte: so it is pushed as it came. */
  artifact: string;
  /** The media type of `artifact`. */
  mediaType: string;
  /** Lowest first. */
  layers: PluginLayer[];
}

/** A layer, and the archive that it came as. */
export interface PluginLayer extends StoredBlob {
  diffId: string;
}
