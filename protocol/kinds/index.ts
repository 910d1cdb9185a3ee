import { authzKind } from './authz.js';
import { builderKind } from './builder.js';
import { hookKind } from './hook.js';
import { ipamKind } from './ipam.js';
import type { Kind } from './kind.js';
import { logKind } from './log.js';
import { metricsKind } from './metrics.js';
import { networkKind } from './network.js';
import { secretKind } from './secret.js';
import { volumeKind } from './volume.js';

/** Every kind that the engine knows, in the order of tables. Tables and choices of kinds derive from this list. */
export const kinds = [
  volumeKind,
  networkKind,
  ipamKind,
  logKind,
  authzKind,
  metricsKind,
  secretKind,
  builderKind,
  hookKind,
] as const satisfies readonly Kind[];

/** One word for each kind. A table that has to have every kind is a `Record` of it. */
export type KindLabel = (typeof kinds)[number]['label'];

export const kindLabels: readonly KindLabel[] = kinds.map(({ label }) => label);

export function isKindLabel(text: string): text is KindLabel {
  return kindLabels.some((label) => label === text);
}

/** @returns the kind of that label */
export function kindOf(label: KindLabel): Kind {
  const found = kinds.find((kind) => kind.label === label);
  if (found === undefined) throw new Error(`no kind is called ${label}`);
  return found;
}

/** @param capability what an extension lists in `Implements` @returns what people call it; the capability where it is unknown */
export function calledOf(capability: string): string {
  return kinds.find(({ name }) => name === capability)?.called ?? capability;
}

export type { CallContext, CallOptions, Client, Handlers, Kind, Method } from './kind.js';
export { authzKind, builderKind, hookKind, ipamKind, logKind, metricsKind, networkKind, secretKind, volumeKind };
