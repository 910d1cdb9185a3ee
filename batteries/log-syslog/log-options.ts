import { invalidParameter } from '@cleat/protocol/errors';
import type { LogInfo } from '@cleat/protocol/kinds/log';
import { attributeOptions, attributesOf, checkNames, tagOf } from '@cleat/sdk/logs/options';

export type Transport = 'local' | 'unix' | 'unixgram' | 'udp' | 'tcp' | 'tcp+tls';
export type Format = '' | 'rfc3164' | 'rfc5424' | 'rfc5424micro';

/** Files of `tcp+tls`: their paths, later their content. */
export interface TlsOptions {
  ca?: string;
  cert?: string;
  key?: string;
  skipVerify: boolean;
}

export interface SyslogOptions {
  transport: Transport;
  /** Path of a UNIX socket. */
  path: string;
  host: string;
  port: number;
  /** Already in its place: facility * 8. */
  facility: number;
  format: Format;
  tag: string;
  tls: TlsOptions;
}

const known = [
  'syslog-address',
  'syslog-facility',
  'syslog-tls-ca-cert',
  'syslog-tls-cert',
  'syslog-tls-key',
  'syslog-tls-skip-verify',
  'syslog-format',
  ...attributeOptions,
];

/** In the order of their numbers (RFC 5424, 6.2.1); those between have no name that Docker takes. */
const facilities = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['', '', '', '', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
];
const formats: readonly string[] = ['', 'rfc3164', 'rfc5424', 'rfc5424micro'] satisfies Format[];
const defaultPort = 514;

/** @throws InvalidParameter, in Docker's words (moby `daemon/logger/syslog`) */
export function syslogOptions(info: LogInfo): SyslogOptions {
  const config = info.Config ?? {};
  checkNames(info, known, (name) => `unknown log opt '${name}' for syslog log driver`);
  // A line carries none of them, as under Docker; a bad expression is told all the same.
  attributesOf(info);
  return {
    ...addressOf(config['syslog-address'] ?? ''),
    facility: facilityOf(config['syslog-facility'] ?? '') * 8,
    format: formatOf(config['syslog-format'] ?? ''),
    tag: tagOf(info, '{{.ID}}'),
    tls: {
      ca: config['syslog-tls-ca-cert'],
      cert: config['syslog-tls-cert'],
      key: config['syslog-tls-key'],
      skipVerify: config['syslog-tls-skip-verify'] !== undefined,
    },
  };
}

function addressOf(text: string): Pick<SyslogOptions, 'transport' | 'path' | 'host' | 'port'> {
  const nowhere = { path: '', host: '', port: 0 };
  if (text === '') return { ...nowhere, transport: 'local' };
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? [];
  const transport = scheme.toLowerCase();
  if (transport === 'unix' || transport === 'unixgram') {
    if (!rest.startsWith('/')) throw invalidParameter(`syslog-address: ${text} names no absolute path`);
    return { ...nowhere, transport, path: rest };
  }
  if (transport !== 'udp' && transport !== 'tcp' && transport !== 'tcp+tls') {
    throw invalidParameter(`unsupported scheme: '${scheme}'`);
  }
  const [authority = ''] = rest.split(/[/?#]/);
  const [, six, name = '', digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(authority) ?? [];
  const port = Number(digits ?? defaultPort);
  if ((!six && name === '' && digits === undefined) || port > 65_535) {
    throw invalidParameter(`syslog-address: ${text} is not of the form ${transport}://HOST:PORT`);
  }
  return { ...nowhere, transport, host: six ?? (name || 'localhost'), port };
}

function facilityOf(text: string): number {
  if (text === '') return facilities.indexOf('daemon');
  const named = facilities.indexOf(text);
  if (named >= 0) return named;
  if (/^\+?\d+$/.test(text) && Number(text) < facilities.length) return Number(text);
  throw invalidParameter('invalid syslog facility');
}

function formatOf(text: string): Format {
  if (!formats.includes(text)) throw invalidParameter('Invalid syslog format');
  return text as Format;
}
