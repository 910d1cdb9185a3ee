import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { GrpcClient } from '../grpc/client.js';
import { bytesMessage, nothing } from '../grpc/common.js';
import type { MessageOf } from '../grpc/message.js';
import { type Method, type Methods, serveGrpc, serverStream, streaming, unary } from '../grpc/server.js';
import { tunnelOf } from '../grpc/tunnel.js';
import { silentLogger } from '../log.js';
import * as messages from './control.js';
import { packet, packetType } from './session.js';

export type SolveRequest = MessageOf<typeof messages.solveRequest>;
export type Status = Partial<MessageOf<typeof messages.statusResponse>>;

/** A session that is open, as BuildKit sees it. */
export interface OpenSession {
  readonly client: GrpcClient;
  readonly methods: readonly string[];
}

/** A BuildKit that does what a test says. */
export class ScriptedBuildKit implements AsyncDisposable {
  readonly sessions = new Map<string, OpenSession>();
  readonly solves: SolveRequest[] = [];
  /** Does the work of `Solve`, with {@link session}, {@link send} and {@link files}. */
  script: (request: SolveRequest, signal: AbortSignal) => Promise<Map<string, string>> = async () => new Map();
  statuses: Status[] = [];
  version = 'v0.13.1';
  usage: Partial<MessageOf<typeof messages.usageRecord>>[] = [];
  readonly prunes: MessageOf<typeof messages.pruneRequest>[] = [];
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #waiting = new Set<() => void>();

  private constructor(more: Methods) {
    const methods: Methods = new Map([...this.#methods(), ...more]);
    this.#server = createServer((socket) => {
      this.#connections.add(socket);
      void serveGrpc(socket, methods, silentLogger);
    });
  }

  static async listen(path: string, more: Methods = new Map()): Promise<ScriptedBuildKit> {
    const buildkit = new ScriptedBuildKit(more);
    buildkit.#server.listen(path);
    await once(buildkit.#server, 'listening');
    return buildkit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Ends all connections at once. */
  cut(): void {
    for (const socket of this.#connections) socket.destroy();
    this.#connections.clear();
  }

  async session(id: string): Promise<OpenSession> {
    for (;;) {
      const found = this.sessions.get(id);
      if (found) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Sends a result to the client's output of that number. */
  async send({ Session }: SolveRequest, number: number, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const { client } = await this.session(Session);
    const headers = { 'buildkit-attachable-exporter-id': `${number}` };
    const call = client.stream('/moby.filesync.v1.FileSend/DiffCopy', [bytesMessage, bytesMessage], { headers });
    for await (const data of pieces) if (!(await call.send({ data }))) break;
    call.end();
    for await (const _ of call.messages);
  }

  /** The texts of a directory of the client's; directories end with a slash, links lead on with an arrow. */
  async files(
    { Session }: SolveRequest,
    name: string,
    headers: Record<string, string | string[]> = {},
  ): Promise<Record<string, string>> {
    const { client } = await this.session(Session);
    const call = client.stream('/moby.filesync.v1.FileSync/DiffCopy', [packet, packet], {
      headers: { 'dir-name': name, ...headers },
    });
    const texts: Record<string, string> = {};
    const paths: string[] = [];
    let wanted = 0;
    for await (const { type, stat, ID, data } of call.messages) {
      if (type === packetType.stat && stat) {
        const { path = '', mode = 0, linkname = '' } = stat;
        const number = paths.push(path) - 1;
        if (mode >= 2 ** 31) texts[`${path}/`] = '';
        else if (linkname !== '') texts[path] = `-> ${linkname}`;
        else {
          wanted++;
          texts[path] = '';
          await call.send({ type: packetType.request, ID: number });
        }
      } else if (type === packetType.data && data.length > 0) {
        texts[paths[ID] ?? ''] += Buffer.from(data).toString('utf8');
      } else if (type === packetType.data) {
        wanted--;
      }
      if (wanted === 0 && type !== packetType.finish && (type === packetType.data || !stat)) {
        await call.send({ type: packetType.finish });
        call.end();
      }
    }
    return texts;
  }

  #methods(): [string, Method][] {
    const { prunes } = this;
    const [statuses, usage] = [() => this.statuses, () => this.usage];
    const path = (name: string): string => `/moby.buildkit.v1.Control/${name}`;
    return [
      [
        path('Session'),
        streaming(bytesMessage, bytesMessage, (pieces, { headers }) => {
          const id = String(headers['x-docker-expose-session-uuid']);
          const methods = String(headers['x-docker-expose-session-grpc-method']).split(', ');
          return tunnelOf(
            pieces,
            async (connection) => {
              const client = new GrpcClient(connection, silentLogger);
              this.sessions.set(id, { client, methods });
              for (const wake of this.#waiting) wake();
              this.#waiting.clear();
              await new Promise<void>((resolve) => client.onClose(resolve));
              this.sessions.delete(id);
            },
            silentLogger,
          );
        }),
      ],
      [
        path('Solve'),
        unary(messages.solveRequest, messages.solveResponse, async (request, { signal }) => {
          this.solves.push(request);
          return { ExporterResponse: await this.script(request, signal) };
        }),
      ],
      [
        path('Status'),
        serverStream(messages.statusRequest, messages.statusResponse, async function* () {
          yield* statuses();
        }),
      ],
      [
        path('Prune'),
        serverStream(messages.pruneRequest, messages.usageRecord, async function* (request) {
          prunes.push(request);
          yield* usage();
        }),
      ],
      [path('Info'), unary(nothing, messages.infoResponse, () => ({ buildkitVersion: { version: this.version } }))],
      [path('DiskUsage'), unary(messages.diskUsageRequest, messages.diskUsageResponse, () => ({ record: this.usage }))],
    ];
  }
}
