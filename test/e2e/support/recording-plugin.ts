import { createServer, type Server } from 'node:http';

export type Body = Record<string, unknown>;

/** An answer as it goes over the wire. */
export interface WireAnswer {
  status: number;
  text: string;
}

/** A call as it came, and what it was answered. */
export interface Exchange {
  /** For example `VolumeDriver.Mount`. */
  call: string;
  /** Undefined when there was none. */
  body: Body | undefined;
  answer: WireAnswer;
}

/** A plugin's reaction to a call; a string is an error in words, `undefined` an empty answer. */
export type Behaviour = (call: string, body: Body) => Promise<Body | string | undefined> | Body | string | undefined;

/** A plugin over a real socket that does what it is told to, and keeps what was said. It may come and go. */
export class RecordingPlugin implements AsyncDisposable {
  readonly #exchanges: Exchange[] = [];
  /** Answers in the place of what it would do, by call. */
  readonly answers = new Map<string, WireAnswer>();
  /** Calls after which the connection breaks, once. */
  readonly breaking = new Set<string>();
  readonly #socket: string;
  readonly #behaviour: Behaviour;
  #server: Server | undefined;

  constructor(socket: string, behaviour: Behaviour) {
    this.#socket = socket;
    this.#behaviour = behaviour;
    this.start();
  }

  /** The exchanges since the last time that they were taken, oldest first. */
  get exchanges(): readonly Exchange[] {
    return this.#exchanges;
  }

  taken(): Exchange[] {
    return this.#exchanges.splice(0);
  }

  start(): void {
    this.#server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      const call = (request.url ?? '').slice(1);
      const body = text === '' ? undefined : (JSON.parse(text) as Body);
      if (this.breaking.delete(call)) {
        this.#exchanges.push({ call, body, answer: { status: 0, text: '' } });
        return request.socket.destroy();
      }
      const answer = this.answers.get(call) ?? (await this.#act(call, body ?? {}));
      this.#exchanges.push({ call, body, answer });
      response.writeHead(answer.status).end(answer.text);
    }).listen(this.#socket);
  }

  /** Its socket goes with it. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #act(call: string, body: Body): Promise<WireAnswer> {
    const errorKey = call.startsWith('Ipam') ? 'Error' : 'Err';
    const said = await Promise.resolve(this.#behaviour(call, body)).catch(String);
    if (typeof said === 'string') return { status: 500, text: JSON.stringify({ [errorKey]: said }) };
    return { status: 200, text: said === undefined ? '' : JSON.stringify(said) };
  }
}
