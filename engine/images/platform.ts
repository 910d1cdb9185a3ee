import { invalidParameter } from '@cleat/protocol/errors';

/** What an image is made for, in Go's names. */
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

/**
 * Reads `os/arch[/variant]`, or one of them.
 * @throws InvalidParameter
 */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw invalidParameter(`"${text}": invalid platform: expected os/architecture[/variant], for example linux/amd64`);
  }
  const [first = '', second, variant] = parts;
  if (second === undefined) {
    const isSystem = ['linux', 'windows', 'darwin', 'freebsd'].includes(first);
    return isSystem ? { ...hostPlatform(), os: first } : normalise({ os: 'linux', architecture: first });
  }
  return normalise({ os: first, architecture: second, ...(variant !== undefined && { variant }) });
}

/** One name for each architecture; variants that say nothing are dropped, as containerd's platforms does. */
export function normalise(platform: Platform): Platform {
  const architecture = goArchitecture[platform.architecture] ?? platform.architecture;
  let variant = platform.variant || undefined;
  if (platform.architecture === 'armel') variant ??= 'v6';
  if (architecture === 'arm') variant = variant === undefined ? 'v7' : variant.replace(/^(?=\d)/, 'v');
  if (architecture === 'arm64' && (variant === 'v8' || variant === '8')) variant = undefined;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  return { os: platform.os || 'linux', architecture, ...(variant !== undefined && { variant }) };
}

/** `linux/arm/v7` */
export function formatPlatform(platform: Platform): string {
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
