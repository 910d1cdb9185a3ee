import { isIP } from 'node:net';
import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/sdk';
import type { EngineTls } from '@cleat/sdk/watch';
import type { Listening } from '../model/model.js';

export const options = {
  config: { help: 'Interlock’s configuration file (TOML); options win over it' },
  balancer: { help: 'nginx or haproxy' },
  engine: { help: 'address of the engine; default: DOCKER_HOST, else Docker’s socket' },
  address: { help: 'where to listen for HTTP and TLS; default: 0.0.0.0' },
  port: { help: 'for HTTP; default: 80' },
  'tls-port': { help: 'for TLS; without it there is none' },
  certificates: { help: 'directory of certificates and keys (PEM): HOST.pem, or HOST.crt and HOST.key' },
  'backend-address': { help: 'the host’s address, where published ports are reached first' },
  directory: { help: 'where the configuration is kept', default: '/run/cleat-balancer' },
  program: { help: 'the nginx or haproxy to run; default: Debian’s' },
  'connect-timeout': { help: 'for a connection to a container, in ms; default: 200' },
  'server-timeout': { help: 'for a container that is silent, in ms; default: 60000' },
  'client-timeout': { help: 'for a client that is silent, in ms; default: 60000' },
  'drain-timeout': { help: 'for what is under way at a reload, in ms; default: 60000' },
  'at-end': { help: 'stop: the proxy ends with the balancer; leave: it goes on', default: 'stop' },
} as const satisfies OptionDeclarations;

export type Given = OptionsOf<typeof options>;

/** All that the balancer is told by its operator. */
export interface Settings {
  readonly balancer: 'nginx' | 'haproxy';
  readonly engine: string | undefined;
  readonly engineTls: EngineTls | undefined;
  readonly relistMs: number | undefined;
  readonly listening: Listening;
  readonly workers: number;
  readonly certificates: string | undefined;
  /** For hosts that have none. */
  readonly certificate: string | undefined;
  readonly backendAddress: string | undefined;
  readonly directory: string;
  readonly program: string | undefined;
  readonly leaves: boolean;
  /** Sentences about fields of the file that do nothing here. */
  readonly notices: readonly string[];
}

/** The part of the settings that a file may have. */
export interface FromFile {
  readonly balancer?: string;
  readonly engine?: string;
  readonly engineTls?: EngineTls;
  readonly relistMs?: number;
  readonly listening: Partial<Listening>;
  readonly workers?: number;
  readonly certificates?: string;
  readonly certificate?: string;
  readonly backendAddress?: string;
  readonly notices: readonly string[];
}

/** @param isRoot then workers are another user @throws InvalidParameter, one sentence */
export function settingsOf(given: Given, file: FromFile, isRoot: boolean): Settings {
  const balancer = given.balancer ?? file.balancer;
  if (balancer !== 'nginx' && balancer !== 'haproxy')
    throw invalidParameter('say --balancer nginx or --balancer haproxy');
  const atEnd = given['at-end'];
  if (atEnd !== 'stop' && atEnd !== 'leave') throw invalidParameter(`--at-end is stop or leave, not '${atEnd}'`);
  const address = given.address ?? '0.0.0.0';
  if (isIP(address) === 0) throw invalidParameter(`--address takes an IP address, not '${address}'`);
  const backendAddress = given['backend-address'] ?? file.backendAddress;
  if (backendAddress !== undefined && isIP(backendAddress) === 0) {
    throw invalidParameter(`the address for published ports must be an IP address, not '${backendAddress}'`);
  }
  const { directory, certificates = file.certificates } = given;
  for (const path of [directory, given.certificates, file.certificate]) {
    if (path !== undefined && !/^\/[\w./-]+$/.test(path)) {
      throw invalidParameter(`'${path}' is not an absolute path of letters, digits and . - _`);
    }
  }
  const ms = (option: `${string}-timeout` & keyof Given, otherwise: number) => number(option, given[option], otherwise);
  const { listening } = file;
  const port = number('port', given.port, listening.port ?? 80, 65_535);
  const tlsPort = number('tls-port', given['tls-port'], listening.tlsPort ?? 0, 65_535) || undefined;
  if (tlsPort === port) throw invalidParameter(`HTTP and TLS cannot both have port ${port}`);
  return {
    balancer,
    engine: given.engine ?? file.engine,
    engineTls: file.engineTls,
    relistMs: file.relistMs,
    listening: {
      address,
      port,
      tlsPort,
      maxConnections: listening.maxConnections ?? 4_096,
      connectMs: ms('connect-timeout', listening.connectMs ?? 200),
      serverMs: ms('server-timeout', listening.serverMs ?? 60_000),
      clientMs: ms('client-timeout', listening.clientMs ?? 60_000),
      drainMs: ms('drain-timeout', 60_000),
      authorities: '/etc/ssl/certs/ca-certificates.crt',
      user: isRoot ? (listening.user ?? (balancer === 'nginx' ? 'www-data' : 'haproxy')) : undefined,
    },
    workers: file.workers ?? 2,
    certificates,
    certificate: file.certificate,
    backendAddress,
    directory,
    program: given.program,
    leaves: atEnd === 'leave',
    notices: file.notices,
  };
}

function number(option: string, text: string | undefined, otherwise: number, most = 86_400_000): number {
  if (text === undefined) return otherwise;
  const value = /^\d{1,8}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw invalidParameter(`--${option} takes a number, 1 to ${most}, not '${text}'`);
  return value;
}
