import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { metricsKind } from '@cleat/protocol/kinds/metrics';

export type MetricsHandlers = Handlers<typeof metricsKind>;

/** A collector that does everything right, and collects nothing. */
export class HealthyCollector implements MetricsHandlers {
  readonly root: string;
  collects = false;

  constructor(root: string) {
    this.root = root;
  }

  StartMetrics: MetricsHandlers['StartMetrics'] = () => {
    this.collects = true;
  };

  StopMetrics: MetricsHandlers['StopMetrics'] = () => {
    this.collects = false;
  };
}
