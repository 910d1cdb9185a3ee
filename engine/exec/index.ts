import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AttachHandlers } from '@cleat/linux/conmon/attach';
import { resizeTerminal } from '@cleat/linux/conmon/control';
import type { ExecSession } from '@cleat/linux/conmon/exec';
import type { ExecCreateRequest, ExecStartRequest } from '@cleat/protocol/api/container';
import { conflict, invalidParameter, isClass, messageOf, notFound } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';
import type { Roots } from '../config.js';
import type { ContainerHost } from '../containers/service.js';
import { newId } from '../ids.js';
import { parseDetachKeys } from '../streams/detach-keys.js';
import type { AttachSession, TerminalSize } from '../streams/service.js';
import { BackPressure, thawLeftovers } from './back-pressure.js';
import { type Exec, inspectExec } from './exec.js';
import { KeptExecs } from './kept.js';
import { killSession } from './kill.js';
import { exitCodeOf, launch } from './launch.js';
import type { Execs, RunOptions } from './service.js';
import { sessionOf } from './session.js';
import { SpillQueue } from './spill-queue.js';

export interface ExecsDeps {
  config: Pick<Roots, 'execRoot'>;
  log: Logger;
  containers: Pick<ContainerHost, 'execTarget'>;
  /** Bytes of output that are kept for a client that does not read, before its process waits. */
  outputLimit?: number;
}

/** Output of an exec on its way to the client. */
interface Output {
  readonly queue: SpillQueue;
  readonly pressure: BackPressure;
}

/** How long an ended exec can still be inspected. */
const keptMs = 5 * 60_000;
/** How long a killed process may take to be gone. */
const lingerMs = 5000;
/** conmon was killed before it could tell: as if the process had been. */
const unknownExit = 137;

export function openExecs(deps: ExecsDeps): Execs {
  return new ExecRoom(deps);
}

class ExecRoom implements Execs {
  readonly #deps: ExecsDeps;
  readonly #execs = new KeptExecs();
  readonly #directory: string;

  constructor(deps: ExecsDeps) {
    this.#deps = deps;
    this.#directory = join(deps.config.execRoot, 'execs');
  }

  async create(containerRef: string, request: ExecCreateRequest): Promise<{ Id: string }> {
    const target = this.#deps.containers.execTarget(containerRef);
    const command = typeof request.Cmd === 'string' ? [request.Cmd] : (request.Cmd ?? []);
    if (command.length === 0) throw invalidParameter('No exec command specified');
    if (request.DetachKeys) parseDetachKeys(request.DetachKeys, 'escape');
    const exec: Exec = {
      id: newId(),
      target,
      request,
      command,
      title: `${command[0] ?? ''} ${command.slice(1).join(' ')}`,
      state: 'created',
      pid: 0,
      exitCode: undefined,
      attach: undefined,
      sessionDir: undefined,
      onTargetEnd: () => this.#forgetLater(exec),
    };
    this.#execs.add(exec, (old) => this.#forget(old));
    target.execIds.add(exec.id);
    target.ended.addEventListener('abort', exec.onTargetEnd, { once: true });
    target.emit(`exec_create: ${exec.title}`, { execID: exec.id });
    return { Id: exec.id };
  }

  containerOf(id: string): string | undefined {
    return this.#execs.get(id)?.target.id;
  }

