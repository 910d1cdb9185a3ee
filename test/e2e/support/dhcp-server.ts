import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand } from '@cleat/linux/host';
import type { Lan } from './lan.js';
import type { Program } from './program.js';

/** DHCP servers of Debian on a `Lan`, as far as they are installed. */
export const hasDhcpServers = ['dnsmasq', 'udhcpd'].every((command) => findCommand(command));

/** Sends its clients to it after 3 s, and gives addresses from .50 to .99. */
export class Dnsmasq implements AsyncDisposable {
  readonly #lan: Lan;
  readonly #leases: string;
  readonly #more: readonly string[];
  #program: Program | undefined;

  /** @param directory for its file, which a later one goes on with */
  constructor(lan: Lan, directory: string, ...more: string[]) {
    this.#lan = lan;
    this.#leases = join(directory, 'dnsmasq.leases');
    this.#more = more;
  }

  async start(): Promise<this> {
    const range = `${this.#lan.prefix}.50,${this.#lan.prefix}.99,255.255.255.0,2m`;
    this.#program = this.#lan.program(
      ...(['dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--user=root', '--port=0', '--no-ping'] as const),
      ...['--interface=lan0', '--bind-interfaces', '--log-dhcp', '--dhcp-option=option:T1,3'],
      ...[`--dhcp-range=${range}`, `--dhcp-leasefile=${this.#leases}`, ...this.#more],
    );
    await says(this.#program, 'sockets bound exclusively to interface lan0');
    return this;
  }

  /** Its log, since its last start. */
  get said(): string {
    return this.#program?.said ?? '';
  }

  /** How often it gave that address, or gave it again. */
  acknowledged(address: string): number {
    return this.said.split('\n').filter((line) => line.includes(`DHCPACK(lan0) ${address} `)).length;
  }

  /** `MAC ADDRESS NAME` of each lease. */
  get leases(): string[] {
    const lines = readFileSync(this.#leases, 'utf8').trim().split('\n');
    return lines.filter(Boolean).map((line) => line.split(' ').slice(1, 4).join(' '));
  }

  async stop(): Promise<void> {
    await this.#program?.end('SIGKILL');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** BusyBox’s, with one address, `.60`, for so many seconds at a time. */
export async function startUdhcpd(lan: Lan, directory: string, seconds: number): Promise<Program> {
  const file = join(directory, 'udhcpd.conf');
  const only = `${lan.prefix}.60`;
  const lines = [
    ...[`start ${only}`, `end ${only}`, 'interface lan0', 'max_leases 1', `min_lease ${seconds}`],
    ...[`lease_file ${directory}/udhcpd.leases`, `pidfile ${directory}/udhcpd.pid`, 'auto_time 1'],
    ...['option subnet 255.255.255.0', `option router ${lan.router}`, `option lease ${seconds}`],
  ];
  writeFileSync(join(directory, 'udhcpd.leases'), '');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const program = lan.program('udhcpd', '-f', file);
  await says(program, 'started');
  return program;
}

async function says(program: Program, text: string): Promise<void> {
  for (let attempt = 0; !program.said.includes(text); attempt++) {
    if (attempt > 200 || program.ended) throw new Error(`it did not say ${text}, but: ${program.said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
