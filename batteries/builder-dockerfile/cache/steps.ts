import { fault } from '../language/fault.js';
import type { StepFacts, TrailStep } from './store.js';

/** A step as caches tell of it. */
export interface SharedStep extends Omit<StepFacts, 'parent'> {
  readonly keys: readonly string[];
  /** The diff ID of its own layer; empty where it has changed no file. */
  readonly layer: string;
}

/** Steps that anybody would look through, and keys of one. */
const maxSteps = 10_000;
const maxKeys = 8;
const maxWords = 4096;

const version = 2;

/** The steps of a build in the words of a cache, also of one within an image. @param time instead of their own ones */
export function stepsText(trail: readonly TrailStep[], time?: string): string {
  const steps = trail.map(({ keys, layers, isEmpty, size, created, what }): SharedStep => {
    const layer = isEmpty ? '' : (layers.at(-1) ?? '');
    return { keys, layer, isEmpty, size, created: time ?? created, what: what.slice(0, maxWords) };
  });
  return JSON.stringify({ v: version, steps });
}

/** Reads such a text, which may be anybody's. @throws DockerfileFault for another version; steps that are none are left out */
export function stepsIn(text: string): SharedStep[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw fault('the cache is not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || !('v' in parsed) || parsed.v !== version)
    throw fault('the cache is of another version');
  const steps = 'steps' in parsed && Array.isArray(parsed.steps) ? parsed.steps : [];
  if (steps.length > maxSteps) throw fault(`the cache has more than ${maxSteps} steps`);
  return steps.flatMap((step: unknown) => stepOf(step) ?? []);
}

function stepOf(step: unknown): SharedStep | undefined {
  if (typeof step !== 'object' || step === null) return undefined;
  const { keys, layer, isEmpty, size, created, what } = step as Record<string, unknown>;
  if (!Array.isArray(keys) || keys.length > maxKeys) return undefined;
  if (!keys.every((key): key is string => typeof key === 'string' && /^[0-9a-f]{64}$/.test(key))) return undefined;
  if (typeof layer !== 'string' || typeof isEmpty !== 'boolean') return undefined;
  if (isEmpty ? layer !== '' : !/^sha256:[0-9a-f]{64}$/.test(layer)) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (typeof created !== 'string' || !/^\d{4}-\d\d-\d\dT[\d:.]{8,18}Z$/.test(created)) return undefined;
  if (Number.isNaN(Date.parse(created)) || typeof what !== 'string' || what.length > maxWords) return undefined;
  return { keys, layer, isEmpty, size, created, what };
}
