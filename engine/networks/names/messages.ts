/*
 * What the engine and the process of names say to each other: JSON, one message a line, on a UNIX socket in the exec root
 * that root alone may use. The engine asks, and each request is answered once, in any order; they take effect in the
 * order in which they come.
 *
 * An engine may find a process of another version: `hello`, `sockets` and `end` keep their form for ever.
 */

/** Where a container asks for names: within itself, as under Docker. */
export const insideAddress = '127.0.0.11';

export interface Ports {
  readonly udp: number;
  readonly tcp: number;
}

/** An alias of one container's for another. */
export interface Link {
  readonly alias: string;
  readonly name: string;
  /** Absent: the name is looked up each time. */
  readonly containerId?: string;
}

/** A container's place on one network. */
export interface NamedPlace {
  readonly networkId: string;
  readonly networkName: string;
  /** As they were written; the first is what its address is called. */
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  readonly links: readonly Link[];
}

/** All that the process knows of a container. */
export interface NamedContainer {
  readonly containerId: string;
  /** File of its network namespace, where it asks; empty: it does not, and others find it all the same. */
  readonly path: string;
  /** The networks that it is on, in the order in which a name is looked up. */
  readonly places: readonly NamedPlace[];
  /** Name servers for other names, which are asked from within the container. */
  readonly servers: readonly string[];
  /** Without those, the host's name servers are asked, from the host. */
  readonly asksHost: boolean;
  /** Short names wait for their search domain: somebody said how many dots a name has. Absent: as the host's file says. */
  readonly completesShortNames?: boolean;
}

/** An endpoint of another host, as its network's driver told it. */
export interface NamedElsewhere {
  /** The first is what its addresses are called. */
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

/** Sockets of a container in the process that serves it, by their descriptors. */
export interface HeldSockets {
  readonly udp: number;
  readonly tcp: number;
}

/** Sockets that another process has. */
export interface Inheritance {
  readonly pid: number;
  /** By container. */
  readonly sockets: Readonly<Record<string, HeldSockets>>;
}

export type Request =
  | { readonly kind: 'hello' }
  /** These are all that there are. Answered when each is served, or cannot be: {@link Failures}. */
  | {
      readonly kind: 'all';
      readonly containers: readonly NamedContainer[];
      /** Ports that they had, which are free or theirs. */
      readonly ports: Readonly<Record<string, Ports>>;
      /** By network. */
      readonly elsewhere: Readonly<Record<string, readonly NamedElsewhere[]>>;
      readonly inherited?: Inheritance;
    }
  /** Replaces what is known of one. Answered when it is served: {@link Ports}, or nothing for one that does not ask. */
  | { readonly kind: 'put'; readonly container: NamedContainer }
  | { readonly kind: 'drop'; readonly containerId: string }
  /** Replaces what is known of a network's endpoints on other hosts; none: it has none. */
  | { readonly kind: 'elsewhere'; readonly networkId: string; readonly endpoints: readonly NamedElsewhere[] }
  /** Another process is to take them over: {@link Inheritance}. */
  | { readonly kind: 'sockets' }
  /** The process ends as soon as what was asked is answered. */
  | { readonly kind: 'end' };

export type RequestOf<K extends Request['kind']> = Extract<Request, { kind: K }>;

export interface Hello {
  /** Which program it is, of which Node.js. */
  readonly build: string;
  readonly pid: number;
}

/** Why some could not be served, by container. */
export type Failures = Readonly<Record<string, string>>;

/** The answer to each request. */
export interface Answers {
  hello: Hello;
  all: { ports: Readonly<Record<string, Ports>>; failures: Failures };
  put: Ports | undefined;
  drop: undefined;
  elsewhere: undefined;
  sockets: Inheritance;
  end: undefined;
}

export type Numbered = Request & { readonly id: number };

export type Reply = { readonly id: number; readonly done?: unknown } | { readonly id: number; readonly failed: string };
