import { invalidParameter } from '@cleat/protocol/errors';
import { goBool } from '@cleat/protocol/go-bool';

export interface SecurityOptions {
  noNewPrivileges: boolean;
  /** As given: a profile in JSON, `unconfined`, `builtin`. */
  seccomp: string | undefined;
  apparmor: string | undefined;
  writableCgroups: boolean;
}

/**
 * `--security-opt`. SELinux labels are accepted and have no effect: no host that we know of needs them.
 * @throws InvalidParameter in Docker's words
 */
export function parseSecurityOptions(options: readonly string[], defaultNoNewPrivileges: boolean): SecurityOptions {
  const result: SecurityOptions = {
    noNewPrivileges: defaultNoNewPrivileges,
    seccomp: undefined,
    apparmor: undefined,
    writableCgroups: false,
  };
  for (const option of options) {
    const separator = option.includes('=') ? '=' : ':';
    const at = option.indexOf(separator);
    const key = at < 0 ? option : option.slice(0, at);
    const value = at < 0 ? undefined : option.slice(at + 1);
    if (value === undefined) {
      if (key === 'no-new-privileges') result.noNewPrivileges = true;
      else if (key === 'writable-cgroups') result.writableCgroups = true;
      else if (key !== 'disable') throw invalidParameter(`invalid --security-opt 1: "${option}"`);
    } else if (key === 'seccomp') result.seccomp = value;
    else if (key === 'apparmor') result.apparmor = value;
    else if (key === 'no-new-privileges') result.noNewPrivileges = boolean(value, option);
    else if (key === 'writable-cgroups') result.writableCgroups = boolean(value, option);
    else if (key !== 'label') throw invalidParameter(`invalid --security-opt 2: "${option}"`);
  }
  return result;
}

function boolean(value: string, option: string): boolean {
  const isTrue = goBool(value);
  if (isTrue === undefined) throw invalidParameter(`invalid --security-opt 2: "${option}"`);
  return isTrue;
}
