import { readFileSync } from 'node:fs';
import { invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import { findJsonFault } from '@cleat/protocol/json-fault';
import { likeDockers } from './seccomp-default.js';
import type { Profile, Rule } from './seccomp-profile.js';
import type { OciSeccomp } from './types.js';

/** Debian's golang-github-containers-common; Fedora and others put it at the same place. */
const builtInProfile = '/usr/share/containers/seccomp.json';

/** `process.arch` as profiles name it in `includes.arches`, and as libseccomp does. */
const architectures: Record<string, { profile: string; native: string; compatible: string[] }> = {
  x64: { profile: 'amd64', native: 'SCMP_ARCH_X86_64', compatible: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
  arm64: { profile: 'arm64', native: 'SCMP_ARCH_AARCH64', compatible: ['SCMP_ARCH_ARM'] },
  riscv64: { profile: 'riscv64', native: 'SCMP_ARCH_RISCV64', compatible: [] },
  s390x: { profile: 's390x', native: 'SCMP_ARCH_S390X', compatible: ['SCMP_ARCH_S390'] },
  ppc64: { profile: 'ppc64le', native: 'SCMP_ARCH_PPC64LE', compatible: [] },
};

const parsed = new Map<string, Profile>();
const resolved = new Map<string, OciSeccomp>();

/**
 * The filter for a container, or undefined for none.
 * @param option from `--security-opt seccomp=`: `unconfined`, `builtin`, or the profile itself as JSON (the CLI sends
 * the file's content); undefined: the engine's default
 * @param engineDefault a path, `unconfined`, or undefined for the built-in
 * @throws InvalidParameter for a bad profile, Unavailable when the built-in one is not installed
 */
export function seccompFor(
  option: string | undefined,
  engineDefault: string | undefined,
  capabilities: readonly string[],
): OciSeccomp | undefined {
  const requested = option || engineDefault || 'builtin';
  if (requested === 'unconfined') return undefined;
  if (requested === 'builtin') return resolve(builtInProfile, builtIn(), capabilities);
  if (option) {
    const profile = parseProfile(option);
    // Neither a default nor a rule: the same as none, as in moby's `profiles/seccomp`.
    if (!profile.defaultAction && !profile.syscalls?.length) return undefined;
    return fromProfile(profile, capabilities);
  }
  return resolve(requested, loadFile(requested), capabilities);
}

let ownDefault: Profile | undefined;

function builtIn(): Profile {
  ownDefault ??= likeDockers(withoutX32(loadFile(builtInProfile)));
  return ownDefault;
}

/**
 * The x32 ABI is disabled in distributions' kernels, and each architecture costs 10 ms at every start: its filter is
 * left out, and its calls are refused as those of any unknown architecture.
 */
function withoutX32(profile: Profile): Profile {
  const archMap = profile.archMap?.map((entry) => ({
    ...entry,
    subArchitectures: entry.subArchitectures?.filter((name) => name !== 'SCMP_ARCH_X32'),
  }));
  return { ...profile, archMap };
}

function loadFile(path: string): Profile {
  const known = parsed.get(path);
  if (known) return known;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const advice =
      path === builtInProfile
        ? ': install the package golang-github-containers-common, or use --security-opt seccomp=unconfined'
        : ` (${messageOf(cause)})`;
    throw unavailable(`the seccomp profile ${path} cannot be read${advice}`, { cause });
  }
  const profile = parseProfile(text);
  parsed.set(path, profile);
  return profile;
}

function parseProfile(text: string): Profile {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Profile;
  } catch (cause) {
    const why = findJsonFault(text)?.message ?? String(cause);
    throw invalidParameter(`Decoding seccomp profile failed: ${why}`, { cause });
  }
  throw invalidParameter('Decoding seccomp profile failed: it is no object');
}

function resolve(path: string, profile: Profile, capabilities: readonly string[]): OciSeccomp {
  const key = `${path} ${capabilities.join()}`;
  let filter = resolved.get(key);
  if (!filter) {
    filter = fromProfile(profile, capabilities);
    resolved.set(key, filter);
  }
  return filter;
}

/** Resolves the conditions of Docker's format for this host. */
export function fromProfile(
  profile: Profile,
  capabilities: readonly string[],
  arch: string = process.arch,
): OciSeccomp {
  const architecture = architectures[arch];
  if (profile.archMap?.length && profile.architectures?.length) {
    throw invalidParameter("both 'architectures' and 'archMap' are specified in the seccomp profile, use either one");
  }
  const native = profile.archMap?.find((entry) => entry.architecture === architecture?.native);
  const holds = new Set(capabilities);
  const kernel = readKernel();
  const applies = (rule: Rule): boolean => {
    const { includes = {}, excludes = {} } = rule;
    if (includes.arches?.length && !includes.arches.includes(architecture?.profile ?? arch)) return false;
    if (excludes.arches?.includes(architecture?.profile ?? arch)) return false;
    if (includes.caps?.some((cap) => !holds.has(cap))) return false;
    if (excludes.caps?.some((cap) => holds.has(cap))) return false;
    if (includes.minKernel && compareKernel(kernel, includes.minKernel) < 0) return false;
    return !(excludes.minKernel && compareKernel(kernel, excludes.minKernel) >= 0);
  };
  return {
    defaultAction: profile.defaultAction ?? 'SCMP_ACT_ERRNO',
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: native
      ? [native.architecture, ...(native.subArchitectures ?? [])]
      : (profile.architectures ?? (architecture ? [architecture.native, ...architecture.compatible] : undefined)),
    flags: profile.flags,
    listenerPath: profile.listenerPath,
    listenerMetadata: profile.listenerMetadata,
    syscalls: (profile.syscalls ?? []).filter(applies).map((rule) => ({
      names: rule.names ?? (rule.name ? [rule.name] : []),
      action: rule.action,
      errnoRet: rule.errnoRet ?? undefined,
      args: rule.args?.length ? rule.args : undefined,
    })),
  };
}

function readKernel(): string {
  return readFileSync('/proc/sys/kernel/osrelease', 'utf8');
}

/** By major and minor number. */
function compareKernel(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map((part) => Number.parseInt(part, 10));
  const [majorB = 0, minorB = 0] = b.split('.').map((part) => Number.parseInt(part, 10));
  return majorA - majorB || minorA - minorB;
}
