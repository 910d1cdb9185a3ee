import { fault } from '../language/fault.js';
import type { TrailStep } from './store.js';

/** A step whose layers are the lowest `depth` of an image. */
export interface InlineStep extends Omit<TrailStep, 'image' | 'layers'> {
  readonly depth: number;
}

/** The steps below an image's layers, for its configuration. @param created instead of their own times */
export function inlineText(trail: readonly TrailStep[], layers: readonly string[], created?: string): string {
  const within = trail.filter((step) => step.layers.every((layer, index) => layers[index] === layer));
  const steps = within.map(
    ({ image: _, layers: own, ...rest }): InlineStep => ({ ...rest, ...(created && { created }), depth: own.length }),
  );
  return JSON.stringify({ v: 1, steps });
}

/** The steps that go with an image. */
export function inlineSteps(text: string): InlineStep[] {
  return stepsIn(text).filter(isInlineStep);
}

function isInlineStep(step: unknown): step is InlineStep {
  return hasFacts(step) && Number.isInteger((step as Partial<InlineStep>).depth);
}

/** Reads a list of steps, which are yet to be checked. @throws DockerfileFault for one of another version */
export function stepsIn(text: string): unknown[] {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'object' || parsed === null || !('v' in parsed) || parsed.v !== 1)
    throw fault('it is of another version');
  return 'steps' in parsed && Array.isArray(parsed.steps) ? parsed.steps : [];
}

/** Whether that is a step, but for where its layers are. */
export function hasFacts(step: unknown): step is Omit<TrailStep, 'image' | 'layers'> {
  if (typeof step !== 'object' || step === null) return false;
  const { keys, isEmpty, size, created, what } = step as Record<string, unknown>;
  const areKeys = Array.isArray(keys) && keys.every((key) => typeof key === 'string' && /^[0-9a-f]{64}$/.test(key));
  return (
    areKeys &&
    typeof isEmpty === 'boolean' &&
    typeof size === 'number' &&
    typeof created === 'string' &&
    typeof what === 'string'
  );
}
