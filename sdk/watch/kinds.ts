import type { ContainerInspect, ContainerSummary } from '@cleat/protocol/api/container';
import type { ImageInspect, ImageSummary } from '@cleat/protocol/api/image';
import type { NetworkResource } from '@cleat/protocol/api/network';
import type { VolumeResource } from '@cleat/protocol/api/volume';

/** A row of an engine's list, by kind. */
export interface Objects {
  container: ContainerSummary;
  image: ImageSummary;
  network: NetworkResource;
  volume: VolumeResource;
}

/** Its answer for one object, by ID. */
export interface Inspected {
  container: ContainerInspect;
  image: ImageInspect;
  network: NetworkResource;
  volume: VolumeResource;
}

export type ObjectKind = keyof Objects;

/** An object of the engine's as it comes: its members are not ours to trust. */
export type Row = Readonly<Record<string, unknown>>;

interface KindOfObject {
  readonly list: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Where the rows are in the answer, if that is not the list itself. */
  readonly rows?: string;
  /** The member that names an object for good. */
  readonly id: string;
  readonly inspect: (id: string) => string;
  /** The filter that leaves one object of the list. */
  readonly narrow?: string;
  /** Actions that change nothing of what is listed; those with a colon carry more behind it. */
  readonly quiet: readonly string[];
  /** Members that change by themselves, all the time; paths with dots. */
  readonly restless: readonly string[];
}

/** Which requests tell of each kind, and what in their answers is no change (moby `api/swagger.yaml`). */
export const objectKinds: Readonly<Record<ObjectKind, KindOfObject>> = {
  container: {
    list: '/containers/json',
    query: { all: '1' },
    id: 'Id',
    inspect: (id) => `/containers/${id}/json`,
    narrow: 'id',
    quiet: 'attach commit copy detach exec_create exec_detach exec_die exec_start export resize top'.split(' '),
    restless: ['State.Health.Log', 'ExecIDs', 'SizeRw', 'SizeRootFs'],
  },
  image: {
    list: '/images/json',
    id: 'Id',
    inspect: (id) => `/images/${id}/json`,
    quiet: ['push', 'save'],
    restless: ['Containers', 'SharedSize'],
  },
  network: {
    list: '/networks',
    id: 'Id',
    inspect: (id) => `/networks/${id}`,
    narrow: 'id',
    quiet: [],
    restless: [],
  },
  volume: {
    list: '/volumes',
    rows: 'Volumes',
    id: 'Name',
    inspect: (id) => `/volumes/${id}`,
    quiet: ['mount', 'unmount'],
    restless: ['UsageData', 'Status'],
  },
};
