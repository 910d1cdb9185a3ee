import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Extensions } from '@cleat/extensions/service';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import type { EngineConfig } from '../../config.js';
import type { SpoolFile } from '../spool-file.js';
import { OpenSessions } from './open-sessions.js';
import { FeedRunner, type RunnerEvents } from './runner.js';
import { DriverSession } from './session.js';
import { openWorkerRunner } from './worker-runner.js';

export interface DriversDeps {
  config: EngineConfig;
  log: Logger;
  extensions: Extensions;
}

/** How often sessions look by themselves. */
const lookEveryMs = 2000;
/** How long a container that starts again, or is removed, waits for the driver to take the rest. */
const patienceMs = 1000;

/** All sessions, and the two runners that carry their output. */
export class Drivers {
  readonly #deps: DriversDeps;
  readonly #directory: string;
  /** The latest session of each container. */
  readonly #sessions = new Map<string, DriverSession>();
  /** All of them, also those of former runs that are not over yet, by their key with the runners. */
  readonly #byKey = new Map<string, DriverSession>();
  #count = 0;
  readonly #open: OpenSessions;
  readonly #main: FeedRunner;
  readonly #worker: ReturnType<typeof openWorkerRunner>;
  readonly #offChange: () => void;
  readonly #down = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: DriversDeps) {
    this.#deps = deps;
    this.#directory = join(deps.config.execRoot, 'log');
    // An engine that was killed left its FIFOs; each session makes its own anew. The directory itself stays: a driver
    // in a container has it mounted.
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#directory))
      rmSync(join(this.#directory, name), { recursive: true, force: true });
    this.#open = new OpenSessions({
      extensions: deps.extensions,
      log: deps.log,
      directory: join(deps.config.execRoot, 'log-sessions'),
      fifoPath: (id) => this.#fifoPath(id),
    });
    const events: RunnerEvents = {
      idle: (key, written) => this.#byKey.get(key)?.idle(written),
      drained: (key, written) => this.#byKey.get(key)?.drained(written),
      stalled: (key) => void this.#byKey.get(key)?.reconnect('it does not read'),
      dropped: (key, at) => this.#byKey.get(key)?.dropped(at),
      failed: (key, message) => this.#byKey.get(key)?.failed(message),
    };
    this.#main = new FeedRunner(events);
    this.#worker = openWorkerRunner(events);
    this.#offChange = deps.extensions.onChange(({ name, kinds, state }) => {
      // A driver of volumes may have the same name.
      if (kinds.length === 0 || kinds.includes(logKind.name)) this.#changed(name, state === 'active');
    });
  }

  /** @throws CleatError `failed to initialize logging driver: …` */
  async start(id: string, driver: string, info: LogInfo, file: SpoolFile): Promise<void> {
    const key = `${id} ${++this.#count}`;
    const session = new DriverSession({
      id,
      key,
      driver,
      info,
      file,
      fifoPath: this.#fifoPath(id),
      extensions: this.#deps.extensions,
      open: this.#open,
      log: this.#deps.log,
      runners: { main: this.#main, worker: this.#worker },
    });
    // Known from now on: the container may end before its driver has answered.
    const last = this.#sessions.get(id);
    this.#sessions.set(id, session);
    this.#byKey.set(key, session);
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
    void session.stopped.then(() => this.#forget(id, key, session));
    if (last) await settled(last);
    await session.start();
  }

  ended(id: string): void {
    this.#sessions.get(id)?.end();
  }

  /** The driver has all of the spool's generations before this one. */
  delivered(id: string): number {
    return this.#sessions.get(id)?.delivered.generation ?? Number.POSITIVE_INFINITY;
  }

  async remove(id: string): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) return;
    session.end();
    await Promise.race([session.stopped, pause(patienceMs, undefined, { ref: false })]);
  }

  async close(): Promise<void> {
    this.#offChange();
    clearInterval(this.#timer);
    await Promise.all([...this.#byKey.values()].map((session) => session.stop()));
    this.#open.close();
    await this.#worker.close();
  }

  #fifoPath(id: string): string {
    return join(this.#directory, id);
  }

  #forget(id: string, key: string, session: DriverSession): void {
    this.#byKey.delete(key);
    if (this.#sessions.get(id) === session) this.#sessions.delete(id);
    if (this.#byKey.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const session of this.#byKey.values()) session.look();
  }

  #changed(driver: string, active: boolean): void {
    if (!active) {
      this.#down.add(driver);
    } else if (this.#down.delete(driver)) {
      for (const session of this.#byKey.values()) {
        if (session.driver === driver) void session.reconnect('the driver has come back');
      }
    }
  }
}

/** The session of the last run is over, or is cut short: the next one goes on from where it was. */
async function settled(last: DriverSession): Promise<void> {
  last.end();
  await Promise.race([last.stopped, pause(patienceMs, undefined, { ref: false })]);
  await last.stop();
}
