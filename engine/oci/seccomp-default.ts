import type { Condition, Profile, Rule } from './seccomp-profile.js';

/**
 * Calls that Docker's default profile grants to certain capabilities only, and the installed one (Podman's, which lets
 * containers run containers) to everybody.
 */
const privileged: { names: string[]; capabilities: string[] }[] = [
  {
    names: [
      'clone3',
      'fsconfig',
      'fsmount',
      'fsopen',
      'fspick',
      'mount',
      'mount_setattr',
      'move_mount',
      'open_tree',
      'setns',
      'umount',
      'umount2',
      'unshare',
    ],
    capabilities: ['CAP_SYS_ADMIN'],
  },
  { names: ['syslog'], capabilities: ['CAP_SYS_ADMIN', 'CAP_SYSLOG'] },
  { names: ['reboot'], capabilities: ['CAP_SYS_BOOT'] },
  { names: ['get_mempolicy', 'mbind', 'set_mempolicy'], capabilities: ['CAP_SYS_NICE'] },
  { names: ['pidfd_getfd'], capabilities: ['CAP_SYS_PTRACE'] },
  { names: ['keyctl', 'pivot_root'], capabilities: [] },
];

/** All CLONE_NEW… flags of clone(2). */
const namespaceFlags = 0x7e020000;
const refuse = 'SCMP_ACT_ERRNO';
const eperm = 1;
const enosys = 38;

/** The profile as strict as Docker's default. Sources: moby/profiles' default, clone(2). */
export function likeDockers(profile: Profile): Profile {
  const restricted = new Set(['clone', 'socket', ...privileged.flatMap(({ names }) => names)]);
  const kept = (profile.syscalls ?? [])
    .map((rule): Rule => ({ ...rule, names: (rule.names ?? []).filter((name) => !restricted.has(name)) }))
    .filter(({ names }) => names?.length);
  return refusingByDefault({
    ...profile,
    syscalls: [...kept, ...privileged.flatMap(granted), ...cloneRules, ...socketRules],
  });
}

/**
 * A call that is not allowed is refused with EPERM, as Docker does it, instead of by a rule for each call: libseccomp's
 * time at every start and exec grows with the rules. Calls that are newer than the profile still get ENOSYS; the
 * runtime sees to that.
 */
function refusingByDefault(profile: Profile): Profile {
  if (profile.defaultAction !== refuse) return profile;
  const isDefault = ({ action, errnoRet, args }: Rule) =>
    action === refuse && (errnoRet ?? eperm) === eperm && !args?.length;
  return {
    ...profile,
    defaultErrnoRet: eperm,
    syscalls: (profile.syscalls ?? []).filter((rule) => !isDefault(rule)),
  };
}

/** Libraries ask for `clone3` first and fall back to `clone`, whose flags a filter can see, only on ENOSYS. */
function granted({ names, capabilities }: (typeof privileged)[number]): Rule[] {
  const allowed = capabilities.map((cap): Rule => allow(names, { includes: { caps: [cap] } }));
  const unlessHeld = capabilities.length > 0 ? { excludes: { caps: capabilities } } : {};
  const denied = (some: string[], errnoRet: number): Rule => ({
    names: some,
    action: 'SCMP_ACT_ERRNO',
    errnoRet,
    ...unlessHeld,
  });
  const others = names.filter((name) => name !== 'clone3');
  return [...allowed, denied(others, eperm), ...(names.includes('clone3') ? [denied(['clone3'], enosys)] : [])];
}

const withoutNamespaces = (index: number, when: { includes?: Condition; excludes?: Condition }): Rule =>
  allow(['clone'], {
    ...when,
    args: [{ index, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
  });

const cloneRules: Rule[] = [
  allow(['clone'], { includes: { caps: ['CAP_SYS_ADMIN'] } }),
  withoutNamespaces(0, { excludes: { caps: ['CAP_SYS_ADMIN'], arches: ['s390', 's390x'] } }),
  withoutNamespaces(1, { includes: { arches: ['s390', 's390x'] }, excludes: { caps: ['CAP_SYS_ADMIN'] } }),
];

/** All families but AF_ALG (38) and AF_VSOCK (40), which are not of the network namespace. */
const socketRules: Rule[] = (
  [
    [38, 'SCMP_CMP_LT'],
    [39, 'SCMP_CMP_EQ'],
    [40, 'SCMP_CMP_GT'],
  ] as const
).map(([value, op]) => allow(['socket'], { args: [{ index: 0, value, op }] }));

function allow(names: string[], rest: Partial<Rule>): Rule {
  return { names, action: 'SCMP_ACT_ALLOW', ...rest };
}
