import { methodPath } from '@cleat/protocol/kinds/kind';
import { metricsKind } from '@cleat/protocol/kinds/metrics';
import { Finding, type Said } from '../../verify/finding.js';
import { complaintAbout } from '../../verify/readable-error.js';
import type { Trial } from '../../verify/trial.js';

export type MetricsTrial = Trial<typeof metricsKind>;
type Method = 'StartMetrics' | 'StopMetrics';

/** As dockerd sends it: without a body (moby `daemon/metrics.go`). */
export async function sent(trial: MetricsTrial, method: Method, body: string | object = ''): Promise<Said> {
  if (method === 'StartMetrics') stoppedAtTheEnd(trial);
  return await trial.send(methodPath(metricsKind, method), body);
}

/**
 * It is told to start: it does, or says in readable words why not. The page is not there while it is verified, so both
 * are right.
 * @returns whether it started
 */
export async function started(trial: MetricsTrial, body: string | object = ''): Promise<boolean> {
  return accepted(trial, 'StartMetrics', await sent(trial, 'StartMetrics', body));
}

/** @returns false for a refusal @throws Finding when it is not in readable words, or no answer */
export function accepted(trial: MetricsTrial, method: Method, said: Said): boolean {
  if (trial.succeeded(method, said)) return true;
  const complaint = complaintAbout(metricsKind, said);
  if (complaint !== undefined) throw new Finding('success, or an error that a person understands', said, complaint);
  return false;
}

function stoppedAtTheEnd(trial: MetricsTrial): void {
  // Twice does no harm, as a case of its own makes sure.
  trial.defer(async () => void (await trial.ask('StopMetrics', {})));
}
