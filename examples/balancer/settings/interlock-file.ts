import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { parse } from 'smol-toml';
import type { FromFile } from './settings.js';

/**
 * Interlock's `config.toml` (`config/config.go` of ehazlett/interlock). Timeouts are in milliseconds for HAProxy and in
 * seconds for nginx, as they were.
 */
export interface InterlockFile extends FromFile {
  /** Where figures are served, as HOST:PORT. */
  readonly listenAddress?: string;
}

type Table = Readonly<Record<string, unknown>>;

/** Fields that do nothing here, and why. */
const without: Readonly<Record<string, string>> = {
  ConfigPath: 'the configuration is in --directory',
  PidPath: 'the balancer knows the process that it started',
  SyslogAddr: 'the program logs where the balancer does',
  AdminUser: 'figures are at /metrics',
  AdminPass: 'figures are at /metrics',
  SSLOpts: 'TLS 1.2 and 1.3 are spoken',
  SSLDefaultDHParam: 'the program’s own is used',
  SSLProtocols: 'TLS 1.2 and 1.3 are spoken',
  SSLCiphers: 'the program’s own are used',
  DHParam: 'the program’s own is used',
  DHParamPath: 'the program’s own is used',
  RLimitNoFile: 'it is large enough for all connections',
  EnableMetrics: 'figures are always there',
  AllowInsecure: 'TLS of the engine is as the certificates say',
};

/** Fields that are refused, so that nobody believes that they are obeyed. */
const refused: Readonly<Record<string, string>> = {
  TemplatePath: 'templates are of another program: the configuration is rendered here',
  NginxPlusEnabled: 'it is the free nginx that is configured',
};

const known = [
  ...['Name', 'BackendOverrideAddress', 'ConnectTimeout', 'ServerTimeout', 'ClientTimeout', 'MaxConn', 'Port'],
  ...['SSLCertPath', 'SSLCert', 'SSLPort', 'SSLServerVerify', 'User', 'WorkerProcesses'],
  ...['ProxyConnectTimeout', 'ProxySendTimeout', 'ProxyReadTimeout', 'SendTimeout'],
];
const knownAbove = ['ListenAddr', 'DockerURL', 'TLSCACert', 'TLSCert', 'TLSKey', 'PollInterval', 'Extensions'];

/** @param balancer which of several extensions; undefined: the only one @throws InvalidParameter */
export function readInterlockFile(text: string, balancer: string | undefined): InterlockFile {
  let file: Table;
  try {
    file = parse(text);
  } catch (cause) {
    throw invalidParameter(`the configuration is no TOML: ${messageOf(cause).split('\n')[0]}`, { cause });
  }
  const extension = chosen(file.Extensions, balancer);
  const notices = [...noticesOf(file, knownAbove), ...noticesOf(extension, known)];
  const above = new Fields(file);
  const fields = new Fields(extension);
  const isNginx = fields.text('Name') === 'nginx';
  const seconds = (name: string) => times(fields.number(name), 1_000);
  const certificate = fields.text('SSLCert');
  return {
    balancer: fields.text('Name'),
    listenAddress: above.text('ListenAddr')?.replace(/^:/, '0.0.0.0:'),
    engine: above.text('DockerURL'),
    engineTls: tlsOf(above),
    relistMs: pollMs(above.text('PollInterval')),
    listening: withoutUndefined({
      port: fields.number('Port'),
      tlsPort: fields.number('SSLPort'),
      maxConnections: fields.number('MaxConn'),
      connectMs: isNginx ? seconds('ProxyConnectTimeout') : fields.number('ConnectTimeout'),
      serverMs: isNginx ? seconds('ProxyReadTimeout') : fields.number('ServerTimeout'),
      clientMs: isNginx ? seconds('SendTimeout') : fields.number('ClientTimeout'),
      user: fields.word('User'),
    }),
    workers: fields.number('WorkerProcesses'),
    certificates: fields.text('SSLCertPath') ?? (certificate && dirname(certificate)),
    certificate,
    backendAddress: fields.text('BackendOverrideAddress'),
    notices,
  };
}

/** The text of a file, or of the variable in which Interlock took it, too. */
export function interlockText(path: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (path === undefined) return env.INTERLOCK_CONFIG;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw invalidParameter(`${basename(path)} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function chosen(extensions: unknown, balancer: string | undefined): Table {
  const tables = (Array.isArray(extensions) ? extensions : []) as Table[];
  const fitting = tables.filter(({ Name }) => (balancer === undefined ? Name !== 'beacon' : Name === balancer));
  const [first, ...more] = fitting;
  if (more.length > 0) throw invalidParameter('the file has several extensions: say which with --balancer');
  return first ?? {};
}

function noticesOf(table: Table, names: readonly string[]): string[] {
  return Object.entries(table).flatMap(([name, value]) => {
    const reason = refused[name];
    if (reason !== undefined && value !== '' && value !== false)
      throw invalidParameter(`${name} in the file: ${reason}`);
    if (names.includes(name) || reason !== undefined) return [];
    return [`${name} in the file does nothing here: ${without[name] ?? 'it is unknown'}`];
  });
}

class Fields {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** undefined where it is empty, as with Interlock. */
  text(name: string): string | undefined {
    const value = this.#table[name] ?? '';
    if (typeof value !== 'string') throw invalidParameter(`${name} in the file must be text`);
    return value || undefined;
  }

  /** A text that goes into a configuration as it is. */
  word(name: string): string | undefined {
    const text = this.text(name);
    if (text !== undefined && !/^[\w-]+$/.test(text)) throw invalidParameter(`${name} in the file must be a name`);
    return text;
  }

  /** undefined where it is 0, as with Interlock. */
  number(name: string): number | undefined {
    const value = this.#table[name] ?? 0;
    if (!Number.isSafeInteger(value) || Number(value) < 0)
      throw invalidParameter(`${name} in the file must be a number`);
    return Number(value) || undefined;
  }
}

function tlsOf(fields: Fields): FromFile['engineTls'] {
  const [ca, cert, key] = ['TLSCACert', 'TLSCert', 'TLSKey'].map((name) => {
    const path = fields.text(name);
    return path === undefined ? undefined : interlockText(path, {});
  });
  return ca === undefined && cert === undefined ? undefined : { ca, cert, key };
}

/** Interlock polled instead of listening; here everything is listed so often besides. At least two seconds, as there. */
function pollMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(amount) * ({ ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit] ?? Number.NaN);
  if (!(ms >= 2_000)) throw invalidParameter(`PollInterval in the file is '${text}': it takes 2s or more`);
  return ms;
}

const times = (value: number | undefined, factor: number) => (value === undefined ? undefined : value * factor);

function withoutUndefined<T extends object>(table: T): Partial<T> {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined)) as Partial<T>;
}
