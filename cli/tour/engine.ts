import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { unavailable } from '@cleat/protocol/errors';
import { answersOn } from '../docker-socket.js';
import { heldBy } from '../sweep/running.js';
import { call } from './client.js';

/** Where the tour's engine has everything of its own. */
export interface TourPlace {
  readonly socket: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidfile: string;
  readonly bridge: string;
  readonly log: string;
}

/** An engine that this tour has started, and that answers. */
export interface TourEngine {
  /** From its start to its first answer. */
  readonly ms: number;
  /** How it ended, in words. */
  readonly ended: Promise<string>;
  /** For how long it has answered, or did, in ms. */
  lived(): number;
  /** Stops it, and waits for its end. */
  stop(): Promise<void>;
}

const startTimeoutMs = 30_000;

/**
 * A second tour would work on the first one's containers.
 * @throws Unavailable while an engine serves there
 */
export async function refuseWhileServed(place: TourPlace): Promise<void> {
  const holder = heldBy(place);
  if (holder === undefined && !(await answersOn(place.socket))) return;
  const who = holder === undefined ? '' : ` (process ${holder})`;
  const orElse = holder === undefined ? '' : `, or, where that is gone, kill ${holder}`;
  throw unavailable(
    `an engine${who} serves on ${place.socket} already, and is left alone. Use it with\n` +
      `    export DOCKER_HOST=unix://${place.socket}\n` +
      `or stop it first: Ctrl-C where it was started${orElse}`,
  );
}

/**
 * @param signal gives up waiting for it, and stops it
 * @throws Unavailable, with the end of its log, when it does not come to answer
 */
export async function startEngine(place: TourPlace, signal: AbortSignal): Promise<TourEngine> {
  const started = Date.now();
  const daemon = spawnDaemon(place);
  let endedAt: number | undefined;
  const ended = new Promise<string>((resolve) => {
    daemon.once('error', (error) => resolve(error.message));
    daemon.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
  }).finally(() => {
    endedAt = Date.now();
  });
  const stop = async (): Promise<void> => {
    daemon.kill('SIGTERM');
    await ended;
  };
  while (!(await answers(daemon, place))) {
    if (signal.aborted) {
      await stop();
      throw signal.reason;
    }
    const late = Date.now() - started > startTimeoutMs;
    if (endedAt !== undefined || late) {
      await stop();
      const log = readFileSync(place.log, 'utf8').trim().split('\n').slice(-10).join('\n');
      throw unavailable(`the engine ${late ? 'does not answer' : `did not start (${await ended})`}:\n${log}`);
    }
    await sleep(20);
  }
  const answered = Date.now();
  return { ms: answered - started, ended, lived: () => (endedAt ?? Date.now()) - answered, stop };
}

function spawnDaemon(place: TourPlace): ChildProcess {
  const log = openSync(place.log, 'w', 0o644);
  const flags = [
    `--host=unix://${place.socket}`,
    `--data-root=${place.dataRoot}`,
    `--exec-root=${place.execRoot}`,
    `--pidfile=${place.pidfile}`,
    `--bridge=${place.bridge}`,
    '--config-file=/dev/null',
    '--log-format=text',
    '--shutdown-timeout=3',
  ];
  const program = fileURLToPath(new URL('../../../bin/cleatd', import.meta.url));
  // A group of its own: the interrupt key stops the tour, and the tour stops the engine.
  const daemon = spawn(program, flags, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  return daemon;
}

/** Whether our own engine answers, and not another one on the same socket. */
async function answers(daemon: ChildProcess, { pidfile, socket }: TourPlace): Promise<boolean> {
  if (!existsSync(pidfile) || Number(readFileSync(pidfile, 'utf8')) !== daemon.pid) return false;
  try {
    return (await call(socket, 'GET', '/_ping')).status === 200;
  } catch {
    // Not yet.
    return false;
  }
}
