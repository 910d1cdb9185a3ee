import { randomBytes } from 'node:crypto';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { isClass, unavailable } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import type { EngineTls } from '../watch/address.js';
import { Engine } from '../watch/engine.js';
import type { Labels, ObjectType } from './demand.js';

/** The facts about an object that rights depend on. */
export interface FoundObject {
  readonly id: string;
  readonly labels: Labels;
  /** Tags and names with digests of an image; the name of another object. */
  readonly names: readonly string[];
  /** Paths of the host that are mounted in a container, `:ro` where they are read-only. */
  readonly hostPaths?: readonly string[];
  /** The driver of a volume or network. */
  readonly driver?: string;
  readonly options?: Labels;
  /** How many volumes the containers of an image get. */
  readonly volumes?: number;
}

/** Tells whose objects are. */
export interface Objects {
  /** @returns undefined when there is no such object. @throws CleatError when that cannot be found out */
  find(type: ObjectType, name: string): Promise<FoundObject | undefined>;
}

/** Less than an engine waits for an authorizer: while it does, it is asked. */
const lookUpMs = 5_000;
/** At the same time; the rest wait in turn. */
const atOnce = 16;
const header = 'X-Cleat-Authorizer';

/** Asks an engine, Cleat or a stock one, which asks its authorizer back: {@link isOwnQuestion} knows such a request. */
export class EngineObjects implements Objects {
  readonly #nonce = randomBytes(32).toString('hex');
  readonly #engine: Engine;
  readonly #turns = new Semaphore(atOnce);
  readonly #objects = objectsFrom((path) => this.#get(path));

  /** @throws InvalidParameter for what is no address */
  constructor(address: string | undefined, options: { tls?: EngineTls } = {}) {
    this.#engine = new Engine(address, { deadlineMs: lookUpMs, headers: { [header]: this.#nonce }, ...options });
  }

  /** A question of ours: an inspect with our nonce, which nobody else knows. It must be allowed without another one. */
  isOwnQuestion({ RequestMethod, RequestHeaders = {}, RequestUri = '' }: AuthorizationRequest): boolean {
    return RequestMethod === 'GET' && RequestHeaders[header] === this.#nonce && inspects.test(RequestUri);
  }

  find(type: ObjectType, name: string): Promise<FoundObject | undefined> {
    return this.#objects.find(type, name);
  }

  async #get(path: string): Promise<unknown> {
    const signal = AbortSignal.timeout(lookUpMs);
    return await this.#turns
      .run(() => this.#engine.get(path, { signal }), signal)
      .catch((cause: unknown) => {
        throw signal.aborted ? unavailable(`the engine did not answer ${path} in time`, { cause }) : cause;
      });
  }
}

/** @param get asks an engine; throws NotFound for what it does not have */
export function objectsFrom(get: (path: string) => Promise<unknown>): Objects {
  return {
    async find(type, name) {
      const path = `/${rooms[type]}/${encodeURIComponent(name)}${type === 'network' || type === 'volume' ? '' : '/json'}`;
      let found: unknown;
      try {
        found = await get(path);
      } catch (error) {
        if (isClass(error, 'NotFound')) return undefined;
        throw error;
      }
      if (type !== 'exec') return objectIn(type, found);
      // An exec is its container's.
      const container = text(found, 'ContainerID');
      return container === '' ? undefined : await this.find('container', container);
    },
  };
}

const rooms: Readonly<Record<ObjectType, string>> = {
  container: 'containers',
  exec: 'exec',
  image: 'images',
  network: 'networks',
  volume: 'volumes',
  plugin: 'plugins',
};
const inspects = /^(\/v[\d.]+)?\/((containers|exec|images|plugins)\/.+\/json|(networks|volumes)\/[^?]+)$/;

function objectIn(type: ObjectType, found: unknown): FoundObject {
  const config = member(found, 'Config');
  const name = text(found, 'Name').replace(/^\//, '');
  switch (type) {
    case 'container':
      return {
        id: text(found, 'Id'),
        labels: texts(member(config, 'Labels')),
        names: [name],
        hostPaths: mountsIn(found),
      };
    case 'image': {
      const volumes = member(config, 'Volumes');
      const names = [...list(member(found, 'RepoTags')), ...list(member(found, 'RepoDigests'))];
      return {
        id: text(found, 'Id'),
        labels: texts(member(config, 'Labels')),
        names: names.filter((item): item is string => typeof item === 'string'),
        volumes: isRecord(volumes) ? Object.keys(volumes).length : 0,
      };
    }
    case 'volume':
      return {
        id: name,
        labels: texts(member(found, 'Labels')),
        names: [name],
        driver: text(found, 'Driver'),
        options: texts(member(found, 'Options')),
      };
    default: {
      const driver = text(found, 'Driver');
      return { id: text(found, 'Id'), labels: texts(member(found, 'Labels')), names: [name], driver };
    }
  }
}

function mountsIn(found: unknown): string[] {
  return list(member(found, 'Mounts')).flatMap((mount) =>
    text(mount, 'Type') === 'bind' ? [`${text(mount, 'Source')}${member(mount, 'RW') === false ? ':ro' : ''}`] : [],
  );
}

function member(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function text(value: unknown, name: string): string {
  const found = member(value, name);
  return typeof found === 'string' ? found : '';
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function texts(value: unknown): Labels {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, label]) => (typeof label === 'string' ? [[key, label]] : [])),
  );
}
