import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { cancelled, invalidParameter, unavailable } from '@cleat/protocol/errors';
import { GrpcClient } from '@cleat/protocol/grpc/client';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';

/** How long a build waits for its session, which the client opens beside it. */
const patienceMs = 10_000;
/** Sessions at a time; each is a connection that a client holds. */
const maxSessions = 1000;
const maxIdLength = 256;

/** A client that serves its files, secrets and credentials while it builds. */
export interface Session {
  readonly id: string;
  /** Names the client's directory, also in its next build; may be empty. */
  readonly sharedKey: string;
  /** In lower case. */
  readonly methods: readonly string[];
  readonly client: GrpcClient;
  /** The client serves that method: `/moby.filesync.v1.FileSync/DiffCopy`. */
  supports(method: string): boolean;
}

/** For a build without a session: a client that serves nothing. */
const nobody: Session = {
  id: '',
  sharedKey: '',
  methods: [],
  get client(): GrpcClient {
    throw unavailable('the build has no session');
  },
  supports: () => false,
};

/** The sessions that are open. */
export class Sessions {
  readonly #open = new Map<string, Session>();
  readonly #waiting = new Set<() => void>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Checks what a client says of its session, before it gets its connection. @throws InvalidParameter */
  describe(headers: IncomingHttpHeaders): SessionFacts {
    const id = text(headers['x-docker-expose-session-uuid']);
    if (id === '' || id.length > maxIdLength) throw invalidParameter('a session needs X-Docker-Expose-Session-Uuid');
    if (this.#open.has(id)) throw invalidParameter(`session ${id} is open already`);
    if (this.#open.size >= maxSessions) throw unavailable(`${maxSessions} sessions of builds are open: end some first`);
    const methods = text(headers['x-docker-expose-session-grpc-method']).split(',');
    return {
      id,
      sharedKey: text(headers['x-docker-expose-session-sharedkey']).slice(0, 4096),
      methods: new Set(methods.map((method) => method.trim().toLowerCase())),
    };
  }

  /**
   * Calls the services at the other end of `connection`.
   * @param opened told of the session before anybody else uses it
   * @returns resolves when the session has ended
   */
  async serve(facts: SessionFacts, connection: Duplex, opened?: (session: Session) => void): Promise<void> {
    const { id, sharedKey, methods } = facts;
    const client = new GrpcClient(connection, this.#log);
    const supports = (method: string): boolean => methods.has(method.toLowerCase());
    const session: Session = { id, sharedKey, methods: [...methods], client, supports };
    this.#open.set(id, session);
    opened?.(session);
    for (const wake of [...this.#waiting]) wake();
    await new Promise<void>((resolve) => client.onClose(resolve));
    // Two of that name may have been let in at once; the later has it.
    if (this.#open.get(id) === session) this.#open.delete(id);
    connection.destroy();
  }

  /** The session of that ID, for which it waits; without an ID one that has nothing. @throws Unavailable, Cancelled */
  async get(id: string, signal: AbortSignal): Promise<Session> {
    if (id === '') return nobody;
    const given = AbortSignal.any([signal, lateAfter(patienceMs)]);
    for (;;) {
      const session = this.#open.get(id);
      if (session) return session;
      if (signal.aborted) throw cancelled('context canceled');
      if (given.aborted) throw unavailable(`no active session for ${id}: context deadline exceeded`);
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          given.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        given.addEventListener('abort', wake, { once: true });
      });
    }
  }
}

export interface SessionFacts {
  readonly id: string;
  readonly sharedKey: string;
  readonly methods: ReadonlySet<string>;
}

function lateAfter(ms: number): AbortSignal {
  const late = new AbortController();
  setTimeout(() => late.abort(), ms).unref();
  return late.signal;
}

/** Node joins the values of a header that came several times. */
function text(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value.join(',') : (value ?? '')).trim();
}
