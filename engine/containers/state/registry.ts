import { conflict, invalidParameter, notFound } from '@cleat/protocol/errors';
import type { ContainerId } from '../../ids.js';
import type { Collection, Store } from '../../store/service.js';
import { Container } from './container.js';
import type { ContainerRecord, MountRecord } from './record.js';

/** Docker's rule for names (moby `daemon/names`). */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** All containers, by ID and by name. The store is its copy on disk; reading never does I/O. */
export class Registry {
  /** Mounts of the containers that are being made, by ID: their volumes are in use already. */
  readonly making = new Map<string, readonly MountRecord[]>();
  readonly #collection: Collection<ContainerRecord>;
  readonly #byId = new Map<ContainerId, Container>();
  /** Those with links. */
  readonly #linking = new Set<Container>();
  /** Those with an address that somebody chose for them. */
  readonly #choosing = new Set<Container>();
  /** Name → ID; a name is taken from the moment it is reserved. */
  readonly #names = new Map<string, ContainerId>();

  constructor(store: Store) {
    this.#collection = store.collection<ContainerRecord>('containers');
    for (const [, record] of this.#collection.entries()) this.#insert(this.#make(record));
  }

  #make(record: ContainerRecord): Container {
    return new Container(record, this.#collection, (container) => this.#index(container));
  }

  #insert(container: Container): void {
    if (container.record.links) this.#linking.add(container);
    this.#byId.set(container.id, container);
    this.#names.set(container.record.name, container.id);
    this.#index(container);
  }

  #index(container: Container): void {
    const isKept = this.#byId.get(container.id) === container;
    if (isKept && Object.values(container.record.endpoints).some(hasChosenAddress)) this.#choosing.add(container);
    else this.#choosing.delete(container);
  }

  /** Containers that have an address on some network which somebody chose for them (`--ip`), in no order. */
  choosing(): Iterable<Container> {
    return this.#choosing;
  }

  /**
   * By full ID, name (a leading slash is ignored) or unique prefix of an ID, in this order.
   * @throws NotFound `No such container: X`, InvalidParameter when a prefix fits several
   */
  get(ref: string): Container {
    if (ref === '') throw invalidParameter('invalid name or ID supplied: ""');
    const found = this.lookUp(ref);
    if (!found) throw notFound(`No such container: ${ref}`);
    return found;
  }

  /** The same, without an error for one that is not there. @throws InvalidParameter when a prefix fits several */
  lookUp(ref: string): Container | undefined {
    return this.byFullId(ref) ?? this.#byName(ref) ?? this.#byPrefix(ref);
  }

  find(id: ContainerId): Container | undefined {
    return this.#byId.get(id);
  }

  /** By a full ID that was read somewhere: a file's name, what an extension said. Nothing else is tried. */
  byFullId(ref: string): Container | undefined {
    return this.#byId.get(ref as ContainerId);
  }

  #byName(ref: string): Container | undefined {
    const name = ref.replace(/^\//, '');
    const at = name.lastIndexOf('/');
    const id = at < 0 ? this.#names.get(name) : this.#linkedFrom(name.slice(0, at), name.slice(at + 1));
    return id === undefined ? undefined : this.#byId.get(id);
  }

  /** `container/alias`: whom that container knows by that alias. */
  #linkedFrom(parent: string, alias: string): ContainerId | undefined {
    const id = this.#names.get(parent);
    const links = id === undefined ? undefined : this.#byId.get(id)?.record.links;
    return links?.find((link) => link.alias === alias)?.containerId;
  }

  /** Its own name, and those that others have for it: `container/alias`. */
  namesOf({ id, record }: Container): string[] {
    const names: string[] = [];
    for (const parent of this.#linking) {
      for (const link of parent.record.links ?? []) {
        if (link.containerId === id) names.push(`${parent.record.name}/${link.alias}`);
      }
    }
    return [record.name, ...names.sort()];
  }

  #byPrefix(prefix: string): Container | undefined {
    if (prefix === '') return undefined;
    let found: Container | undefined;
    for (const container of this.#byId.values()) {
      if (!container.id.startsWith(prefix)) continue;
      if (found) throw invalidParameter(`multiple IDs found with provided prefix: ${prefix}`);
      found = container;
    }
    return found;
  }

  /** Oldest first. */
  all(): Container[] {
    return [...this.#byId.values()].sort((a, b) => (a.record.created < b.record.created ? -1 : 1));
  }

  /** Without I/O. A container that waits for its restart counts as running. */
  counts(): { total: number; running: number; paused: number; stopped: number } {
    const counts = { total: this.#byId.size, running: 0, paused: 0, stopped: 0 };
    for (const container of this.#byId.values()) {
      if (container.record.state.status === 'paused') counts.paused++;
      else if (container.running) counts.running++;
      else counts.stopped++;
    }
    return counts;
  }

  nameTaken(name: string): boolean {
    return this.#names.has(name);
  }

  /**
   * Takes a name for `id`. @returns the way to give it back
   * @throws InvalidParameter (bad name), Conflict (in use), in Docker's words
   */
  reserve(requested: string, id: ContainerId): { name: string; release: () => void } {
    const name = requested.replace(/^\//, '');
    if (!namePattern.test(name)) {
      throw invalidParameter(`Invalid container name (${requested}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    }
    const owner = this.#names.get(name);
    if (owner !== undefined) {
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    this.#names.set(name, id);
    return {
      name,
      release: () => {
        if (this.#names.get(name) === id) this.#names.delete(name);
      },
    };
  }

  /** Stores a new container whose name is reserved. */
  add(record: ContainerRecord): Container {
    const container = this.#make(record);
    container.save();
    this.#insert(container);
    return container;
  }

  /** Gives the container a name that is reserved, and frees the old one. */
  rename(container: Container, name: string): void {
    const old = container.record.name;
    container.record.name = name;
    try {
      container.save();
    } catch (error) {
      container.record.name = old;
      this.#names.delete(name);
      throw error;
    }
    this.#names.set(name, container.id);
    if (old !== name) this.#names.delete(old);
  }

  remove(container: Container): void {
    container.forget();
    this.#byId.delete(container.id);
    this.#linking.delete(container);
    this.#choosing.delete(container);
    if (this.#names.get(container.record.name) === container.id) this.#names.delete(container.record.name);
  }
}

const hasChosenAddress = ({ IPAMConfig }: ContainerRecord['endpoints'][string]): boolean =>
  Boolean(IPAMConfig?.IPv4Address) || Boolean(IPAMConfig?.IPv6Address);
