import type { ContainerState } from '@cleat/protocol/api/container';

/** A duration in words, as `docker ps` prints it (go-units' HumanDuration). `ms` is in milliseconds. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(hours / 24 / 365)} years`;
}

/** The `Status` column of `docker ps` (moby `daemon/container/state.go`, String). */
export function statusText(state: ContainerState, now: number = Date.now()): string {
  const since = (time: string): string => humanDuration(now - Date.parse(time));
  if (state.Running) {
    if (state.Paused) return `Up ${since(state.StartedAt)} (Paused)`;
    if (state.Restarting) return `Restarting (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    return `Up ${since(state.StartedAt)}${healthSuffix(state)}`;
  }
  if (state.Status === 'restarting') return `Restarting (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
  if (state.Status === 'removing') return 'Removal In Progress';
  if (state.Dead) return 'Dead';
  if (state.StartedAt.startsWith('0001-')) return 'Created';
  if (state.FinishedAt.startsWith('0001-')) return '';
  return `Exited (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
}

function healthSuffix(state: ContainerState): string {
  switch (state.Health?.Status) {
    case undefined:
    case 'none':
      return '';
    case 'starting':
      return ' (health: starting)';
    default:
      return ` (${state.Health?.Status})`;
  }
}
