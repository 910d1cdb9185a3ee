import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Extensions } from '@cleat/extensions/service';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { within } from '@cleat/protocol/async/deadline';
import { setInterval } from '@cleat/protocol/guard';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import type { Logger } from '@cleat/protocol/log';
import type { LogsConfig } from '../../config.js';
import type { Outbox } from '../../outbox/service.js';
import type { DriverDeliveries, Dropped, SpoolPosition } from '../service.js';
import type { SpoolFile } from '../spool-file.js';
import type { FifoPlace } from './fifo.js';
import { OpenSessions } from './open-sessions.js';
import { FeedRunner, type RunnerEvents } from './runner.js';
import { DriverSession } from './session.js';
import { Tally } from './tally.js';
import { openWorkerRunner } from './worker-runner.js';

export interface DriversDeps {
  config: LogsConfig;
  log: Logger;
  extensions: Extensions;
  outbox: Outbox;
  /** Where a driver with a root file system of its own finds its FIFOs, on this host and as it sees it. */
  logging?: LoggingPlace | undefined;
}

export type LoggingPlace = (
  driver: string,
) => { readonly directory: string; readonly inside: string; readonly owner?: FifoPlace['owner'] } | undefined;

export interface StartOptions {
  id: string;
  driver: string;
  info: LogInfo;
  file: SpoolFile;
  /** Bytes that may wait for the driver. */
  bound: number;
  running: boolean;
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
  readonly #tally: Tally;
  readonly #main: FeedRunner;
  readonly #worker: ReturnType<typeof openWorkerRunner>;
  readonly #offChange: () => void;
  readonly #down = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: DriversDeps) {
    this.#deps = deps;
    this.#tally = new Tally(deps.log);
    this.#directory = join(deps.config.execRoot, 'log');
    // An engine that was killed left its FIFOs; each session makes its own anew. The directory itself stays: a driver
    // in a container has it mounted.
    makeDirectories(this.#directory, 0o700);
    for (const name of readdirSync(this.#directory))
      rmSync(join(this.#directory, name), { recursive: true, force: true });
    this.#open = new OpenSessions({
      extensions: deps.extensions,
      outbox: deps.outbox,
      directory: join(deps.config.execRoot, 'log-sessions'),
      told: (driver, id) => this.#fifo(driver, id).told,
    });
    const events: RunnerEvents = {
      idle: (key, written) => this.#byKey.get(key)?.idle(written),
      drained: (key, written) => this.#byKey.get(key)?.drained(written),
      stalled: (key) => void this.#byKey.get(key)?.reconnect('it does not read'),
      lost: (key, dropped) => this.#byKey.get(key)?.lost(dropped),
      dropped: (key, at) => this.#byKey.get(key)?.droppedFeed(at),
      failed: (key, message) => this.#byKey.get(key)?.failed(message),
    };
    this.#main = new FeedRunner(events);
    this.#worker = openWorkerRunner(events);
    this.#offChange = deps.extensions.onChange(({ name, state, kinds }) => {
      // A volume driver may have the same name.
      if (kinds.length === 0 || kinds.includes(logKind.name)) this.#changed(name, state === 'active');
    });
  }

  /**
   * @param running the container runs already, or has ended: this never fails, and nobody waits for the driver
   * @throws CleatError `failed to initialize logging driver: …`
   */
  async start({ id, driver, info, file, bound, running }: StartOptions): Promise<void> {
    const key = `${id} ${++this.#count}`;
    const session = new DriverSession({
      id,
      key,
      driver,
      info,
      file,
      bound,
      onDropped: (more) => this.#tally.add(driver, id, more),
      fifo: () => this.#fifo(driver, id),
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
    await session.start({ running });
  }

  ended(id: string): void {
    this.#sessions.get(id)?.end();
  }

  /** The driver has what is before, or will never get it; undefined: it has everything. */
  delivered(id: string): SpoolPosition | undefined {
    return this.#sessions.get(id)?.delivered;
  }

  /** Resolves when the session of a container that has ended is over. */
  async stopped(id: string): Promise<void> {
    await this.#sessions.get(id)?.stopped;
  }

  /** Why a container's driver takes nothing just now; empty: it does. */
  trouble(id: string): string {
    return this.#sessions.get(id)?.reason ?? '';
  }

  /** Output that drivers have not got. */
  deliveries(): DriverDeliveries[] {
    const sessions = [...this.#byKey.values()];
    const drivers = new Set([...sessions.map(({ driver }) => driver), ...this.#tally.drivers()]);
    return [...drivers].sort().map((driver) => ({
      driver,
      dropped: this.#tally.of(driver),
      containers: sessions.filter((session) => session.driver === driver).map((session) => session.delivery),
    }));
  }

  /**
   * The container is being removed. Waits a moment for its driver to get the rest.
   * @returns the driver that has not, and what it was told; nobody touches the spool now
   */
  async remove(id: string): Promise<{ driver: string; info: LogInfo } | undefined> {
    const session = this.#sessions.get(id);
    if (!session) return undefined;
    session.end();
    if ((await within(patienceMs, session.stopped, 'late')) !== 'late') return undefined;
    await this.cut(id);
    const { driver, info, delivery } = session;
    return delivery.behind > 0 ? { driver, info } : undefined;
  }

  /** Ends a session at once; what its driver has not got stays in the spool. */
  async cut(id: string): Promise<void> {
    const session = this.#sessions.get(id);
    void session?.stop();
    await session?.released;
  }

  /** Settles when the container's driver has everything, or the session was cut. */
  async finished(id: string): Promise<void> {
    await this.#sessions.get(id)?.stopped;
  }

  driverOf(id: string): string | undefined {
    return this.#sessions.get(id)?.driver;
  }

  /** Output that a driver will never get. */
  count(driver: string, id: string, dropped: Dropped): void {
    this.#tally.add(driver, id, dropped);
  }

  async close(): Promise<void> {
    this.#offChange();
    clearInterval(this.#timer);
    await Promise.all([...this.#byKey.values()].map((session) => session.stop()));
    this.#open.close();
    this.#tally.close();
    await this.#worker.close();
  }

  #fifo(driver: string, id: string): FifoPlace {
    const own = this.#deps.logging?.(driver);
    const path = join(own?.directory ?? this.#directory, id);
    return own ? { path, told: join(own.inside, id), owner: own.owner } : { path, told: path };
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
  await within(patienceMs, last.stopped, undefined);
  await last.stop();
}
