import { Histogram, type Registry } from 'prom-client';
import { actionOf, type Observe } from './timed.js';

export function containerActions(registry: Registry): Observe {
  const histogram = new Histogram({
    name: 'engine_daemon_container_actions_seconds',
    help: 'The number of seconds it takes to process each container action',
    labelNames: ['action'],
    registers: [registry],
  });
  for (const action of actionOf.values()) histogram.zero({ action });
  return (action, seconds) => histogram.observe({ action }, seconds);
}
