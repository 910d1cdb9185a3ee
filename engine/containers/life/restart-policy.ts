import type { ContainerRecord } from '../state/record.js';

/** Whether the policy wants it to run again after this exit (moby `daemon/internal/restartmanager`). */
export function wantsRestart(record: ContainerRecord, exitCode: number): boolean {
  const { Name: name, MaximumRetryCount: limit = 0 } = record.hostConfig.RestartPolicy ?? {};
  if (name === 'always') return true;
  if (name === 'unless-stopped') return !record.manuallyStopped;
  if (name === 'on-failure') return exitCode !== 0 && (limit === 0 || record.restartCount < limit);
  return false;
}
