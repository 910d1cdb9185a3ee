import { readdirSync, readFileSync } from 'node:fs';
import { arch } from 'node:os';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Platform } from '../api/images.js';

/** Node's names of architectures in those of images. */
const ofNode: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };

const aliases: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
  armhf: 'arm/v7',
  armel: 'arm/v6',
};

/** Names of QEMU's architectures, where they are other ones. */
const ofQemu: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', '386': 'i386' };

export function hostPlatform(): Platform {
  const name = arch();
  return { os: 'linux', architecture: ofNode[name] ?? name };
}

/** `linux/amd64`, `arm64`, `linux/arm/v7`. @throws InvalidParameter */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  const wrong = () =>
    invalidParameter(`${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`);
  if (parts.length > 3 || parts.some((part) => !/^[\w.-]+$/.test(part))) throw wrong();
  const [first = '', second, third] = parts;
  if (first === 'local') return hostPlatform();
  // One word is an architecture, or an operating system on the host's.
  if (second === undefined && ['linux', 'windows', 'darwin', 'freebsd'].includes(first)) {
    return { ...hostPlatform(), os: first };
  }
  const [os, name, given] = second === undefined ? ['linux', first, undefined] : [first, second, third];
  const [architecture = name, implied] = (aliases[name] ?? name).split('/');
  const variant = given ?? implied;
  const isUsual = (architecture === 'arm64' && variant === 'v8') || (architecture === 'amd64' && variant === 'v1');
  if (
    second === undefined &&
    !/^(amd64|arm64|arm|386|ppc64le|s390x|riscv64|mips64le|mips64|loong64)$/.test(architecture)
  ) {
    throw wrong();
  }
  if (architecture === 'arm' && variant === undefined) return { os, architecture, variant: 'v7' };
  return { os, architecture, ...(variant !== undefined && !isUsual && { variant }) };
}

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/**
 * Whether this host runs programs of the platform: its own, or by an interpreter that is registered.
 * @throws InvalidParameter that says what to do
 */
export function refuseForeign(platform: Platform): void {
  const { os, architecture } = platform;
  const host = hostPlatform();
  if (os !== 'linux')
    throw invalidParameter(`cannot run programs of ${platformText(platform)} here: this is a Linux host`);
  const isNear =
    (host.architecture === 'amd64' && architecture === '386') ||
    (host.architecture === 'arm64' && architecture === 'arm');
  if (architecture === host.architecture || isNear || interpreters().includes(ofQemu[architecture] ?? architecture))
    return;
  throw invalidParameter(
    `cannot run programs of ${platformText(platform)} on this ${platformText(host)} host: register an interpreter ` +
      `first, for example by the package qemu-user-static with binfmt-support`,
  );
}

/** The architectures, in QEMU's names, that binfmt_misc has an enabled interpreter for. */
export function interpreters(): string[] {
  const directory = '/proc/sys/fs/binfmt_misc';
  try {
    return readdirSync(directory)
      .filter((name) => name.startsWith('qemu-') && readFileSync(`${directory}/${name}`, 'utf8').startsWith('enabled'))
      .map((name) => name.slice('qemu-'.length));
  } catch {
    // binfmt_misc is not mounted: there are none.
    return [];
  }
}

/** Platforms that run here, the host's own first. */
export function platformsHere(): string[] {
  const names = Object.fromEntries(Object.entries(ofQemu).map(([ours, theirs]) => [theirs, ours]));
  const known = /^(amd64|arm64|arm|386|ppc64le|s390x|riscv64|mips64le|mips64|loongarch64)$/;
  const foreign = interpreters().map((name) => names[name] ?? name);
  return [platformText(hostPlatform()), ...foreign.filter((name) => known.test(name)).map((name) => `linux/${name}`)];
}
