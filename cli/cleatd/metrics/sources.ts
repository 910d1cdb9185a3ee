import type { Engine } from '@cleat/engine/engine';
import type { Extensions } from '@cleat/extensions/service';

/** The sources of metrics. */
export interface MetricsSources {
  readonly engine: Pick<Engine, 'system' | 'containers' | 'events' | 'health' | 'spool'>;
  readonly extensions: Pick<Extensions, 'list'>;
}
