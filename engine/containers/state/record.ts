import type { ContainerConfig, HostConfig } from '@cleat/protocol/api/container';
import type { ContainerId, ImageId } from '../../ids.js';
import type { RequestedNetworks } from '../../networks/service.js';
import type { StoredState } from './life.js';

/** A container as it is kept in the store (collection `containers`, key: ID). */
export interface ContainerRecord {
  /** Schema version. */
  v: 1;
  id: ContainerId;
  /** Without a slash. */
  name: string;
  /** RFC 3339 with nanoseconds. */
  created: string;
  /** Entrypoint and command put together. */
  path: string;
  args: string[];
  /** `sha256:…` */
  imageId: ImageId;
  /** As the image's own; Linux for all we run. */
  platform: string;
  /** A builder made it for a build, and with the build it goes. */
  builder?: string;
  /** Merged with the image's. */
  config: ContainerConfig;
  /** With the engine's defaults filled in. */
  hostConfig: HostConfig;
  /** Its requests to networks; the networks' room says what is in it. */
  endpoints: RequestedNetworks['endpoints'];
  /** Aliases for other containers on the default network. Absent: none. */
  links?: ContainerLink[];
  /** Binds, volumes, images and `--mount type=tmpfs`, by destination; `--tmpfs` stays in hostConfig. */
  mounts: MountRecord[];
  /** The secrets that providers are asked for at each start; values are never kept. Absent: none. */
  secrets?: RequestedSecret[];
  /** Which of the configured runtimes runs it. */
  runtime: string;
  logPath: string;
  appArmorProfile: string;
  restartCount: number;
  /** A user stopped or killed it: `unless-stopped` leaves it alone at boot, and no policy restarts it. */
  manuallyStopped: boolean;
  startedBefore: boolean;
  state: StoredState;
}

export interface ContainerLink {
  containerId: ContainerId;
  alias: string;
  /** Its name when it was linked to, for when it is gone. */
  name: string;
}

interface MountCommon {
  /** Absolute and clean. */
  destination: string;
  /** The words after the second colon of `-v` (`ro`, `z`, …). */
  mode: string;
  rw: boolean;
  /** `rprivate`, `rslave`, …; empty where none applies. */
  propagation: string;
}

export interface BindMount extends MountCommon {
  type: 'bind';
  /** The host's path. */
  source: string;
  /** `rslave` only where its mount is passed on at all; else that is no error. */
  slaveIfShared?: boolean;
  /** Make the source, as a directory, when it is missing (`-v` does, `--mount` does not). */
  createSource?: boolean;
  /** Without what is mounted below the source. */
  nonRecursive?: boolean;
  /** Read-only: what is mounted below the source stays writable. */
  readOnlyNonRecursive?: boolean;
  /** Read-only: better no start than something below the source that stays writable. */
  readOnlyForceRecursive?: boolean;
}

export interface VolumeMount extends MountCommon {
  type: 'volume';
  name: string;
  driver: string;
  /** The driver's path as last seen, may be empty. */
  source: string;
  /** Made by us without a name; goes with `rm -v` and `--rm`. */
  anonymous?: boolean;
  /** Leave it empty even if the image has files at the destination. */
  noCopy?: boolean;
  /** Mount only this directory of it. */
  subpath?: string;
  /** `volume-opt` of `--mount`, for a driver that asks how each mount is meant. */
  driverOptions?: Record<string, string>;
}

/** Options of `--mount type=tmpfs`. */
export interface TmpfsMount extends MountCommon {
  type: 'tmpfs';
  source: '';
  /** Mount options, such as `size=65536`, `mode=1777`. */
  options: string[];
}

/** `--mount type=image`: the files of an image, which can only be read. */
export interface ImageMount extends MountCommon {
  type: 'image';
  rw: false;
  /** As the user called it. */
  source: string;
  /** The image that it named when the container was made. */
  imageId: ImageId;
  /** Mount only this directory or file of it. */
  subpath?: string;
}

export type MountRecord = BindMount | VolumeMount | TmpfsMount | ImageMount;

export const isVolume = (mount: MountRecord): mount is VolumeMount => mount.type === 'volume';

/** A volume that was made for this container alone. */
export const isAnonymous = (mount: MountRecord): mount is VolumeMount => isVolume(mount) && mount.anonymous === true;

export interface RequestedSecret {
  /** Name of the secret, and of the file. */
  name: string;
  /** The plugin. */
  provider: string;
  /** Further labels for the provider. */
  labels: Record<string, string>;
}
