import type { BenchEngine } from './engines.js';
import type { EngineName } from './lineup.js';

/** One line of a table: what is done, and how much of the other's figure ours may be at most. */
export interface Row {
  readonly name: string;
  readonly unit: 'ms' | 'ms CPU' | 'µs CPU' | 'MB';
  /** Whose figure is divided by whose: ours, the second, by the first. Default: dockerd and Cleat as it comes. */
  readonly between?: readonly [EngineName, EngineName];
  /** The ratio's limit; without one the line only states a cost. */
  readonly atMost?: number;
  /** Made once per engine before the samples. */
  prepare?(engine: BenchEngine): Promise<void>;
  sample(engine: BenchEngine): Promise<number>;
  /** Removes what `prepare` made. */
  finish?(engine: BenchEngine): Promise<void>;
  /** Samples per engine, taken in turn; the median counts. */
  readonly samples: number;
}
