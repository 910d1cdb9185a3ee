import type { BenchEngine } from './engines.js';
import type { EngineName } from './lineup.js';
import type { OverlayName } from './overlay-pair.js';
import type { PluginName } from './plugin-pair.js';

/** The engines that can take part in a line. */
export type SideName = EngineName | PluginName | OverlayName;

/** One line of a table: what is done with either side, and how ours is to compare. */
export interface Row<Side = BenchEngine, Name extends SideName = EngineName> {
  readonly name: string;
  readonly unit: 'ms' | 'µs' | 'ms CPU' | 'µs CPU' | 'MB' | 'calls/s' | 'Gbit/s' | 'times';
  /** Two engines: our figure, the second, is divided by that of the first. */
  readonly between: readonly [Name, Name];
  /** Engines whose figures stand beside, where they are installed; they change nothing. */
  readonly beside?: readonly Name[];
  /** The ratio's limit; without one, and without `atLeast`, the line only states a cost. */
  readonly atMost?: number;
  /** The ratio's limit, where more is better. */
  readonly atLeast?: number;
  /** Limit of our own figure, in the row's unit, whatever the other one is. */
  readonly below?: number;
  /** Limit of how much our figure is above the other one, in the row's unit. */
  readonly adds?: number;
  /** Programs that are not there for everybody, each with its Debian package; without one, the line is left out. */
  readonly needs?: Readonly<Record<string, string>>;
  /** Made once per side before the samples. */
  prepare?(side: Side): Promise<void>;
  sample(side: Side): Promise<number>;
  /** Removes what `prepare` made. */
  finish?(side: Side): Promise<void>;
  /** Samples per side, taken in turn; the median counts. */
  readonly samples: number;
  /** The ratio is the median of those of each turn, which what else the machine does shifts less. */
  readonly paired?: true;
}

/** The usual two: dockerd, and Cleat as it comes. */
export const stock = ['dockerd', 'cleat'] as const;

/** Engines that a user could pick instead, where they are installed. */
export const peers = ['newer', 'podman'] as const;