  #get(id: string): Exec {
    const exec = this.#execs.get(id);
    if (!exec) throw notFound(`No such exec instance: ${id}`);
    return exec;
  }

  async start(
    id: string,
    request: ExecStartRequest,
    begin?: (tty: boolean) => Promise<void>,
  ): Promise<AttachSession | undefined> {
    const exec = this.#get(id);
    // Throws when the container no longer runs, or is paused.
    this.#deps.containers.execTarget(exec.target.id);
    if (exec.state === 'exited') throw conflict(`exec command ${id} has already run`);
    if (exec.state === 'running') throw conflict(`exec command ${id} is already running`);
    const keys = parseDetachKeys(exec.request.DetachKeys || undefined);
    if (begin && !request.Detach) {
      exec.state = 'running';
      try {
        await begin(exec.request.Tty === true);
      } catch (error) {
        exec.state = 'created';
        throw error;
      }
    }
    if (request.Detach) {
      await this.#launch(exec, request, undefined);
      return undefined;
    }
    const pressure = new BackPressure();
    const queue = new SpillQueue(join(this.#directory, `${id}.output`), {
      limit: this.#deps.outputLimit,
      onFull: (full) => pressure.set(full),
    });
    await this.#launch(exec, request, { queue, pressure });
    return sessionOf(exec, queue, keys);
  }

  async #launch(exec: Exec, request: ExecStartRequest, output: Output | undefined): Promise<void> {
    exec.state = 'running';
    exec.target.emit(`exec_start: ${exec.title}`, { execID: exec.id });
    let drained: Promise<void> | undefined;
    let handlers: AttachHandlers | undefined;
    if (output) {
      const { queue } = output;
      drained = new Promise<void>((resolve) => {
        handlers = { onData: (frame) => queue.push(frame), onEnd: resolve };
      });
    }
    const [height = 0, width = 0] = request.ConsoleSize ?? exec.request.ConsoleSize ?? [];
    const size = height > 0 && width > 0 ? { height, width } : undefined;
    let session: ExecSession;
    try {
      session = await launch(exec, join(this.#directory, exec.id), size, handlers, (freeze) =>
        output?.pressure.begin(freeze),
      );
    } catch (error) {
      output?.pressure.end();
      this.#end(exec, exitCodeOf(error));
      throw error;
    }
    exec.pid = session.pid;
    exec.attach = session.attach;
    output?.pressure.started(session.pid);
    this.#watch(exec, session, session.attach && drained, output);
  }

  /** The exit code is known before a client sees the end of its stream: it asks for it right then. */
  #watch(exec: Exec, session: ExecSession, drained: Promise<void> | undefined, output: Output | undefined): void {
    const finish = async () => {
      const code = await session.exited;
      await drained;
      output?.pressure.end();
      this.#end(exec, code ?? unknownExit);
      output?.queue.end();
    };
    finish().catch((error: unknown) => {
      this.#deps.log.error('an exec ended in an unexpected way', { exec: exec.id, error: messageOf(error) });
    });
  }

  #end(exec: Exec, exitCode: number): void {
    const ran = exec.pid !== 0;
    exec.state = 'exited';
    exec.exitCode = exitCode;
    exec.attach?.close();
    exec.target.execIds.delete(exec.id);
    if (exec.sessionDir) rmSync(exec.sessionDir, { recursive: true, force: true });
    if (ran) exec.target.emit('exec_die', { execID: exec.id, exitCode: String(exitCode) });
    this.#forgetLater(exec);
  }

  #forget(exec: Exec): void {
    this.#execs.delete(exec.id);
    exec.target.execIds.delete(exec.id);
    exec.target.ended.removeEventListener('abort', exec.onTargetEnd);
  }

  #forgetLater(exec: Exec): void {
    // A container may have one after the other for years: its health checks.
    exec.target.ended.removeEventListener('abort', exec.onTargetEnd);
    setTimeout(() => {
      if (exec.state !== 'running') this.#execs.delete(exec.id);
    }, keptMs).unref();
  }

  async inspect(id: string) {
    return inspectExec(this.#get(id));
  }

  async resize(id: string, { height, width }: TerminalSize): Promise<void> {
    const exec = this.#get(id);
    if (exec.state !== 'running' || !exec.sessionDir) throw conflict(`exec process ${id} is not running`);
    try {
      resizeTerminal(exec.sessionDir, height, width);
    } catch (error) {
      throw isClass(error, 'NotFound') ? conflict(`exec process ${id} is not running`) : error;
    }
  }

  async run(containerId: string, command: string[], options: RunOptions): Promise<{ exitCode: number }> {
    const { signal } = options;
    const { Id } = await this.create(containerId, {
      Cmd: command,
      Env: options.env,
      User: options.user,
      WorkingDir: options.workingDir,
      AttachStdout: true,
      AttachStderr: true,
    });
    const session = await this.start(Id, {});
    const exec = this.#get(Id);
    let forced: NodeJS.Timeout | undefined;
    const kill = () => {
      killSession(exec);
      // A process that cannot be killed (in the kernel, or frozen) costs its caller no more than this.
      forced = setTimeout(() => session?.close(), lingerMs);
    };
    if (signal.aborted) kill();
    else {
      signal.addEventListener('abort', kill, { once: true });
      options.onStarted?.();
    }
    try {
      for await (const { data } of session?.output ?? []) options.onOutput(data);
      signal.throwIfAborted();
      return { exitCode: exec.exitCode ?? unknownExit };
    } finally {
      clearTimeout(forced);
      signal.removeEventListener('abort', kill);
      session?.close();
      this.#execs.delete(Id);
    }
  }

  async recover(): Promise<void> {
    thawLeftovers(this.#directory);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
