import { invalidParameter } from '@cleat/protocol/errors';
import type { WaitCondition, WaitResult } from '../service.js';
import type { Container } from '../state/container.js';

/** The condition of `POST /containers/{id}/wait`; empty: not-running. @throws InvalidParameter */
export function waitCondition(text: string): WaitCondition {
  if (text === '' || text === 'not-running') return 'not-running';
  if (text === 'next-exit' || text === 'removed') return text;
  throw invalidParameter(`invalid condition: "${text}"`);
}

/** Registered before this returns, so that nothing that happens from now on is missed. */
export function waitFor(container: Container, condition: WaitCondition, signal: AbortSignal): Promise<WaitResult> {
  const { state } = container.record;
  if (condition === 'not-running' && !container.running) {
    return Promise.resolve({
      StatusCode: state.exitCode,
      ...(state.error ? { Error: { Message: state.error } } : {}),
    });
  }
  return container.waiters.until(condition, signal);
}
