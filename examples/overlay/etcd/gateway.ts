import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { setTimeout } from '@cleat/protocol/guard';
import { invalidParameter, unavailable } from '@cleat/sdk';

/** PEM texts. */
export interface Tls {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

/** Bytes of an answer, or of one line of a stream. */
const maxAnswer = 32 * 1024 * 1024;

/** etcd refused: its own words, and its code (gRPC's). */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly code: number,
  ) {
    super(message);
  }
}

/**
 * Posts JSON to one of etcd's members. Each gets so many milliseconds; one that does not answer, or has no majority
 * behind it, loses its place to the next.
 * It is etcd's own gateway: the libraries for Node speak gRPC, have had no release for long, and bring a dozen packages.
 */
export class Gateway {
  readonly #members: readonly URL[];
  readonly #tls: Tls;
  readonly #deadlineMs: number;
  readonly #agents: { plain: PlainAgent; tls: TlsAgent };
  #first = 0;

  /** @param members URLs, for example `http://10.0.0.1:2379` */
  constructor(members: readonly string[], tls: Tls, deadlineMs: number) {
    this.#members = members.map(memberAt);
    this.#tls = tls;
    this.#deadlineMs = deadlineMs;
    this.#agents = { plain: new PlainAgent({ keepAlive: true }), tls: new TlsAgent({ keepAlive: true, ...tls }) };
  }

  /** @throws Refusal; Unavailable when no member answers */
  async post(path: string, body: object): Promise<unknown> {
    return await this.#eachMember(async (member) => {
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), this.#deadlineMs);
      try {
        const answer = await this.#send(member, path, body, stop.signal);
        let text = '';
        for await (const part of answer.setEncoding('utf8')) {
          text += String(part);
          if (text.length > maxAnswer) throw new Error('the answer is too long');
        }
        return checked(JSON.parse(text));
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /** Lines of JSON as they come, until the stream or the signal ends. @throws as {@link post} */
  async *stream(path: string, body: object, signal: AbortSignal): AsyncGenerator<unknown> {
    let stop = new AbortController();
    const end = () => stop.abort();
    signal.addEventListener('abort', end, { once: true });
    try {
      const answer = await this.#eachMember(async (member) => {
        // The next member has its own time.
        stop = new AbortController();
        if (signal.aborted) end();
        const timer = setTimeout(end, this.#deadlineMs);
        try {
          return await this.#send(member, path, body, stop.signal);
        } finally {
          clearTimeout(timer);
        }
      });
      let rest = '';
      for await (const part of answer.setEncoding('utf8')) {
        const lines = `${rest}${String(part)}`.split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > maxAnswer) throw new Error('a line of the stream is too long');
        for (const line of lines) if (line) yield checked(JSON.parse(line));
      }
    } finally {
      signal.removeEventListener('abort', end);
      stop.abort();
    }
  }

  close(): void {
    this.#agents.plain.destroy();
    this.#agents.tls.destroy();
  }

  async #eachMember<T>(ask: (member: URL) => Promise<T>): Promise<T> {
    const failures: string[] = [];
    for (let tried = 0; tried < this.#members.length; tried++) {
      const at = this.#first % this.#members.length;
      const member = this.#members[at];
      if (!member) break;
      try {
        return await ask(member);
      } catch (error) {
        if (error instanceof Refusal && !isWithoutMajority(error)) throw error;
        failures.push(`${member.host}: ${error instanceof Error ? error.message : String(error)}`);
        // Somebody else may have moved on already.
        if (this.#first % this.#members.length === at) this.#first = at + 1;
      }
    }
    throw unavailable(`etcd does not answer (${failures.join('; ')}): what hosts decide together waits for it`);
  }

  #send(member: URL, path: string, body: object, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', signal, headers: { 'content-type': 'application/json' } };
      const url = new URL(path, member);
      const sent =
        member.protocol === 'https:'
          ? tlsRequest(url, { ...options, ...this.#tls, agent: this.#agents.tls })
          : plainRequest(url, { ...options, agent: this.#agents.plain });
      sent.on('response', resolve);
      sent.on('error', (error) => reject(signal.aborted ? new Error(`no answer in ${this.#deadlineMs} ms`) : error));
      sent.end(JSON.stringify(body));
    });
  }
}

/** @throws InvalidParameter */
function memberAt(text: string): URL {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw invalidParameter(`--etcd ${text}: URLs such as http://192.0.2.1:2379, separated by commas`);
}

/** gRPC's codes of a member that cannot decide by itself: `etcdserver: no leader`, `request timed out`. */
const isWithoutMajority = ({ code }: Refusal): boolean => code === 14 || code === 4;

/** The result in an answer, or in a line of a stream. @throws Refusal */
function checked(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null) throw new Error('the answer is no object');
  const { result, error, code } = answer as { result?: unknown; error?: unknown; code?: unknown };
  if (typeof error === 'string') throw new Refusal(error, Number(code));
  if (typeof error === 'object' && error !== null) {
    const said = error as { message?: unknown; grpc_code?: unknown; code?: unknown };
    throw new Refusal(String(said.message ?? ''), Number(said.grpc_code ?? said.code));
  }
  return result ?? answer;
}
