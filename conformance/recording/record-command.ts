import { closeSync, existsSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { conflict, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { fitted } from '@cleat/protocol/usage';
import { serveUntilSignal } from '@cleat/sdk/server';
import { pluginDirectories, Reached, reach, socketOfName } from '../reach.js';
import { record } from './recorder.js';
import { asidePath, checkPlace, putBack, takePlace, waitingPath } from './take-over.js';
import { checkThere } from './there.js';

export const recordHelp = `Usage: cleat record PLUGIN [--listen NAME|PATH | --in-place] [--output FILE]

Stands between engines and a plugin, passes on what they say, and writes it to a file, until Ctrl-C.

PLUGIN is a name as in --driver, an address (unix:///path, tcp://host:port), or the path of a socket, .spec or .json.

  --listen NAME|PATH  Where engines are to ask: the name of a plugin, which makes the socket
                      ${pluginDirectories[0]}/NAME.sock, or the path of a socket. Default: PLUGIN-recorded
  --in-place          Take the place of the plugin's own socket, which waits beside it as SOCKET.original and is
                      put back at the end. Engines need not be told; connections that are open stay as they are
  --put-back          Only put back a socket that a recorder which was killed has left aside (--in-place does, too)
  --output FILE       Where to write; must not exist. Default: PLUGIN.recording
  --redact KEY        Do not write the values of this key, at any depth, in any case; repeatable
  --no-redact         Write also what is left out else: values of keys such as password, secret, token and api-key,
                      variables called so, and what secret providers answer
  --help

The file is readable by its owner only. What a container prints reaches a log driver through a FIFO and is not recorded;
what a log driver answers to 'docker logs' is.
`;

/** Options of the command; shells complete them. */
export const recordOptions = {
  listen: { type: 'string' },
  'in-place': { type: 'boolean' },
  'put-back': { type: 'boolean' },
  output: { type: 'string' },
  redact: { type: 'string', multiple: true },
  'no-redact': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsConfig['options'];

/** `cleat record`. @returns the exit code @throws InvalidParameter, NotFound, Conflict, Unavailable */
export async function recordCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: recordOptions,
  });
  if (values.help) {
    process.stdout.write(fitted(recordHelp, process.stdout.columns));
    return 0;
  }
  const [where, ...more] = positionals;
  if (where === undefined || more.length > 0) throw invalidParameter('name one plugin: see cleat record --help');
  if (values['in-place'] && values.listen) throw invalidParameter('choose either --listen or --in-place');
  if (values['put-back']) {
    say((await putBack(socketOf(where))) ? 'put back' : 'nothing was left aside');
    return 0;
  }
  const redact = { keys: values.redact ?? [], usual: values['no-redact'] !== true };
  if (values['in-place'] && (await putBack(socketOf(where)))) say('put back what a recorder had left aside');
  const plugin = reach(where);
  const output = resolve(values.output ?? `${fileName(plugin.name)}.recording`);
  if (values['in-place']) return recordInPlace(plugin, socketOf(where), output, redact);
  const socket = socketToListen(values.listen ?? `${plugin.name}-recorded`);
  await using file = new OutputFile(output);
  await checkThere(plugin);
  const recorder = await serveUntilSignal(async () => {
    const served = await record({ plugin, socket, write: file.write, redact });
    say(`recording ${plugin.origin}: engines ask ${socket}; Ctrl-C ends it`);
    return served;
  });
  const call = values.listen ?? `${plugin.name}-recorded`;
  return file.report(
    recorder.calls,
    `Engines must ask ${socket} instead: use "${basename(call, '.sock')}" as driver, or --in-place`,
  );
}

async function recordInPlace(
  plugin: Reached,
  socket: string,
  output: string,
  redact: { keys: string[]; usual: boolean },
): Promise<number> {
  await checkPlace(socket);
  await using file = new OutputFile(output);
  const aside = new Reached(plugin.name, socket, reach(asidePath(socket)).address);
  let calls = (): number => 0;
  await serveUntilSignal(async () => {
    const mode = statSync(socket).mode & 0o777;
    const recorder = await record({ plugin: aside, socket: waitingPath(socket), mode, write: file.write, redact });
    calls = () => recorder.calls;
    try {
      const giveBack = takePlace(socket);
      say(`recording at ${socket}, in its place; Ctrl-C ends it and puts it back`);
      const close = async () => {
        try {
          // New calls go to the plugin itself from now on; then those under way finish.
          giveBack();
        } finally {
          await recorder.close();
        }
      };
      return { address: recorder.address, close, [Symbol.asyncDispose]: close };
    } catch (error) {
      await recorder.close();
      throw error;
    }
  });
  return file.report(calls(), 'Engines keep connections that were open before: use the plugin while this runs');
}

/** The socket of a plugin that is to be recorded in its place. @throws InvalidParameter for one that has none */
function socketOf(where: string): string {
  const path = where.replace(/^unix:\/\//, '');
  if (path.includes('/') && !path.includes('://')) return resolve(path);
  try {
    const { origin } = reach(where);
    if (origin.startsWith('/') && !origin.includes(' ')) return origin;
  } catch {
    // Perhaps a recorder that was killed has it aside.
    return `${pluginDirectories[0]}/${where}.sock`;
  }
  throw invalidParameter(`${where} is not behind a socket of this host: use --listen ${where}, a socket goes first`);
}

/** @throws InvalidParameter for what would be a socket that nobody finds */
function socketToListen(where: string): string {
  if (where.startsWith('/') || where.startsWith('.')) return existing(resolve(where));
  if (where.includes('/')) throw invalidParameter('say with --listen NAME how engines are to call it');
  return socketOfName('--listen', where);
}

/** A directory that is not there is a slip of the pen. @throws InvalidParameter */
function existing(socket: string): string {
  if (!existsSync(dirname(socket))) throw invalidParameter(`--listen ${socket}: there is no ${dirname(socket)}`);
  return socket;
}

const fileName = (name: string): string => name.replaceAll(/[^\w.-]+/g, '-');

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The file, written as it happens. What cannot be written does not stop what engines and the plugin say. */
class OutputFile implements AsyncDisposable {
  readonly #fd: number;
  readonly #path: string;
  #begun = false;
  #failed = false;

  /** @throws Conflict when it exists */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, 'wx', 0o600);
    } catch (error) {
      const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      const why = exists ? 'it exists; name another one with --output' : messageOf(error);
      throw conflict(`cannot write ${path}: ${why}`, { cause: error });
    }
  }

  readonly write = (text: string): void => {
    if (this.#failed) return;
    try {
      writeFileSync(this.#fd, text);
      this.#begun = true;
    } catch (error) {
      this.#failed = true;
      say(`can no longer write ${this.#path} (${messageOf(error)}): calls are passed on without being recorded`);
    }
  };

  /** @param advice for a user who saw nothing @returns the exit code */
  report(calls: number, advice: string): number {
    if (calls === 0) {
      this.#begun = false;
      say(`nothing was asked, so nothing is recorded. ${advice}`);
      return 1;
    }
    if (!this.#failed) say(`recorded in ${this.#path}: ${calls === 1 ? 'one call' : `${calls} calls`}`);
    return this.#failed ? 1 : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeSync(this.#fd);
    // Nothing was recorded at all: the next attempt is to find its name free.
    if (!this.#begun) rmSync(this.#path, { force: true });
  }
}
