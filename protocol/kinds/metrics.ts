import Type from '../schema.js';
import { type Kind, seconds } from './kind.js';

const Nothing = Type.Object({});

export const metricsKind = {
  label: 'metrics',
  name: 'MetricsCollector',
  version: 1,
  title: 'Metrics',
  called: 'metrics collector',
  does: 'reads what the engine counts',
  neededToStart: false,
  stockDocker: 'installed only',
  errorKey: 'Err',
  about:
    'Metrics: who carries the engine’s own figures to where they are kept. Docker’s metrics collector protocol (moby `daemon/internal/metrics`). The engine serves its Prometheus page on the UNIX socket `metrics.sock` in its exec root (`GET /metrics`), for as long as there is a collector; nothing is handed over in the calls themselves.',
  methods: {
    StartMetrics: {
      about:
        'The page is there: collect from now on. Called when the collector becomes active, and again whenever it came back after it was gone or the engine was.',
      since: 'Docker 17.06',
      request: Nothing,
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
    },
    StopMetrics: {
      about: 'The engine stops, and its page with it.',
      since: 'Docker 17.06',
      request: Nothing,
      response: Nothing,
      deadlineMs: seconds(2),
      idempotent: true,
    },
  },
} as const satisfies Kind;
