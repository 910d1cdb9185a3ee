import { type ChildProcess, spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '@cleat/linux/process/run';
import { systemError } from '@cleat/protocol/errors';
import { endProcess } from './registry.js';

/** Traffic between two network namespaces, by Debian's `iperf3` and `sockperf` on this host. */

export type Transport = 'tcp' | 'udp';

/** How long each sample takes. */
const seconds = 1;
const streamPort = 5201;
const pingPort = 11111;
/** The ends of a stream have a processor each, where there are two. */
const apart = cpus().length > 1 ? ['-A', '0,1'] : [];
/** Those of a message share one: how soon another one wakes up is no matter of the network's. */
const onOne = ['taskset', '--cpu-list', '0'];

/** Ports that the receiving end listens on, as `docker run --expose` takes them. */
export const trafficPorts = [`${streamPort}/tcp`, `${streamPort}/udp`, `${pingPort}/tcp`, `${pingPort}/udp`] as const;

/** Programs that it takes, with Debian's packages. */
export const trafficPrograms = { iperf3: 'iperf3', sockperf: 'sockperf' } as const;

/** The servers that answer in a namespace. */
export class Listeners {
  readonly #processes: ChildProcess[];

  private constructor(processes: ChildProcess[]) {
    this.#processes = processes;
  }

  /** @param entering the beginning of a command that is to run in the namespace */
  static async start(entering: readonly string[]): Promise<Listeners> {
    const any = ['-i', '0.0.0.0', '-p', String(pingPort)];
    const commands = [
      ['iperf3', '-s', '-p', String(streamPort)],
      [...onOne, 'sockperf', 'sr', '--tcp', ...any],
      [...onOne, 'sockperf', 'sr', ...any],
    ];
    const started = new Listeners(
      commands.map((command) => {
        const [program = '', ...args] = [...entering, ...command];
        return spawn(program, args, { stdio: 'ignore' });
      }),
    );
    await started.#listen(entering);
    return started;
  }

  async end(): Promise<void> {
    for (const child of this.#processes) await endProcess(child);
  }

  /** Until all of them do. */
  async #listen(entering: readonly string[]): Promise<void> {
    const deadline = Date.now() + 10_000;
    const [program = '', ...args] = [...entering, 'ss', '--no-header', '--listening', '--tcp', '--udp', '--numeric'];
    for (;;) {
      const { stdout } = await run(program, args, { env: process.env });
      if (stdout.split('\n').filter((line) => / \S+:(5201|11111) /.test(line)).length >= 3) return;
      if (Date.now() > deadline) throw systemError('iperf3 and sockperf do not start');
      await sleep(50);
    }
  }
}

/** @returns Gbit/s that arrive */
export async function throughput(entering: readonly string[], to: string, transport: Transport): Promise<number> {
  const udp = transport === 'udp' ? ['--udp', '--bitrate', '0', '--length', '1400'] : [];
  const words = ['iperf3', '-c', to, '-p', String(streamPort), '-t', String(seconds), '--json', ...apart, ...udp];
  const { end } = JSON.parse(await output([...entering, ...words])) as {
    end: { sum_received: { bits_per_second: number } };
  };
  return end.sum_received.bits_per_second / 1e9;
}

/** A message of 14 bytes there and one back, again and again. @returns µs for half of that, at this percentile */
export async function latency(
  entering: readonly string[],
  to: string,
  transport: Transport,
  percentile: 50 | 99,
): Promise<number> {
  const tcp = transport === 'tcp' ? ['--tcp'] : [];
  const words = [...onOne, 'sockperf', 'pp', '-i', to, '-p', String(pingPort), '-t', String(seconds), ...tcp];
  const said = await output([...entering, ...words]);
  const [, figure] = new RegExp(`percentile ${percentile}\\.0+ =\\s+([\\d.]+)`).exec(said) ?? [];
  if (figure === undefined) throw systemError(`sockperf measured nothing: ${said}`);
  return Number(figure);
}

async function output(command: readonly string[]): Promise<string> {
  const [program = '', ...args] = command;
  const { code, stdout, stderr } = await run(program, args, { env: process.env, deadlineMs: 30_000 });
  if (code !== 0) throw systemError(`${command.join(' ')}: ${stderr || stdout}`);
  return stdout;
}
