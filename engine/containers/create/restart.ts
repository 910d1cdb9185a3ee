import type { HostConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';

/** @throws InvalidParameter for a policy that Docker would refuse */
export function checkRestartPolicy(host: HostConfig): void {
  const { Name: name = 'no', MaximumRetryCount: count = 0 } = host.RestartPolicy ?? {};
  if (!['', 'no', 'always', 'unless-stopped', 'on-failure'].includes(name)) {
    throw invalidParameter(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (name !== 'on-failure' && count !== 0) {
    const what = count < 0 ? ' and cannot be negative' : '';
    throw invalidParameter(`invalid restart policy: maximum retry count can only be used with 'on-failure'${what}`);
  }
  if (count < 0) throw invalidParameter('invalid restart policy: maximum retry count cannot be negative');
  if (host.AutoRemove && name !== 'no' && name !== '') {
    throw invalidParameter("can't create 'AutoRemove' container with restart policy");
  }
}
