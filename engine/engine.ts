import { absenceOf } from '@cleat/extensions/absence';
import type { Extensions } from '@cleat/extensions/service';
import { within } from '@cleat/protocol/async/deadline';
import type { Caller } from '@cleat/protocol/caller';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { ServeBuilder } from './build/index.js';
import { Closers } from './closers.js';
import type { EngineConfig } from './config.js';
import { openFoundations } from './foundations.js';
import { openRooms, type Rooms } from './rooms.js';
import type { Spool } from './spool/service.js';
import { warm } from './warm.js';

/** All rooms, connected and alive. */
export interface Engine extends Rooms {
  /** Start-up is recovery: networks come back, then containers are found, then what nobody uses is removed. */
  start(): Promise<void>;
  /** Stops serving, in the reverse order; containers are left as they are. Does all it can. @returns failures */
  close(): Promise<string[]>;
}

export interface EngineDeps {
  readonly log: Logger;
  readonly extensions: Extensions;
  /** Tells events for which client the present code runs. */
  readonly caller?: () => Caller | undefined;
  /** Serves the API to builders; without it nothing is built. */
  readonly serveBuilder?: ServeBuilder;
}

/** @throws InvalidParameter for default log options that no container could be made with (moby `daemon/logs.go`) */
async function checkLogDefaults({ logDriver, logOpts }: EngineConfig, spool: Spool): Promise<void> {
  if (Object.keys(logOpts).length === 0) return;
  try {
    await spool.checkDriver(logDriver, logOpts, { patient: true });
  } catch (cause) {
    // They are checked again for each container; the driver may be one of those, and come later.
    if (absenceOf(cause)) return;
    throw invalidParameter(`failed to set log opts: ${messageOf(cause)}`, { cause });
  }
}

/** How long the start of the engine waits for what asks extensions; what takes longer goes on beside it. */
const startPatienceMs = 3_000;

/** The room of managed plugins. */
const warmLatestMs = 1_000;

/** @throws what `work` throws within that time; later it is for `late` to tell */
async function soon(work: Promise<void>, late: (error: unknown) => void): Promise<void> {
  if ((await within(startPatienceMs, work, 'late')) === 'late') work.catch(late);
}

/** Opens the rooms on `config.dataRoot` and `config.execRoot`, which must exist and be locked by the caller. */
export async function openEngine(
  config: EngineConfig,
  { log, extensions, caller, serveBuilder }: EngineDeps,
): Promise<Engine> {
  const closers = new Closers();
  try {
    const foundations = await openFoundations(config, { log, caller }, closers);
    const rooms = openRooms(config, foundations, { log, extensions, serveBuilder }, closers);
    const { outbox, builds, plugins, networks, spool, execs, containers, images } = rooms;
    const { helper } = foundations;
    return {
      ...rooms,
      async start() {
        const late = (what: string) => (error: unknown) => log.error(what, { error: messageOf(error) });
        outbox.start();
        builds.makePlaces();
        // They come up while the rest starts, and whatever needs them waits by itself.
        await plugins.start();
        await soon(checkLogDefaults(config, spool), late('the default log options are wrong'));
        await soon(networks.start(), late('the predefined networks could not be made'));
        spool.recover();
        await execs.recover();
        await containers.recover();
        await builds.start();
        // Plugins that start need the processors more, but not for long.
        void within(warmLatestMs, plugins.settled(), undefined).then(() => {
          if (!closers.isClosing) void warm({ config, extensions, helper, images, log });
        });
      },
      close: () => closers.close(),
    };
  } catch (error) {
    await closers.close(); // The first error is the one that says what is wrong.
    throw error;
  }
}
