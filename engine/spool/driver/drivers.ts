import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Extensions } from '@cleat/extensions/service';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import type { EngineConfig } from '../../config.js';
import type { SpoolFile } from '../spool-file.js';
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
  readonly #sessions = new Map<string, DriverSession>();
  readonly #main: FeedRunner;
  readonly #worker: ReturnType<typeof openWorkerRunner>;
  readonly #offChange: () => void;
  readonly #down = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: DriversDeps) {
    this.#deps = deps;
    this.#directory = join(deps.config.execRoot, 'log');
    const events: RunnerEvents = {
      idle: (id, written) => this.#sessions.get(id)?.idle(written),
      drained: (id, written) => this.#sessions.get(id)?.drained(written),
      stalled: (id) => void this.#sessions.get(id)?.reconnect('it does not read'),
      dropped: (id, at) => this.#sessions.get(id)?.dropped(at),
      failed: (id, message) => this.#sessions.get(id)?.failed(message),
    };
    this.#main = new FeedRunner(events);
    this.#worker = openWorkerRunner(events);
    this.#offChange = deps.extensions.onChange(({ name, state }) => this.#changed(name, state === 'active'));
  }

  /** @throws CleatError `failed to initialize logging driver: …` */
  async start(id: string, driver: string, info: LogInfo, file: SpoolFile): Promise<void> {
    await this.#settled(id);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const session = new DriverSession({
      id,
      driver,
      info,
      file,
      fifoPath: join(this.#directory, id),
      extensions: this.#deps.extensions,
      log: this.#deps.log,
      runners: { main: this.#main, worker: this.#worker },
    });
    // Known from now on: the container may end before its driver has answered.
    this.#sessions.set(id, session);
    try {
      await session.start();
    } catch (error) {
      this.#sessions.delete(id);
      throw error;
    }
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref();
    void session.stopped.then(() => {
      if (this.#sessions.get(id) === session) this.#sessions.delete(id);
      if (this.#sessions.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
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
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()));
    await this.#worker.close();
  }

  /** A session of the container's last run is over, or is cut short: the next one goes on from there. */
  async #settled(id: string): Promise<void> {
    const last = this.#sessions.get(id);
    if (!last) return;
    last.end();
    await Promise.race([last.stopped, pause(patienceMs, undefined, { ref: false })]);
    await last.stop();
  }

  #look(): void {
    for (const session of this.#sessions.values()) session.look();
  }

  #changed(driver: string, active: boolean): void {
    if (!active) {
      this.#down.add(driver);
    } else if (this.#down.delete(driver)) {
      for (const session of this.#sessions.values()) {
        if (session.driver === driver) void session.reconnect('the driver has come back');
      }
    }
  }
}
