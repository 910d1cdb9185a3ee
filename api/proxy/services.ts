import { notFound, systemError } from '@cleat/protocol/errors';
import type { ApiServices } from '../services.js';
import type { Upstream } from './upstream.js';

/** Bytes of an object's description. */
const maxObject = 4 * 1024 * 1024;
/** How long the upstream may take to describe one. */
const objectMs = 5000;

type Rooms = Pick<
  ApiServices,
  'builds' | 'containers' | 'execs' | 'images' | 'networks' | 'volumes' | 'plugins' | 'events' | 'system'
>;

/**
 * An engine's rooms behind the proxy. The routes need them to be there; of what they can do only `inspect` is asked for, by
 * hooks that look at an object's labels, and the upstream answers that.
 */
export function upstreamRooms(upstream: Upstream): Rooms {
  const inspect = (path: (name: string) => string) => ({
    inspect: async (name: string): Promise<unknown> => {
      const target = path(encodeURIComponent(name));
      const found = await upstream.json(target, AbortSignal.timeout(objectMs), maxObject);
      if (found === undefined) throw notFound(`the engine behind the proxy has no ${target}`);
      return found;
    },
  });
  const parts: Readonly<Record<keyof Rooms, object>> = {
    builds: {},
    containers: inspect((name) => `/containers/${name}/json`),
    execs: inspect((name) => `/exec/${name}/json`),
    images: inspect((name) => `/images/${name}/json`),
    networks: inspect((name) => `/networks/${name}`),
    volumes: inspect((name) => `/volumes/${name}`),
    plugins: {},
    events: {},
    system: {},
  };
  // Each is only a part of its room: what is not there says so when it is asked for.
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [name, partly(name, part)]),
  ) as Partial<Rooms> as Rooms;
}

function partly(name: string, part: object): object {
  return new Proxy(part, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (value === undefined && typeof key === 'string') throw systemError(`the proxy has no ${name}.${key}`);
      return value;
    },
  });
}
