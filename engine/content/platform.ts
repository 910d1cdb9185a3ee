import { type CleatError, invalidParameter } from '@cleat/protocol/errors';

/** The platform of an image, in Go's names. */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

const goArchitecture: Readonly<Record<string, string>> = {
  x64: 'amd64',
  x86_64: 'amd64',
  'x86-64': 'amd64',
  ia32: '386',
  i386: '386',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  ppc64: 'ppc64le',
  loong64: 'loong64',
};

/** The platform of this host. */
export function hostPlatform(): Platform {
  return normalise({ os: 'linux', architecture: process.arch });
}

/** Go's names (`go/build/syslist.go`), by which containerd tells a system from an architecture. */
const systems =
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos';
const architectures =
  '386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm';
const knownSystems = new Set(systems.split(' '));
const knownArchitectures = new Set(architectures.split(' '));

/** The pattern and its text as containerd's `platforms` has them: its errors show it. */
const systemPattern = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$/;
const partPattern = /^[A-Za-z0-9_.-]+$/;

const invalid = (reason: string): CleatError => invalidParameter(`${reason}: invalid argument`);

/**
 * Reads `os/arch[/variant]`, or one of them (containerd `platforms.Parse`).
 * @throws InvalidParameter in its words
 */
export function parsePlatform(text: string): Platform {
  const shown = JSON.stringify(text);
  if (text.includes('*')) throw invalid(`${shown}: wildcards not yet supported`);
  const parts = text.split('/');
  const [first = '', second, variant] = parts;
  const system = systemPattern.exec(first)?.[1];
  if (system === undefined) {
    throw invalid(
      `${JSON.stringify(first)} is an invalid OS component of ${shown}: OSAndVersion specifier component must match ${goQuoted(systemPattern)}`,
    );
  }
  for (const part of parts.slice(1, 4)) {
    if (partPattern.test(part)) continue;
    throw invalid(
      `${JSON.stringify(part)} is an invalid component of ${shown}: platform specifier component must match ${goQuoted(partPattern)}`,
    );
  }
  if (parts.length > 3) throw invalid(`${shown}: cannot parse platform specifier`);
  const os = system.toLowerCase() === 'macos' ? 'darwin' : system.toLowerCase();
  if (second !== undefined) return normalise({ os, architecture: second, ...(variant !== undefined && { variant }) });
  if (knownSystems.has(os)) return { ...hostPlatform(), os };
  const platform = normalise({ os: 'linux', architecture: first });
  if (!knownArchitectures.has(platform.architecture))
    throw invalid(`${shown}: unknown operating system or architecture`);
  return platform;
}

const goQuoted = (pattern: RegExp): string => JSON.stringify(pattern.source);

/** One name for each architecture; variants that say nothing are dropped, as containerd's platforms does. */
export function normalise(platform: Platform): Platform {
  const given = platform.architecture.toLowerCase();
  const architecture = goArchitecture[given] ?? given;
  let variant = platform.variant?.toLowerCase() || undefined;
  if (given === 'armel') variant ??= 'v6';
  if (architecture === 'arm') variant = variant === undefined ? 'v7' : variant.replace(/^(?=\d)/, 'v');
  if (architecture === 'arm64' && (variant === 'v8' || variant === '8')) variant = undefined;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  return { os: platform.os.toLowerCase() || 'linux', architecture, ...(variant !== undefined && { variant }) };
}

/** `linux/arm/v7` */
export function formatPlatform(platform: Platform): string {
  if (platform.os === '') return 'unknown';
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

/**
 * How well `offered` runs where `wanted` is asked for: 0 is an exact match, greater is worse, undefined not at all.
 * An older arm variant runs on a newer CPU.
 */
export function platformDistance(wanted: Platform, offered: Platform): number | undefined {
  const [want, offer] = [normalise(wanted), normalise(offered)];
  if (want.os !== offer.os || want.architecture !== offer.architecture) return undefined;
  if (want.variant === offer.variant) return 0;
  const level = (platform: Platform) => Number(/^v(\d+)/.exec(platform.variant ?? '')?.[1] ?? 1);
  const distance = level(want) - level(offer);
  return distance >= 0 ? distance + 1 : undefined;
}

/**
 * Whether an image is what a selector asks for. Configurations often name no variant: then the architecture counts
 * (moby `daemon/images/image.go`, OnlyPlatformWithFallback).
 */
export function isForPlatform(wanted: Platform, offered: Platform): boolean {
  if (platformDistance(wanted, offered) !== undefined) return true;
  const [want, offer] = [normalise(wanted), normalise(offered)];
  return offered.variant === undefined && want.os === offer.os && want.architecture === offer.architecture;
}
