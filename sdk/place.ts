import { readFileSync } from 'node:fs';
import { parse, resolve } from 'node:path';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { activatedSocket } from './activation.js';
import { defaultSocket, type RunFlag } from './command-line.js';
import type { ServeOptions, TcpOptions } from './serve.js';
import type { SpecTls } from './spec-file.js';

type Flags = Readonly<Partial<Record<RunFlag, string>>>;

/** Each makes sense only beside another. */
const needs = [
  ['tls-cert', 'tcp'],
  ['tls-cert', 'tls-key'],
  ['tls-key', 'tls-cert'],
  ['tls-ca', 'tls-cert'],
  ['spec', 'tcp'],
  ['spec-ca', 'spec'],
  ['spec-cert', 'spec'],
  ['spec-cert', 'spec-key'],
  ['spec-key', 'spec-cert'],
] as const satisfies [RunFlag, RunFlag][];

/**
 * Where a command line says to listen. A socket that a service manager passed is taken without being told.
 * @throws InvalidParameter for what makes no sense together, and files that cannot be read
 */
export function placeOf(name: string, flags: Flags): Pick<ServeOptions, 'socket' | 'fd' | 'tcp'> {
  const fd = activatedSocket();
  for (const [flag, other] of needs) {
    if (flags[flag] !== undefined && flags[other] === undefined) {
      throw invalidParameter(`--${flag} makes no sense without --${other}`);
    }
  }
  if (flags.socket !== undefined && flags.tcp !== undefined) {
    throw invalidParameter('give either --socket or --tcp to listen on');
  }
  if (fd !== undefined) {
    const other = flags.tcp === undefined ? flags.socket && 'socket' : 'tcp';
    if (other) throw invalidParameter(`a socket was passed to listen on (LISTEN_FDS): leave out --${other}`);
    return { fd };
  }
  if (flags.tcp === undefined) return { socket: flags.socket ?? defaultSocket(name) };
  return { tcp: tcpOf(flags.tcp, flags) };
}

/**
 * By what engines call a plugin that listens there: they know a socket and a file of its address by their names.
 * @param name for where the command line says nothing of it
 */
export function calledAt(name: string, { socket, spec }: Flags): string {
  const { name: called, ext } = parse(socket ?? spec ?? '');
  return ['.sock', '.spec', '.json'].includes(ext) && called !== '' ? called : name;
}

function tcpOf(tcp: string, flags: Flags): TcpOptions {
  const [, host = '', digits] = /^(.*):(\d{1,5})$/.exec(tcp) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) throw invalidParameter(`--tcp takes HOST:PORT, not '${tcp}'`);
  const tls = tlsOf(flags);
  return {
    host: host.replace(/^\[(.*)\]$/, '$1') || undefined,
    port,
    tls,
    specFile: flags.spec,
    specTls: tls && specTlsOf(flags, tls.cert),
  };
}

function tlsOf(flags: Flags): TcpOptions['tls'] {
  const { 'tls-cert': cert, 'tls-key': key, 'tls-ca': ca } = flags;
  if (cert === undefined || key === undefined) return undefined;
  const tls = {
    cert: readPem('tls-cert', cert),
    key: readPem('tls-key', key),
    ...(ca === undefined ? {} : { ca: readPem('tls-ca', ca) }),
  };
  try {
    process.getBuiltinModule('node:tls').createSecureContext(tls);
  } catch (cause) {
    const files = ca === undefined ? `${cert} and ${key}` : `${cert}, ${key} and ${ca}`;
    throw invalidParameter(`TLS cannot be spoken with ${files}: ${messageOf(cause)}`, { cause });
  }
  return tls;
}

/** The contents of the `.json`; a `.spec` cannot hold any of it, and engines then verify nothing. */
function specTlsOf(flags: Flags, cert: string): SpecTls | undefined {
  const { spec, 'tls-cert': certPath, 'tls-ca': tlsCa, 'spec-ca': specCa } = flags;
  const { 'spec-cert': certFile, 'spec-key': keyFile } = flags;
  if (spec === undefined) return undefined;
  if (!spec.endsWith('.json')) {
    const asked = specCa ? '--spec-ca' : certFile ? '--spec-cert' : tlsCa ? '--tls-ca' : undefined;
    if (asked) throw invalidParameter(`with ${asked}, --spec must end in .json: a .spec file names no certificates`);
    return undefined;
  }
  if (tlsCa !== undefined && certFile === undefined) {
    throw invalidParameter('with --tls-ca, engines must show a certificate: say which by --spec-cert and --spec-key');
  }
  const caFile = specCa ?? tlsCa ?? (isSelfSigned(cert) ? certPath : undefined);
  if (caFile === undefined) throw invalidParameter('say by --spec-ca which CA has signed the certificate');
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(path));
  return { caFile: resolve(caFile), certFile: absolute(certFile), keyFile: absolute(keyFile) };
}

function isSelfSigned(pem: string): boolean {
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  const certificate = new X509Certificate(pem);
  return certificate.checkIssued(certificate);
}

/** @throws InvalidParameter */
function readPem(flag: RunFlag, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw invalidParameter(`--${flag} cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (!text.includes('-----BEGIN ')) throw invalidParameter(`--${flag}: there is no PEM in ${path}`);
  return text;
}
