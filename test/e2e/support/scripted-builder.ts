import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { systemError } from '@cleat/protocol/errors';
import type { BuildLine, BuildRequest } from '@cleat/protocol/kinds/builder';
import { silentLogger } from '@cleat/protocol/log';
import { builderKind, defineExtension, implement, type Served, serve } from '@cleat/sdk';

export type Script = (order: BuildRequest, signal: AbortSignal) => AsyncIterable<BuildLine>;

/** A builder that does what a test says, and keeps what it was asked. */
export class ScriptedBuilder implements AsyncDisposable {
  readonly orders: BuildRequest[] = [];
  readonly prunes: object[] = [];
  /** IDs of the build records that it knows. */
  readonly known = new Set<string>();
  script: Script = () => Readable.from([]);
  /** It does not say what it keeps. */
  isSecretive = false;
  #served: Served | undefined;

  static async start(directory: string, name: string): Promise<ScriptedBuilder> {
    const builder = new ScriptedBuilder();
    const module = defineExtension({ start: () => ({ implementations: [builder.#implementation()] }) });
    builder.#served = await serve(module, { name, socket: join(directory, `${name}.sock`), log: silentLogger });
    return builder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#served?.close();
  }

  #implementation() {
    return implement(builderKind, {
      Build: (order, { signal }) => {
        this.orders.push(order);
        return encoded(this.script(order, signal));
      },
      DiskUsage: () => {
        if (this.isSecretive) throw systemError('not now');
        const Records = [...this.known].map((Image) => ({
          ID: `of-${Image.slice(7, 15)}`,
          Image,
          Size: 100,
          Description: 'RUN',
        }));
        return { Records };
      },
      Prune: (asked) => {
        this.prunes.push(asked);
        const Removed = [...this.known].map((Image) => `of-${Image.slice(7, 15)}`);
        this.known.clear();
        return { Removed, SpaceReclaimed: Removed.length * 100 };
      },
    });
  }
}

async function* encoded(lines: AsyncIterable<BuildLine>): AsyncGenerator<Uint8Array> {
  for await (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`);
}

/** The engine as a builder sees it. */
export async function askEngine<T = unknown>(
  { Engine }: BuildRequest,
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; value: T }> {
  const headers = { 'content-type': 'application/json' };
  const asked = request({ socketPath: Engine, method, path, headers });
  asked.end(body && JSON.stringify(body));
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return {
    status: answer.statusCode ?? 0,
    value: (text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text) as T,
  };
}

/** Runs a command in a container of the engine's, and commits what it left. @returns IDs */
export async function ran(order: BuildRequest, image: string, Cmd: string[], config: object = {}) {
  const made = await askEngine<{ Id: string }>(order, 'POST', '/containers/create', { Image: image, Cmd });
  const container = made.value.Id;
  await askEngine(order, 'POST', `/containers/${container}/start`);
  await askEngine(order, 'POST', `/containers/${container}/wait`);
  const committed = await askEngine<{ Id: string }>(
    order,
    'POST',
    `/commit?container=${container}&createdby=${encodeURIComponent(`RUN ${Cmd.join(' ')}`)}`,
    config,
  );
  return { container, image: committed.value.Id };
}
